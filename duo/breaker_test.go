package duo_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		client := svc.Client()
		var states []string
		client.OnBreaker = func(open bool, cause error) {
			if open {
				assert.True(t, duo.IsUnavailable(cause))
				states = append(states, "open")
			} else {
				assert.NoError(t, cause)
				states = append(states, "closed")
			}
		}
		preauth := func(ctx context.Context) (time.Duration, error) {
			start := time.Now()
			_, err := client.Preauth(ctx, &duo.PreauthRequest{Username: "jdoe"})
			return time.Since(start), err
		}
		fails := func(want time.Duration) {
			t.Helper()
			took, err := preauth(t.Context())
			assert.True(t, duo.IsUnavailable(err), err)
			assert.Equal(t, want, took)
		}
		svc.Break("/auth/v2/preauth", duotest.Fault{Delay: time.Hour, Times: -1})

		// An outage costs the first logins their whole timeout, then none.
		for range 3 {
			fails(10 * time.Second)
		}
		assert.Equal(t, []string{"open"}, states)
		for range 100 {
			fails(0)
		}
		assert.Equal(t, 3, svc.Count("/auth/v2/preauth"))

		// After some seconds one login finds out; the others need not wait for it.
		time.Sleep(5 * time.Second)
		probe := make(chan struct{})
		go func() {
			defer close(probe)
			fails(10 * time.Second)
		}()
		synctest.Wait()
		for range 100 {
			fails(0)
		}
		<-probe
		fails(0)
		assert.Equal(t, 4, svc.Count("/auth/v2/preauth"))

		// One that is cancelled finds out nothing, and the next one tries.
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		time.AfterFunc(time.Millisecond, cancel)
		_, err := preauth(ctx)
		require.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, []string{"open"}, states)

		// Any answer ends the outage, also a refusal.
		svc.Repair()
		svc.Break("/auth/v2/preauth", duotest.Fault{Code: 40301})
		_, err = preauth(t.Context())
		require.Error(t, err)
		assert.Equal(t, []string{"open", "closed"}, states)
		_, err = preauth(t.Context())
		require.NoError(t, err)
	})
}

func TestOutagesAreCountedInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := service("jdoe", &duotest.User{})
		client := svc.Client()
		client.OnBreaker = func(bool, error) { t.Error("two failures in a row are not three") }
		for range 10 {
			svc.Break("", duotest.Fault{Status: 503, Times: 2})
			for _, fails := range []bool{true, true, false} {
				_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
				assert.Equal(t, fails, duo.IsUnavailable(err))
			}
		}
		late, cancel := context.WithTimeout(t.Context(), -time.Second)
		defer cancel()
		for range 10 { // says nothing of the service
			_, err := client.Preauth(late, &duo.PreauthRequest{Username: "jdoe"})
			assert.True(t, duo.IsUnavailable(err))
		}
	})
}

func TestOnlyPreauthHasABreaker(t *testing.T) {
	svc := service("jdoe", &duotest.User{})
	client := svc.Client()
	svc.Break("", duotest.Fault{Status: 503, Times: 3})
	for range 3 {
		_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.Error(t, err)
	}
	_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.ErrorContains(t, err, "the service was unavailable a moment ago: duo: preauth: HTTP status 503")
	r, err := client.Auth(t.Context(), push)
	require.NoError(t, err)
	assert.True(t, r.Allowed())
}

func TestAPanicOfTheTransportDoesNotStickInTheBreaker(t *testing.T) {
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
		svc.Break("", duotest.Fault{Status: 503, Times: 3})
		preauth := func() error {
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			return err
		}
		for range 3 {
			require.Error(t, preauth())
		}
		time.Sleep(5 * time.Second)
		panics = true
		assert.Panics(t, func() { _ = preauth() })
		panics = false
		assert.NoError(t, preauth())
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
