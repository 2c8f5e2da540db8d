package duo_test

import (
	"context"
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

var push = &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush}

func TestRateLimitIsWaitedFor(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		want   time.Duration // and up to a second
	}{
		"seconds":           {http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"X- seconds":        {http.Header{"X-Retry-After": {"9"}}, 9 * time.Second},
		"both":              {http.Header{"Retry-After": {"7"}, "X-Retry-After": {"9"}}, 7 * time.Second},
		"date":              {http.Header{"Retry-After": {"Sat, 01 Jan 2000 01:00:05 GMT"}}, 5 * time.Second},
		"X- date":           {http.Header{"X-Retry-After": {"Sat, 01 Jan 2000 01:00:05 GMT"}}, 5 * time.Second},
		"date, no clock":    {http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:05 GMT"}, "Date": nil}, 5 * time.Second},
		"date in the past":  {http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:59:00 GMT"}}, time.Second},
		"nothing":           {nil, time.Second},
		"nothing that fits": {http.Header{"Retry-After": {"soon"}}, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The bubble begins at midnight, the service is an hour ahead.
				svc := service("jdoe", &duotest.User{})
				client := svc.Client()
				svc.Skew = time.Hour
				_, err := client.Ping(t.Context())
				require.NoError(t, err)
				svc.Break("/auth/v2/auth", duotest.Fault{Code: 42901, Header: tt.header})
				start := time.Now()
				r, err := client.Auth(t.Context(), push)
				require.NoError(t, err)
				assert.True(t, r.Allowed())
				assert.GreaterOrEqual(t, time.Since(start), tt.want)
				assert.Less(t, time.Since(start), tt.want+time.Second)
			})
		})
	}
}

func TestRepeatedRequestsAreWholeAndSignedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		svc.Break("/auth/v2/auth", duotest.Fault{Code: 42901, Times: 3})
		_, err := svc.Client().Auth(t.Context(), push)
		require.NoError(t, err)
		calls := svc.Calls()
		require.Len(t, calls, 4)
		for i, c := range calls[1:] {
			assert.Equal(t, calls[0].Params, c.Params)
			assert.NotEqual(t, calls[i].Header["X-Duo-Date"], c.Header["X-Duo-Date"])
			assert.NotEqual(t, calls[i].Header["Authorization"], c.Header["Authorization"])
		}
	})
}

func TestPausesGrowAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := new(duotest.Service)
		svc.Break("", duotest.Fault{Code: 42901, Times: -1})
		client := svc.Client()
		client.Timeout = -1
		_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.Error(t, err)
		calls := svc.Calls()
		require.Len(t, calls, 7)
		for i, c := range calls[1:] {
			pause := c.Time.Sub(calls[i].Time)
			assert.GreaterOrEqual(t, pause, time.Second<<i)
			assert.Less(t, pause, time.Second<<i+time.Second)
		}
	})
}

func TestRateLimitThatOutlastsTheLoginEndsItAtOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		after   string
		timeout time.Duration
	}{
		"the caller's deadline comes first": {"20", 15 * time.Second},
		"longer than anybody waits":         {"3600", 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := new(duotest.Service)
				svc.Break("", duotest.Fault{Code: 42901, Header: http.Header{"Retry-After": {tt.after}}})
				ctx, cancel := context.WithTimeout(t.Context(), tt.timeout)
				defer cancel()
				start := time.Now()
				_, err := svc.Client().Preauth(ctx, &duo.PreauthRequest{Username: "jdoe"})
				var e *duo.Error
				require.ErrorAs(t, err, &e)
				assert.Equal(t, duo.CodeTooManyRequests, e.Code)
				assert.False(t, unavailable(err))
				assert.Zero(t, time.Since(start))
			})
		})
	}
}

func TestCancellingEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := new(duotest.Service)
		svc.Break("", duotest.Fault{Code: 42901, Header: http.Header{"Retry-After": {"20"}}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		client := svc.Client()
		client.Timeout = -1
		start := time.Now()
		_, err := client.Check(ctx)
		require.Error(t, err)
		assert.False(t, unavailable(err))
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestBrokenConnectionsAreReplaced(t *testing.T) {
	for _, call := range calls {
		t.Run(call.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := service("jdoe", &duotest.User{})
				svc.Break("", duotest.Fault{Refuse: true, Times: 2}, duotest.Fault{Code: 40001, Detail: "reached"})
				err := call.make(t.Context(), svc.Client())
				assert.ErrorContains(t, err, "reached", "before the request was sent")

				svc.Break("", duotest.Fault{Reset: true}, duotest.Fault{Code: 40001, Detail: "reached"})
				err = call.make(t.Context(), svc.Client())
				if call.once {
					assert.ErrorContains(t, err, "connection reset")
					assert.True(t, unavailable(err))
				} else {
					assert.ErrorContains(t, err, "reached", "after the request was sent")
				}
			})
		})
	}
}

// withoutTrace is a transport that does not know net/http/httptrace.
type withoutTrace struct{ http.RoundTripper }

func (w withoutTrace) RoundTrip(r *http.Request) (*http.Response, error) {
	return w.RoundTripper.RoundTrip(r.WithContext(noValues{r.Context()}))
}

type noValues struct{ context.Context }

func (noValues) Value(any) any { return nil }

func TestAPushIsNotRepeatedWhereNobodyKnowsWhetherItWasSent(t *testing.T) {
	svc := service("jdoe", &duotest.User{})
	client := svc.Client()
	client.HTTPClient = &http.Client{Transport: withoutTrace{svc}}
	svc.Break("", duotest.Fault{Refuse: true})
	_, err := client.Auth(t.Context(), push)
	assert.True(t, unavailable(err))
	assert.Empty(t, svc.Calls())
}

func TestAMachineWithAWrongClockLogsIn(t *testing.T) {
	for _, skew := range []time.Duration{-24 * 365 * time.Hour, -time.Hour, -4 * time.Minute, 0, time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := service("jdoe", phone(duotest.After(42*time.Second, duotest.Approve)))
				svc.Skew = skew
				client := svc.Client()
				login := func() (calls int) {
					before := len(svc.Calls())
					_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
					require.NoError(t, err)
					r, err := client.Auth(t.Context(), push)
					require.NoError(t, err)
					assert.True(t, r.Allowed())
					return len(svc.Calls()) - before
				}
				learnt := 0
				if skew.Abs() > 5*time.Minute {
					learnt = 1
				}
				assert.Equal(t, 2+learnt, login(), "one call to learn the time")
				assert.Equal(t, 2, login(), "and none later")

				svc.Skew = 0 // the clock of this machine was set
				assert.Equal(t, 2+learnt, login())
				assert.Equal(t, 2, login())
			})
		})
	}
}

func TestPingLearnsTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Skew: time.Hour}
		client := svc.Client()
		_, err := client.Ping(t.Context())
		require.NoError(t, err)
		_, err = client.Check(t.Context())
		require.NoError(t, err)
		assert.Len(t, svc.Calls(), 2)
	})
}

func TestTheTimeIsAskedForWhereTheRefusalDoesNotTellIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &duotest.Service{Skew: time.Hour}
		svc.Break("/auth/v2/check", duotest.Fault{Code: 40105, Header: http.Header{"Date": nil}})
		_, err := svc.Client().Check(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, svc.Count("/auth/v2/ping"))
	})
}

func TestAClockThatNothingHelpsIsAnError(t *testing.T) {
	for _, header := range []http.Header{nil, {"Date": nil}} {
		synctest.Test(t, func(t *testing.T) {
			svc := new(duotest.Service)
			svc.Break("", duotest.Fault{Code: 40105, Header: header, Times: -1})
			_, err := svc.Client().Check(t.Context())
			require.ErrorContains(t, err, "check the clock of this machine")
			assert.False(t, unavailable(err))
			assert.LessOrEqual(t, len(svc.Calls()), 3)
			_, err = svc.Client().Ping(t.Context())
			assert.Error(t, err)
		})
	}
}

func TestErrorsDoNotHoldURLs(t *testing.T) {
	svc := new(duotest.Service)
	svc.Break("", duotest.Fault{Reset: true, Times: -1})
	_, err := svc.Client().AuthStatus(t.Context(), "some-transaction")
	require.Error(t, err)
	assert.False(t, strings.Contains(err.Error(), "some-transaction") || strings.Contains(err.Error(), "https:"), err)
}
