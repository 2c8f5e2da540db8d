package duo_test

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// phone is a user with one smartphone that answers so.
func phone(a duotest.Answer) *duotest.User {
	return &duotest.User{Devices: []duotest.Device{{Answer: a}}}
}

func service(name string, u *duotest.User) *duotest.Service {
	return &duotest.Service{Users: map[string]*duotest.User{name: u}}
}

func TestClientSaysWhatItLacks(t *testing.T) {
	for name, tt := range map[string]struct {
		client *duo.Client
		want   string
	}{
		"host":            {&duo.Client{IntegrationKey: "DI", SecretKey: "key"}, "Client.Host"},
		"host with URL":   {&duo.Client{Host: "https://api.example.com", IntegrationKey: "DI", SecretKey: "key"}, "Client.Host"},
		"host with path":  {&duo.Client{Host: "api.example.com/", IntegrationKey: "DI", SecretKey: "key"}, "Client.Host"},
		"only a port":     {&duo.Client{Host: ":443", IntegrationKey: "DI", SecretKey: "key"}, "Client.Host"},
		"integration key": {&duo.Client{Host: "api.example.com", SecretKey: "key"}, "Client.IntegrationKey"},
		"key with colon":  {&duo.Client{Host: "api.example.com", IntegrationKey: "DI:x", SecretKey: "key"}, "Client.IntegrationKey"},
		"secret key":      {&duo.Client{Host: "api.example.com", IntegrationKey: "DI"}, "Client.SecretKey"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.client.Ping(t.Context())
			require.ErrorContains(t, err, tt.want)
			assert.False(t, unavailable(err))
		})
	}
}

func TestIncompleteRequestsAreNotSent(t *testing.T) {
	svc := new(duotest.Service)
	client, ctx := svc.Client(), t.Context()
	for name, call := range map[string]func() error{
		"preauth without a user": func() error {
			_, err := client.Preauth(ctx, &duo.PreauthRequest{})
			return err
		},
		"preauth with two users": func() error {
			_, err := client.Preauth(ctx, &duo.PreauthRequest{Username: "jdoe", UserID: "DU1"})
			return err
		},
		"auth without a user": func() error {
			_, err := client.Auth(ctx, &duo.AuthRequest{Factor: duo.FactorPush})
			return err
		},
		"auth without a factor": func() error {
			_, err := client.Auth(ctx, &duo.AuthRequest{Username: "jdoe"})
			return err
		},
		"auth without waiting, without a factor": func() error {
			_, err := client.AuthAsync(ctx, &duo.AuthRequest{Username: "jdoe"})
			return err
		},
		"status without a transaction": func() error {
			_, err := client.AuthStatus(ctx, "")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := call()
			require.Error(t, err)
			assert.False(t, unavailable(err))
		})
	}
	assert.Empty(t, svc.Calls())
}

func TestPingAndCheckTellTheTimeOfTheService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Skew: time.Minute}
		client := svc.Client()
		now, err := client.Ping(t.Context())
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(time.Minute), now, time.Second)
		now, err = client.Check(t.Context())
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(time.Minute), now, time.Second)
		assert.Empty(t, svc.Calls()[0].Header.Get("Authorization"), "ping is not signed")
	})
}

func TestLogoIsAnImage(t *testing.T) {
	svc := new(duotest.Service)
	logo, err := svc.Client().Logo(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "image/png", http.DetectContentType(logo))

	svc.Break("/auth/v2/logo", duotest.Fault{Body: `{"stat":"OK","response":"?"}`})
	_, err = svc.Client().Logo(t.Context())
	assert.ErrorContains(t, err, "no PNG image")
}

func TestPreauthResults(t *testing.T) {
	for result, want := range map[duo.PreauthResult]duo.PreauthResponse{
		duo.PreauthAllow: {StatusMessage: "hello"},
		duo.PreauthDeny:  {StatusMessage: "hello"},
		duo.PreauthEnroll: {
			StatusMessage:   "hello",
			EnrollPortalURL: "https://api-test.duosecurity.com/portal",
		},
		duo.PreauthAuth: {StatusMessage: "hello", Devices: []duo.Device{{
			ID:           "DPJDOE1",
			Type:         "phone",
			DisplayName:  "iOS (XXX-XXX-1234)",
			Number:       "XXX-XXX-1234",
			Capabilities: []duo.Factor{duo.FactorAuto, duo.FactorPush, duo.FactorSMS, duo.FactorPhone, "mobile_otp"},
		}}},
		"a new one": {StatusMessage: "hello"},
	} {
		t.Run(string(result), func(t *testing.T) {
			svc := service("jdoe", &duotest.User{Preauth: result, Message: "hello"})
			got, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			require.NoError(t, err)
			want.Result = result
			assert.Equal(t, &want, got)
		})
	}
}

func TestPreauthSendsWhatItWasGiven(t *testing.T) {
	svc := &duotest.Service{Unknown: &duotest.User{}}
	client := svc.Client()
	for _, tt := range []struct {
		request duo.PreauthRequest
		want    url.Values
	}{
		{duo.PreauthRequest{Username: "J. Döe+x&y"}, url.Values{"username": {"J. Döe+x&y"}}},
		{duo.PreauthRequest{
			Username:           "jdoe",
			IPAddr:             netip.MustParseAddr("::ffff:192.0.2.7"),
			Hostname:           "laptop",
			TrustedDeviceToken: "token",
			VerifiedPush:       true,
			TextPrompt:         true,
		}, url.Values{
			"username":                      {"jdoe"},
			"ipaddr":                        {"192.0.2.7"},
			"hostname":                      {"laptop"},
			"trusted_device_token":          {"token"},
			"client_supports_verified_push": {"1"},
			"text_prompt":                   {"1"},
		}},
	} {
		_, err := client.Preauth(t.Context(), &tt.request)
		require.NoError(t, err)
		calls := svc.Calls()
		assert.Equal(t, tt.want, calls[len(calls)-1].Params)
	}
}

func TestUsersCanBeNamedByID(t *testing.T) {
	svc := service("jdoe", &duotest.User{ID: "DU17"})
	client := svc.Client()
	pre, err := client.Preauth(t.Context(), &duo.PreauthRequest{UserID: "DU17"})
	require.NoError(t, err)
	assert.Equal(t, duo.PreauthAuth, pre.Result)
	r, err := client.Auth(t.Context(), &duo.AuthRequest{UserID: "DU17", Factor: duo.FactorPush})
	require.NoError(t, err)
	assert.True(t, r.Allowed())
}

func TestAuthSendsWhatItWasGiven(t *testing.T) {
	svc := service("jdoe", &duotest.User{Passcodes: []string{"123456"}})
	client := svc.Client()
	for _, tt := range []struct {
		request duo.AuthRequest
		want    url.Values
	}{
		{duo.AuthRequest{Factor: duo.FactorPush}, url.Values{"device": {"auto"}}},
		{duo.AuthRequest{Factor: duo.FactorPasscode, Device: "DPJDOE1", Passcode: "123456"}, url.Values{"passcode": {"123456"}}},
		{duo.AuthRequest{Factor: duo.FactorPrompt, Prompt: "push1"}, url.Values{"prompt": {"push1"}}},
		{duo.AuthRequest{
			Factor:          duo.FactorPush,
			Device:          "DPJDOE1",
			IPAddr:          netip.MustParseAddr("fe80::1%eth0"),
			Hostname:        "laptop",
			Type:            "VPN",
			DisplayUsername: "Jane Doe",
			PushInfo:        url.Values{"NAS": {"vpn 1"}, "from": {"a&b"}},
		}, url.Values{
			"device":           {"DPJDOE1"},
			"ipaddr":           {"fe80::1"},
			"hostname":         {"laptop"},
			"type":             {"VPN"},
			"display_username": {"Jane Doe"},
			"pushinfo":         {"NAS=vpn+1&from=a%26b"},
		}},
	} {
		tt.request.Username = "jdoe"
		tt.want.Set("username", "jdoe")
		tt.want.Set("factor", string(tt.request.Factor))
		r, err := client.Auth(t.Context(), &tt.request)
		require.NoError(t, err)
		assert.True(t, r.Allowed())
		_, err = client.AuthAsync(t.Context(), &tt.request)
		require.NoError(t, err)

		calls := svc.Calls()
		assert.Equal(t, tt.want, calls[len(calls)-2].Params)
		tt.want.Set("async", "1")
		assert.Equal(t, tt.want, calls[len(calls)-1].Params)
	}
}

func TestRememberedDeviceNeedsNoSecondFactor(t *testing.T) {
	client := service("jdoe", &duotest.User{Remember: true}).Client()
	r, err := client.Auth(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
	require.NoError(t, err)
	require.NotEmpty(t, r.TrustedDeviceToken)
	pre, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe", TrustedDeviceToken: r.TrustedDeviceToken})
	require.NoError(t, err)
	assert.Equal(t, duo.PreauthAllow, pre.Result)
}

func TestVerifiedPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var typed string
		svc := service("jdoe", phone(func(_ context.Context, p duotest.Push) duo.Status {
			typed = p.Code
			return duo.StatusAllow
		}))
		svc.Users["jdoe"].Verified = duotest.CodeInPreauth
		client := svc.Client()
		ask := func() *duo.PreauthResponse {
			pre, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe", VerifiedPush: true})
			require.NoError(t, err)
			assert.Equal(t, time.Now().Add(time.Minute), pre.Expiration)
			return pre
		}
		push := func(txid string) (*duo.AuthResponse, error) {
			return client.Auth(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush, TxID: txid})
		}

		pre := ask()
		assert.Equal(t, "376", pre.VerificationCode)
		r, err := push(pre.TxID)
		require.NoError(t, err)
		assert.True(t, r.Allowed())
		assert.Equal(t, pre.VerificationCode, typed)

		pre = ask()
		r, err = push("")
		require.NoError(t, err)
		assert.False(t, r.Allowed(), "a push that is not verified")

		time.Sleep(61 * time.Second)
		_, err = push(pre.TxID)
		var e *duo.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, duo.CodeInvalidParameter, e.Code)
		assert.Equal(t, "txid", e.Detail)
	})
}

func TestVerificationCodeCanComeLate(t *testing.T) {
	client := service("jdoe", &duotest.User{Verified: duotest.CodeInStatus}).Client()
	txid, err := client.AuthAsync(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
	require.NoError(t, err)
	state, err := client.AuthStatus(t.Context(), txid)
	require.NoError(t, err)
	assert.Equal(t, "376", state.VerificationCode)
	r, err := client.Wait(t.Context(), txid, nil)
	require.NoError(t, err)
	assert.True(t, r.Allowed())
}

func TestTextPromptNamesItsOptions(t *testing.T) {
	svc := service("jdoe", &duotest.User{Passcodes: []string{"123456"}})
	svc.TextPrompts = true
	client := svc.Client()
	pre, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe", TextPrompt: true})
	require.NoError(t, err)
	require.NotNil(t, pre.Prompt)
	assert.Contains(t, pre.Prompt.Text, "1. Duo Push to XXX-XXX-1234\n")
	assert.Equal(t, map[string]string{"1": "push1", "2": "phone1", "3": "sms1", "default": "push1"}, pre.Prompt.Factors)

	for prompt, want := range map[string]duo.Status{
		pre.Prompt.Factors["1"]: duo.StatusAllow,
		pre.Prompt.Factors["2"]: duo.StatusAllow,
		pre.Prompt.Factors["3"]: duo.StatusSent,
		"123456":                duo.StatusAllow,
		"what?":                 duo.StatusDeny,
	} {
		r, err := client.Auth(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPrompt, Prompt: duo.Secret(prompt)})
		require.NoError(t, err)
		assert.Equal(t, want, r.Status, prompt)
	}

	pre, err = client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.NoError(t, err)
	assert.Nil(t, pre.Prompt, "not asked for")
}

func TestEnrolment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := new(duotest.Service)
		client := svc.Client()
		state := func(e *duo.EnrollResponse) duo.EnrollState {
			s, err := client.EnrollStatus(t.Context(), e.UserID, e.ActivationCode)
			require.NoError(t, err)
			return s
		}
		jdoe, err := client.Enroll(t.Context(), &duo.EnrollRequest{Username: "jdoe", ValidFor: time.Hour})
		require.NoError(t, err)
		assert.Equal(t, "jdoe", jdoe.Username)
		assert.NotEmpty(t, jdoe.ActivationBarcode)
		assert.WithinDuration(t, time.Now().Add(time.Hour), jdoe.Expiration, time.Second)
		assert.Equal(t, "3600", svc.Calls()[0].Params.Get("valid_secs"))
		anybody, err := client.Enroll(t.Context(), &duo.EnrollRequest{})
		require.NoError(t, err)
		assert.NotEmpty(t, anybody.Username)

		assert.Equal(t, duo.EnrollWaiting, state(jdoe))
		assert.True(t, svc.Activate(jdoe.ActivationCode))
		assert.Equal(t, duo.EnrollSuccess, state(jdoe))
		time.Sleep(25 * time.Hour)
		assert.Equal(t, duo.EnrollInvalid, state(anybody))
		assert.False(t, svc.Activate(anybody.ActivationCode))

		r, err := client.Auth(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
		require.NoError(t, err)
		assert.True(t, r.Allowed())
	})
}
