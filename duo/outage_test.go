package duo_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestAnOutageCostsNoLoginItsWholeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		client := svc.Client()
		var states []bool
		client.OnOutage = func(began bool, cause error) {
			assert.Equal(t, began, unavailable(cause))
			states = append(states, began)
		}
		fails := func() time.Duration {
			start := time.Now()
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			assert.True(t, unavailable(err), err)
			return time.Since(start)
		}
		svc.Break("", duotest.Fault{Delay: time.Hour, Times: -1})
		for range 3 {
			assert.Equal(t, 10*time.Second, fails())
		}
		assert.Equal(t, []bool{true}, states)
		for range 10 { // the probe finds out, for all of them
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() { assert.LessOrEqual(t, fails(), 2*time.Second) })
			}
			wg.Wait()
		}
		assert.Equal(t, 3, svc.Count("/auth/v2/preauth"), "nobody else is asked about")
		assert.LessOrEqual(t, svc.Count("/auth/v2/ping"), 10)

		svc.Repair()
		time.Sleep(time.Second)
		_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.NoError(t, err)
		assert.Equal(t, []bool{true, false}, states)
	})
}

// What the service says or does not say about one name decides for no other.
func TestAnErrorForOneNameDecidesForNoOther(t *testing.T) {
	for name, fault := range map[string]duotest.Fault{
		"server error": {Status: 503, Times: 20},
		"garbage":      {Body: "<html>", Times: 20},
		"silence":      {Delay: time.Hour, Times: 5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := service("jdoe", &duotest.User{})
				client := svc.Client()
				svc.Break("/auth/v2/preauth", fault)
				for range fault.Times {
					_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "mallory"})
					assert.True(t, unavailable(err))
					assert.NotErrorIs(t, err, duo.ErrNotAsked, "the probe is answered")
				}
				_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
				assert.NoError(t, err)
			})
		})
	}
}

func TestACallThatWasNotSentProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		client := svc.Client()
		client.OnOutage = func(bool, error) { t.Error("no outage") }
		late, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		for range 10 {
			_, err := client.Preauth(late, &duo.PreauthRequest{Username: "jdoe"})
			assert.Error(t, err)
			assert.False(t, unavailable(err))
		}
	})
}

// busy is a transport without a free connection.
type busy struct {
	ping http.RoundTripper // answers the probe
}

func (b busy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/auth/v2/ping" {
		return b.ping.RoundTrip(r)
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestWaitingForAConnectionIsOurOwnWant(t *testing.T) {
	for _, out := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			svc := service("jdoe", &duotest.User{})
			client := svc.Client()
			client.HTTPClient = &http.Client{Transport: busy{svc}}
			if out {
				svc.Break("", duotest.Fault{Refuse: true, Times: -1})
			}
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, out, unavailable(err), "the probe tells why nobody has a connection: %v", err)
		})
	}
}

func TestOwnWantsAreNoOutage(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", err)}
	}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"descriptors":             {dial(syscall.EMFILE), true},
		"descriptors of all":      {dial(syscall.ENFILE), true},
		"ports":                   {dial(syscall.EADDRNOTAVAIL), true},
		"memory":                  {dial(syscall.ENOBUFS), true},
		"firewall of this host":   {dial(syscall.EPERM), true},
		"descriptors for the DNS": {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "dial udp: socket: " + syscall.EMFILE.Error()}}, true},
		"refused":                 {dial(syscall.ECONNREFUSED), false},
		"unreachable":             {dial(syscall.EHOSTUNREACH), false},
		"DNS is silent":           {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "i/o timeout", IsTimeout: true}}, false},
		"no such host":            {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := service("jdoe", &duotest.User{}).Client()
				client.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
					httptrace.ContextClientTrace(r.Context()).GetConn(r.URL.Host)
					return nil, test.err
				})}
				for range 5 {
					_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
					require.Error(t, err)
					assert.Equal(t, !test.want, unavailable(err), err)
				}
			})
		})
	}
}

func TestAPanicOfTheTransportDoesNotStick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		client := svc.Client()
		panics := false
		client.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			if panics {
				panic("oh")
			}
			return svc.RoundTrip(r)
		})}
		svc.Break("", duotest.Fault{Refuse: true, Times: 9}) // three tries each
		preauth := func() error {
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			return err
		}
		for range 3 {
			require.Error(t, preauth())
		}
		panics = true
		assert.Panics(t, func() { _ = preauth() })
		panics = false
		time.Sleep(time.Second)
		assert.NoError(t, preauth())
	})
}

func TestTheTimeoutBoundsACallWithItsPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		svc.Break("", duotest.Fault{Code: 42901, Times: -1})
		client := svc.Client()
		client.Timeout = 3 * time.Second
		start := time.Now()
		_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.ErrorContains(t, err, "42901")
		assert.LessOrEqual(t, time.Since(start), 3*time.Second)
	})
}

func TestNoSecretComesBackInAnError(t *testing.T) {
	svc := service("jdoe", &duotest.User{})
	svc.Break("", duotest.Fault{Code: 40002, Message: "Invalid passcode 246813", Detail: "246813", Times: -1})
	for _, r := range []*duo.AuthRequest{
		{Username: "jdoe", Factor: duo.FactorPasscode, Passcode: "246813"},
		{Username: "jdoe", Factor: duo.FactorPrompt, Prompt: "246813"},
	} {
		_, err := svc.Client().Auth(t.Context(), r)
		require.ErrorContains(t, err, "Invalid passcode [redacted]")
		assert.NotContains(t, err.Error(), "246813")
	}
}

func TestARefusalAlwaysSaysSomething(t *testing.T) {
	svc := service("jdoe", &duotest.User{})
	svc.Break("", duotest.Fault{Body: `{"stat":"FAIL"}`})
	_, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.EqualError(t, err, "duo: preauth: the service refused and gave no reason")

	hour := http.Header{"Date": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}
	for _, fault := range []duotest.Fault{
		{Status: 401, Body: "{}", Header: hour}, {Status: 401, Body: " ", Header: hour}, {Code: duo.CodeBadTimestamp, Header: hour},
	} {
		svc = service("jdoe", &duotest.User{})
		svc.Break("", fault)
		_, err = svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.ErrorContains(t, err, "check the clock of this machine: it is off by ")
	}
}

func TestNumbersOutOfRangeEndNoLogin(t *testing.T) {
	for _, number := range []string{"1e999", "-1e999", "9223372036854775808", "1e15", "[]"} {
		svc := service("jdoe", &duotest.User{})
		svc.Break("", duotest.Fault{Body: `{"stat":"OK","response":{"result":"auth","txid":"x","verification_code":"376","expiration":` + number + `}}`})
		r, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.NoError(t, err, number)
		assert.WithinRange(t, r.Expiration, time.Now(), time.Now().AddDate(1, 0, 1), number)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
