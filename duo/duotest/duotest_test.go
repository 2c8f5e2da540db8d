package duotest_test

import (
	"context"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func preauth(t *testing.T, c *duo.Client, name string) *duo.PreauthResponse {
	t.Helper()
	r, err := c.Preauth(t.Context(), &duo.PreauthRequest{Username: name})
	require.NoError(t, err)
	return r
}

// auth returns the status, or the detail of an error of the service.
func auth(t *testing.T, c *duo.Client, r duo.AuthRequest) string {
	t.Helper()
	r.Username = "jdoe"
	answer, err := c.Auth(t.Context(), &r)
	if err == nil {
		return string(answer.Status)
	}
	var e *duo.Error
	require.ErrorAs(t, err, &e)
	return e.Detail
}

func TestUnknownUsersHaveToEnrol(t *testing.T) {
	svc := new(duotest.Service)
	client := svc.Client()
	assert.Equal(t, duo.PreauthEnroll, preauth(t, client, "nobody").Result)
	assert.Equal(t, "username", auth(t, client, duo.AuthRequest{Factor: duo.FactorPush}))

	svc.Unknown = &duotest.User{Preauth: duo.PreauthDeny}
	assert.Equal(t, duo.PreauthDeny, preauth(t, client, "nobody").Result)

	svc.TextPrompts = true
	svc.Unknown = nil
	r, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "nobody", TextPrompt: true})
	require.NoError(t, err)
	assert.Contains(t, r.Prompt.Text, r.EnrollPortalURL)

	_, err = client.Preauth(t.Context(), &duo.PreauthRequest{UserID: "DU17"})
	assert.ErrorContains(t, err, "40002")
}

func TestDevicesAreFilledIn(t *testing.T) {
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {Devices: []duotest.Device{
		{},
		{Number: "+4930XXXX17", Name: "work", Capabilities: []duo.Factor{duo.FactorSMS}},
		{Kind: duotest.Landline},
		{Kind: duotest.Token, ID: "DHTOKEN"},
	}}, "bypass codes only": {Devices: []duotest.Device{}}}}
	all := []duo.Factor{duo.FactorAuto, duo.FactorPush, duo.FactorSMS, duo.FactorPhone, "mobile_otp"}
	assert.Equal(t, []duo.Device{
		{ID: "DPJDOE1", Type: "phone", DisplayName: "iOS (XXX-XXX-1234)", Number: "XXX-XXX-1234", Capabilities: all},
		{ID: "DPJDOE2", Type: "phone", DisplayName: "iOS (+4930XXXX17)", Name: "work", Number: "+4930XXXX17", Capabilities: []duo.Factor{"sms"}},
		{ID: "DPJDOE3", Type: "phone", DisplayName: "Landline (XXX-XXX-1236)", Number: "XXX-XXX-1236", Capabilities: []duo.Factor{"auto", "phone"}},
		{ID: "DHTOKEN", Type: "token", DisplayName: "Token (DHTOKEN)"},
	}, preauth(t, svc.Client(), "jdoe").Devices)
	assert.Empty(t, preauth(t, svc.Client(), "bypass codes only").Devices)
}

func TestDevicesOfARequest(t *testing.T) {
	var rang []string
	ring := func(_ context.Context, p duotest.Push) duo.Status {
		rang = append(rang, string(p.Factor)+" "+p.Device)
		return duo.StatusAllow
	}
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {Devices: []duotest.Device{
		{ID: "token", Kind: duotest.Token},
		{ID: "line", Kind: duotest.Landline, Answer: ring},
		{ID: "phone", Answer: ring},
		{ID: "other", Answer: ring},
	}}}}
	client := svc.Client()
	for _, tt := range []struct {
		factor       duo.Factor
		device, rang string
	}{
		{duo.FactorPush, "", "push phone"},
		{duo.FactorPush, "auto", "push phone"},
		{duo.FactorPush, "other", "push other"},
		{duo.FactorPhone, "auto", "phone line"},
		{duo.FactorPhone, "phone", "phone phone"},
		{duo.FactorAuto, "auto", "push phone"},
		{duo.FactorAuto, "line", "phone line"},
	} {
		rang = nil
		assert.Equal(t, "allow", auth(t, client, duo.AuthRequest{Factor: tt.factor, Device: tt.device}))
		assert.Equal(t, []string{tt.rang}, rang)
	}
	for _, r := range []duo.AuthRequest{
		{Factor: duo.FactorPush, Device: "line"},
		{Factor: duo.FactorSMS, Device: "token"},
		{Factor: duo.FactorAuto, Device: "token"},
		{Factor: duo.FactorPush, Device: "none such"},
	} {
		assert.Equal(t, "device", auth(t, client, r))
	}
	assert.Equal(t, "factor", auth(t, client, duo.AuthRequest{Factor: "telepathy"}))
	assert.Equal(t, "prompt", auth(t, client, duo.AuthRequest{Factor: duo.FactorPrompt, Prompt: "push3"}))
	assert.Equal(t, "txid", auth(t, client, duo.AuthRequest{Factor: duo.FactorPush, TxID: "none such"}))
}

func TestAPushTellsWhatItIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got duotest.Push
		svc := &duotest.Service{Unknown: &duotest.User{Devices: []duotest.Device{{
			Answer: func(_ context.Context, p duotest.Push) duo.Status {
				got = p
				return duo.StatusAllow
			},
		}}}}
		want := duotest.Push{
			Username: "jdoe", DisplayUsername: "jdoe", Type: "Login", Factor: duo.FactorPush,
			Device: "DPJDOE1", Number: "XXX-XXX-1234", Info: url.Values{}, Sent: time.Now(),
		}
		auth(t, svc.Client(), duo.AuthRequest{Factor: duo.FactorPush})
		want.TxID = got.TxID
		assert.Equal(t, want, got)

		auth(t, svc.Client(), duo.AuthRequest{
			Factor: duo.FactorPush, Type: "VPN", DisplayUsername: "Jane", PushInfo: url.Values{"a": {"b c"}},
		})
		want.TxID, want.Type, want.DisplayUsername, want.Info = got.TxID, "VPN", "Jane", url.Values{"a": {"b c"}}
		assert.Equal(t, want, got)
	})
}

func TestSMSBatches(t *testing.T) {
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}, TextPrompts: true}
	client := svc.Client()
	assert.Empty(t, preauth(t, client, "jdoe").Devices[0].NextSMSCode)
	assert.Empty(t, svc.SMS("jdoe"))

	send := duo.AuthRequest{Factor: duo.FactorSMS}
	use := func(code string) string {
		return auth(t, client, duo.AuthRequest{Factor: duo.FactorPasscode, Passcode: duo.Secret(code)})
	}
	assert.Equal(t, "sent", auth(t, client, send))
	first := svc.SMS("jdoe")
	assert.Len(t, first, 10)
	assert.Equal(t, "1", preauth(t, client, "jdoe").Devices[0].NextSMSCode)
	assert.Equal(t, "allow", use(first[0]))
	assert.Equal(t, "deny", use(first[0]), "once")
	assert.Equal(t, "2", preauth(t, client, "jdoe").Devices[0].NextSMSCode)
	r, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe", TextPrompt: true})
	require.NoError(t, err)
	assert.Contains(t, r.Prompt.Text, "3. SMS passcodes to XXX-XXX-1234 (next code starts with: 2)")

	assert.Equal(t, "sent", auth(t, client, send))
	assert.Equal(t, "deny", use(first[1]), "there is a new batch")
	assert.Equal(t, "allow", use(svc.SMS("jdoe")[9]))
}

func TestTransactionsCanBeInspected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Users: map[string]*duotest.User{
			"jdoe": {Verified: duotest.CodeInPreauth, Passcodes: []string{"123456"}},
		}}
		client := svc.Client()
		_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe", VerifiedPush: true})
		require.NoError(t, err)
		assert.Empty(t, svc.Transactions(), "nothing was begun")

		auth(t, client, duo.AuthRequest{Factor: duo.FactorPasscode, Passcode: "123456"})
		txid, err := client.AuthAsync(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPhone})
		require.NoError(t, err)
		list := svc.Transactions()
		require.Len(t, list, 2)
		assert.Equal(t, duotest.Transaction{
			ID: list[0].ID, Username: "jdoe", Factor: duo.FactorPasscode, Begun: time.Now(),
			Result: duo.ResultAllow, Status: duo.StatusAllow,
		}, list[0])
		assert.Equal(t, duotest.Transaction{
			ID: txid, Username: "jdoe", Factor: duo.FactorPhone, Device: "DPJDOE1", Async: true, Begun: time.Now(),
			Result: duo.ResultWaiting, Status: duo.StatusAnswered,
		}, list[1])
	})
}

func TestNobodyCanApproveACodeThatNobodyWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {Verified: duotest.CodeInStatus}}}
		assert.Equal(t, "timeout", auth(t, svc.Client(), duo.AuthRequest{Factor: duo.FactorPush}))
	})
}

func TestATransactionOutlivesItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Users: map[string]*duotest.User{
			"jdoe": {Devices: []duotest.Device{{Answer: duotest.After(30*time.Second, duotest.Approve)}}},
		}}
		client := svc.Client()
		start := time.Now()
		txid, err := client.AuthAsync(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = client.Wait(ctx, txid, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		var wg sync.WaitGroup
		for range 3 { // several may ask
			wg.Go(func() {
				answer, err := client.Wait(t.Context(), txid, nil)
				if assert.NoError(t, err) {
					assert.True(t, answer.Allowed())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 30*time.Second, time.Since(start))

		late, err := client.AuthAsync(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		answer, err := client.Wait(t.Context(), late, nil)
		require.NoError(t, err)
		assert.True(t, answer.Allowed(), "the owner answered while nobody asked")
	})
}

func TestThousandLoginsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Unknown: &duotest.User{Devices: []duotest.Device{{
			Answer: duotest.After(42*time.Second, duotest.Approve),
		}}}}
		client := svc.Client()
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() {
				answer, err := client.Auth(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
				if assert.NoError(t, err) {
					assert.True(t, answer.Allowed())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1000, svc.Count("/auth/v2/auth"))
		assert.Len(t, svc.Transactions(), 1000)
	})
}

func TestFaultsComeInOrder(t *testing.T) {
	svc := new(duotest.Service)
	client := svc.Client()
	check := func() string {
		_, err := client.Check(t.Context())
		if err == nil {
			return ""
		}
		var e *duo.Error
		require.ErrorAs(t, err, &e)
		return e.Message
	}
	svc.Break("/auth/v2/check", duotest.Fault{Code: 40001, Message: "a", Times: 2}, duotest.Fault{Code: 40001, Message: "b"})
	svc.Break("", duotest.Fault{Code: 40001, Message: "c", Times: -1})
	_, err := client.Logo(t.Context())
	assert.ErrorContains(t, err, ": c")
	assert.Equal(t, []string{"a", "a", "b", "c", "c"}, []string{check(), check(), check(), check(), check()})
	svc.Repair()
	assert.Empty(t, check())
}

func TestADelayIsOnlyADelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := new(duotest.Service)
		svc.Break("", duotest.Fault{Delay: 3 * time.Second})
		start := time.Now()
		_, err := svc.Client().Check(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestGivingUpEndsEveryCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Unknown: &duotest.User{Devices: []duotest.Device{{Answer: duotest.Ignore}}}}
		client := svc.Client()
		push := &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush}
		txid, err := client.AuthAsync(t.Context(), push)
		require.NoError(t, err)
		go func() { _, _ = client.Wait(t.Context(), txid, nil) }() // asks the owner already
		for name, call := range map[string]func(context.Context) error{
			"auth": func(ctx context.Context) error {
				_, err := client.Auth(ctx, push)
				return err
			},
			"auth_status": func(ctx context.Context) error {
				_, err := client.Wait(ctx, txid, nil)
				return err
			},
			"a slow refusal": func(ctx context.Context) error {
				svc.Break("/auth/v2/logo", duotest.Fault{Refuse: true, Delay: time.Minute})
				_, err := client.Logo(ctx)
				return err
			},
		} {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			start := time.Now()
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded, name)
			assert.Equal(t, 3*time.Second, time.Since(start), name)
			require.ErrorIs(t, call(ctx), context.DeadlineExceeded, "and does not begin: "+name)
			cancel()
		}
	})
}

func TestEnrolmentChecksItsParameters(t *testing.T) {
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	client := svc.Client()
	_, err := client.Enroll(t.Context(), &duo.EnrollRequest{Username: "jdoe"})
	assert.ErrorContains(t, err, "username already exists")
	_, err = client.Enroll(t.Context(), &duo.EnrollRequest{ValidFor: 100 * 365 * 24 * time.Hour})
	assert.ErrorContains(t, err, "valid_secs")
	_, err = client.EnrollStatus(t.Context(), "", "code")
	assert.ErrorContains(t, err, "user_id")
	_, err = client.EnrollStatus(t.Context(), "DU", "")
	assert.ErrorContains(t, err, "activation_code")
	state, err := client.EnrollStatus(t.Context(), "DU", "code")
	require.NoError(t, err)
	assert.Equal(t, duo.EnrollInvalid, state)
}

func TestTextPromptsOfOtherUsers(t *testing.T) {
	svc := &duotest.Service{TextPrompts: true, Users: map[string]*duotest.User{
		"verified": {Verified: duotest.CodeInPreauth},
		"token":    {Devices: []duotest.Device{{Kind: duotest.Token}}},
	}}
	client := svc.Client()
	prompt := func(name string) (*duo.PreauthResponse, *duo.Prompt) {
		r, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: name, TextPrompt: true, VerifiedPush: true})
		require.NoError(t, err)
		return r, r.Prompt
	}
	_, p := prompt("token")
	assert.Equal(t, &duo.Prompt{Text: "Duo two-factor login for token\n\nEnter a passcode.\n\nPasscode: ", Factors: map[string]string{}}, p)

	r, p := prompt("verified")
	assert.Equal(t, map[string]string{"1": "verified_push1", "2": "phone1", "3": "sms1", "default": "verified_push1"}, p.Factors)
	answer, err := client.Auth(t.Context(), &duo.AuthRequest{
		Username: "verified", Factor: duo.FactorPrompt, Prompt: "verified_push1", TxID: r.TxID,
	})
	require.NoError(t, err)
	assert.True(t, answer.Allowed())
}
