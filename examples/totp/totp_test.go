package totp

import (
	"context"
	"encoding/base32"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/duo/secondfactortest"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// The key of the vectors of both RFCs.
const rfcKey = "12345678901234567890"

// RFC 4226 appendix D.
func TestVectorsOfRFC4226(t *testing.T) {
	for counter, want := range []string{
		"755224", "287082", "359152", "969429", "338314",
		"254676", "287922", "162583", "399871", "520489",
	} {
		assert.Equal(t, want, hotp(rfcKey, uint64(counter), 6))
	}
}

// RFC 6238 appendix B, the rows of SHA-1.
func TestVectorsOfRFC6238(t *testing.T) {
	for seconds, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471",
		1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		assert.Equal(t, want, hotp(rfcKey, uint64(seconds/30), 8))
	}
}

func TestCodesAreThoseOfOathtool(t *testing.T) {
	path, err := exec.LookPath("oathtool")
	if err != nil {
		if os.Getenv("RADMFA_CONFORMANCE") == "require" {
			t.Fatal("oathtool is not installed")
		}
		t.Skip("oathtool is not installed")
	}
	for _, seconds := range []int64{0, 59, 1700000000, 4102444800} {
		out, err := exec.CommandContext(t.Context(), path, "--totp", "--now=@"+strconv.FormatInt(seconds, 10), "-b",
			base32.StdEncoding.EncodeToString([]byte(rfcKey))).Output()
		require.NoError(t, err)
		assert.Equal(t, strings.TrimSpace(string(out)), hotp(rfcKey, uint64(seconds/30), Digits))
	}
}

func factor() *Factor {
	return &Factor{
		Key: func(_ context.Context, account string) (duo.Secret, error) {
			if account == "jdoe" || account == "JDOE" {
				return rfcKey, nil
			}
			return "", nil
		},
		Store: &challenge.MemoryStore{},
	}
}

// code is the code of the period so many from now.
func code(periods int64) duo.Secret {
	return duo.Secret(hotp(rfcKey, uint64(time.Now().Unix()/30+periods), Digits))
}

func allowed(t *testing.T, f *Factor, account string, passcode duo.Secret) bool {
	t.Helper()
	r, err := f.Auth(t.Context(), &duo.AuthRequest{Username: account, Factor: duo.FactorPasscode, Passcode: passcode})
	require.NoError(t, err)
	return r.Allowed()
}

func TestFactorKeepsTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secondfactortest.TestSecondFactor(t, secondfactortest.Subject{
			SecondFactor: factor(), Username: "jdoe", Unknown: "alice", Once: true,
			Right: func(name string) *duo.AuthRequest {
				return &duo.AuthRequest{Username: name, Factor: duo.FactorPasscode, Passcode: code(0)}
			},
			Wrong: func(name string) *duo.AuthRequest {
				return &duo.AuthRequest{Username: name, Factor: duo.FactorPasscode, Passcode: "12345"}
			},
		})
	})
}

func TestTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct{ window, within, outside int }{{0, 1, 2}, {-1, 0, 1}, {2, 2, 3}} {
			for _, sign := range []int{-1, 1} {
				f := factor()
				f.Window = test.window
				assert.False(t, allowed(t, f, "jdoe", code(int64(sign*test.outside))))
				assert.True(t, allowed(t, f, "jdoe", code(int64(sign*test.within))))
			}
		}
	})
}

func TestACodeIsGoodOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, now, before := factor(), code(0), code(-1)
		assert.True(t, allowed(t, f, "jdoe", now))
		assert.False(t, allowed(t, f, "jdoe", now))
		assert.False(t, allowed(t, f, "JDOE", now), "another spelling of the same account")
		assert.False(t, allowed(t, f, "jdoe", before), "a code before one that was used")
		time.Sleep(Period)
		assert.False(t, allowed(t, f, "jdoe", now), "still in the window")
		assert.True(t, allowed(t, f, "jdoe", code(0)))
		assert.True(t, allowed(t, f, "jdoe", code(1)))
		for range 20 { // no code is ever good again
			assert.False(t, allowed(t, f, "jdoe", now))
			time.Sleep(Period / 4)
		}
	})
}

func TestACodeIsGoodOnceAtManyNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := factor()
		var yes atomic.Int64
		var wg sync.WaitGroup
		for range 50 {
			node := &Factor{Key: one.Key, Store: one.Store}
			wg.Go(func() {
				if allowed(t, node, "jdoe", code(0)) {
					yes.Add(1)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 1, yes.Load())
	})
}

func TestOurTextsCanBeTranslated(t *testing.T) {
	f, texts := factor(), prompt.Texts{"totp.ask": "ask", "totp.wrong": "wrong", "login.second-factor": "no key"}
	p, err := f.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.NoError(t, err)
	assert.Equal(t, "ask", texts.Translate(p.Prompt.Text))
	p, err = f.Preauth(t.Context(), &duo.PreauthRequest{Username: "alice"})
	require.NoError(t, err)
	assert.Equal(t, "no key", texts.Translate(p.StatusMessage))
	r, err := f.Auth(t.Context(), &duo.AuthRequest{Username: "jdoe"})
	require.NoError(t, err)
	assert.Equal(t, "wrong", texts.Translate(r.StatusMessage))
}

func TestOnlyAPasscodeIsAccepted(t *testing.T) {
	r, err := factor().Auth(t.Context(), &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush, Passcode: code(0)})
	require.NoError(t, err)
	assert.False(t, r.Allowed())
}

func TestKeysThatCannotBeFoundReject(t *testing.T) {
	f := factor()
	f.Key = func(context.Context, string) (duo.Secret, error) { return "", context.DeadlineExceeded }
	_, err := f.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var outage interface{ Unavailable() bool }
	assert.False(t, errors.As(err, &outage))
	require.Error(t, (&Factor{}).Validate())
}

func TestParseKey(t *testing.T) {
	key, err := ParseKey("gezd gnbv gy3t qojq gezd gnbv gy3t qojq")
	require.NoError(t, err)
	assert.Equal(t, duo.Secret(rfcKey), key)
	for _, bad := range []string{"", "GEZDGNBV", "not base32!", "GEZDGNBVGY3TQOJ1"} {
		_, err := ParseKey(bad)
		require.Error(t, err)
		if bad != "" {
			assert.NotContains(t, err.Error(), bad)
		}
	}
}

// An outage is neither open nor closed: the app's code lets the user in, once.
func TestFallbackInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}, "alice": {}}}
		service.Break("/auth/v2/preauth", duotest.Fault{Times: -1, Refuse: true})
		server := &radmfa.Server{
			Primary:      primarytest.Users{"jdoe": "correct horse", "alice": "battery staple"},
			SecondFactor: service.Client(), Fallback: factor(),
		}
		require.NoError(t, server.Validate())
		login := func(passcode duo.Secret) radmfa.Result {
			asked := server.Login(t.Context(), radmfa.Request{Device: "vpn", Username: "jdoe", Password: "correct horse"})
			require.Equal(t, radmfa.ResultChallenged, asked.Result)
			assert.Equal(t, []string{"Enter the code that your authenticator app shows: "}, asked.Messages)
			return server.Login(t.Context(), radmfa.Request{
				Device: "vpn", Username: "jdoe", Password: radius.Secret(passcode), State: asked.State,
			}).Result
		}
		assert.Equal(t, radmfa.ResultAccepted, login(code(0)))
		assert.Equal(t, radmfa.ResultRejected, login(code(0)), "used")
		without := server.Login(t.Context(), radmfa.Request{Device: "vpn", Username: "alice", Password: "battery staple"})
		assert.Equal(t, radmfa.ResultRejected, without.Result, "has no key")
	})
}
