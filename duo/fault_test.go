package duo_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// calls are all calls that a client can make. Those that ring a phone or make a
// user must not reach the service twice.
var calls = []struct {
	name string
	once bool
	make func(context.Context, *duo.Client) error
}{
	{"ping", false, func(ctx context.Context, c *duo.Client) error {
		_, err := c.Ping(ctx)
		return err
	}},
	{"check", false, func(ctx context.Context, c *duo.Client) error {
		_, err := c.Check(ctx)
		return err
	}},
	{"logo", false, func(ctx context.Context, c *duo.Client) error {
		_, err := c.Logo(ctx)
		return err
	}},
	{"preauth", false, func(ctx context.Context, c *duo.Client) error {
		_, err := c.Preauth(ctx, &duo.PreauthRequest{Username: "jdoe"})
		return err
	}},
	{"auth", true, func(ctx context.Context, c *duo.Client) error {
		_, err := c.Auth(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
		return err
	}},
	{"auth", true, func(ctx context.Context, c *duo.Client) error { // asynchronous
		_, err := c.AuthAsync(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
		return err
	}},
	{"auth_status", false, func(ctx context.Context, c *duo.Client) error {
		_, err := c.AuthStatus(ctx, "some transaction")
		return err
	}},
	{"auth_status", false, func(ctx context.Context, c *duo.Client) error { // and again
		_, err := c.Wait(ctx, "some transaction", nil)
		return err
	}},
	{"enroll", true, func(ctx context.Context, c *duo.Client) error {
		_, err := c.Enroll(ctx, &duo.EnrollRequest{Username: "jdoe"})
		return err
	}},
	{"enroll_status", false, func(ctx context.Context, c *duo.Client) error {
		_, err := c.EnrollStatus(ctx, "DU1", "code")
		return err
	}},
}

const ok = `{"stat":"OK","response":{}}`

// faults are all ways in which a call can go wrong for good.
var faults = map[string]struct {
	fault       duotest.Fault
	status      int
	unavailable bool
}{
	"no connection":        {duotest.Fault{Refuse: true}, 0, true},
	"connection lost":      {duotest.Fault{Reset: true}, 0, true},
	"silence":              {duotest.Fault{Delay: time.Hour}, 0, true},
	"answer cut off":       {duotest.Fault{Truncate: true, Body: ok}, 200, true},
	"answer stalls":        {duotest.Fault{Stall: true, Body: ok}, 200, true},
	"refusal cut off":      {duotest.Fault{Truncate: true, Code: 40103}, 401, false},
	"refusal stalls":       {duotest.Fault{Stall: true, Code: 40103}, 401, false},
	"empty answer":         {duotest.Fault{Status: 200}, 200, true},
	"web page":             {duotest.Fault{Body: "<html>Please log in to the network"}, 200, true},
	"no stat":              {duotest.Fault{Body: `{}`}, 200, true},
	"odd stat":             {duotest.Fault{Body: `{"stat":"MAYBE","response":{}}`}, 200, true},
	"stat of a wrong type": {duotest.Fault{Body: `{"stat":1,"response":{}}`}, 200, true},
	"no response":          {duotest.Fault{Body: `{"stat":"OK"}`}, 200, true},
	"null":                 {duotest.Fault{Body: `null`}, 200, true},
	"list":                 {duotest.Fault{Body: `[]`}, 200, true},
	"two answers":          {duotest.Fault{Body: `{"stat":"OK","response":{}}{}`}, 200, true},
	"far too long":         {duotest.Fault{Body: `{"stat":"OK","response":"` + strings.Repeat("x", 2<<20) + `"}`}, 200, true},
	"redirect":             {duotest.Fault{Status: 302, Header: http.Header{"Location": {"https://example.com/"}}}, 302, true},
	"permanent redirect":   {duotest.Fault{Status: 308, Header: http.Header{"Location": {"https://example.com/"}}}, 308, true},
	"accepted":             {duotest.Fault{Status: 202, Body: ok}, 202, true},
	"server error":         {duotest.Fault{Code: 50000}, 500, true},
	"gateway error":        {duotest.Fault{Status: 502, Body: "<html>"}, 502, true},
	"overload":             {duotest.Fault{Status: 503}, 503, true},
	"error says OK":        {duotest.Fault{Status: 500, Body: ok}, 500, true},
	"late server error":    {duotest.Fault{Status: 200, Body: `{"stat":"FAIL","code":50000}`}, 200, true},
	"forbidden web page":   {duotest.Fault{Status: 403, Body: "<html>"}, 403, false},
	"empty refusal":        {duotest.Fault{Status: 400}, 400, false},
	"refusal says OK":      {duotest.Fault{Status: 400, Body: ok}, 400, false},
	"refusal with a 200":   {duotest.Fault{Status: 200, Body: `{"stat":"FAIL","code":40301}`}, 200, false},
	"wrong keys":           {duotest.Fault{Code: 40102}, 401, false},
	"not allowed":          {duotest.Fault{Code: 40301}, 403, false},
	"rate limit":           {duotest.Fault{Code: 42901}, 429, false},
	"rate limit, no JSON":  {duotest.Fault{Status: 429}, 429, false},
}

func TestEveryFaultOfEveryCallEndsInATypedError(t *testing.T) {
	for _, call := range calls {
		for name, tt := range faults {
			t.Run(call.name+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					svc := service("nobody", &duotest.User{})
					tt.fault.Times = -1
					svc.Break("", tt.fault)
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
					defer cancel()
					err := call.make(ctx, svc.Client())

					var e *duo.Error
					require.ErrorAs(t, err, &e)
					assert.Equal(t, call.name, e.Call)
					assert.Equal(t, tt.status, e.Status)
					assert.Equal(t, tt.unavailable, unavailable(err), err)
					assert.True(t, strings.HasPrefix(err.Error(), "duo: "+call.name+": "), err)
					if call.once && tt.status != 429 {
						assert.LessOrEqual(t, len(svc.Calls()), 1)
					}
				})
			})
		}
	}
}

func TestCallsThatWaitForNoPersonEndByThemselves(t *testing.T) {
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := new(duotest.Service)
				svc.Break("", duotest.Fault{Delay: 20 * time.Second, Code: 40001, Times: -1})
				for timeout, want := range map[time.Duration]time.Duration{
					0:               10 * time.Second,
					3 * time.Second: 3 * time.Second,
					-1:              20 * time.Second,
				} {
					client := svc.Client()
					client.Timeout = timeout
					start := time.Now()
					err := call.make(t.Context(), client)
					if waitsForAPerson(svc.Calls()[0]) {
						want = 20 * time.Second
					}
					assert.Equal(t, want, time.Since(start))
					assert.Equal(t, want < 20*time.Second, unavailable(err), err)
				}
			})
		})
	}
}

func waitsForAPerson(c duotest.Call) bool {
	return c.Path == "/auth/v2/auth_status" || c.Path == "/auth/v2/auth" && !c.Params.Has("async")
}

func TestACancelledCallIsNoOutage(t *testing.T) {
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := new(duotest.Service)
				svc.Break("", duotest.Fault{Delay: time.Hour, Times: -1})
				cause := errors.New("the user went away")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				err := call.make(ctx, svc.Client())
				require.ErrorIs(t, err, context.Canceled)
				assert.False(t, unavailable(err))

				late, stop := context.WithTimeoutCause(t.Context(), time.Second, cause)
				defer stop()
				err = call.make(late, svc.Client())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.True(t, unavailable(err))
			})
		})
	}
}

func TestUnavailable(t *testing.T) {
	assert.False(t, unavailable(nil))
	assert.False(t, unavailable(errors.New("something else")))
	assert.False(t, unavailable(context.Canceled))
	assert.False(t, unavailable(context.DeadlineExceeded))
	assert.True(t, unavailable(errors.Join(errors.New("login"), &duo.Error{Err: errors.New("no connection")})))
	assert.False(t, unavailable(&duo.Error{Status: 200, Message: "cannot be read"}))
}

func TestErrorCodesOfTheService(t *testing.T) {
	for code, want := range map[int]string{
		40001: "duo: preauth: error 40001: Missing required request parameters: username",
		40002: "duo: preauth: error 40002: Invalid request parameters: username",
		40101: "duo: preauth: error 40101: Missing request credentials: username",
		40102: "duo: preauth: error 40102: Invalid integration key in request credentials: username (check the integration key, and that it belongs to this API host)",
		40103: "duo: preauth: error 40103: Invalid signature in request credentials: username (check the secret key and the API host)",
		40104: "duo: preauth: error 40104: Missing request timestamp: username",
		40105: "duo: preauth: error 40105: Bad request timestamp: username (check the clock of this machine)",
		40106: "duo: preauth: error 40106: Invalid content type: username",
		40301: "duo: preauth: error 40301: Access forbidden: username (the keys belong to a kind of application that may not use the Auth API)",
		42901: "duo: preauth: error 42901: Too many requests: username",
		50000: "duo: preauth: error 50000: Server error: username",
	} {
		synctest.Test(t, func(t *testing.T) {
			svc := new(duotest.Service)
			svc.Break("", duotest.Fault{Code: code, Detail: "username", Times: -1})
			_, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			var e *duo.Error
			require.ErrorAs(t, err, &e)
			assert.Equal(t, code, e.Code)
			assert.Equal(t, code/100, e.Status)
			assert.Equal(t, "username", e.Detail)
			assert.NoError(t, e.Err)
			assert.EqualError(t, err, want)
			assert.Equal(t, code == 50000, unavailable(err))
		})
	}
}

func TestWrongKeysAreRefused(t *testing.T) {
	svc := new(duotest.Service)
	for code, change := range map[int]func(*duo.Client){
		duo.CodeBadIntegration: func(c *duo.Client) { c.IntegrationKey = "DIOTHER" },
		duo.CodeBadSignature:   func(c *duo.Client) { c.SecretKey = "other" },
	} {
		client := svc.Client()
		change(client)
		_, err := client.Check(t.Context())
		var e *duo.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, code, e.Code)
		assert.False(t, unavailable(err))
		_, err = client.Ping(t.Context())
		assert.NoError(t, err, "ping needs no keys")
	}
}
