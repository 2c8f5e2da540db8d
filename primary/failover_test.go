package primary_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/primary"
)

// host is an Authenticator that takes its time.
type host struct {
	takes atomic.Int64 // a time.Duration
	fails atomic.Bool
	asked atomic.Int64
}

func (h *host) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	h.asked.Add(1)
	select {
	case <-time.After(time.Duration(h.takes.Load())):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.fails.Load() {
		return nil, errors.New("out of order")
	}
	return users.Authenticate(ctx, r)
}

// twoHosts plays logins at two hosts, each with a minute for it.
func twoHosts(t *testing.T, test func(first, second *host, login func() time.Duration)) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &host{}, &host{}
		f := failover(first, second)
		test(first, second, func() time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			begin := time.Now()
			_, err := f.Authenticate(ctx, &primary.Request{Username: "jdoe", Password: "correct horse"})
			assert.NoError(t, err)
			return time.Since(begin)
		})
	})
}

func TestFailoverRemembersWhoFailed(t *testing.T) {
	twoHosts(t, func(first, second *host, login func() time.Duration) {
		first.takes.Store(int64(6 * time.Second))
		first.fails.Store(true)
		assert.Equal(t, 6*time.Second, login())
		for range 5 {
			assert.Zero(t, login(), "it is asked last")
		}
		assert.EqualValues(t, 1, first.asked.Load())

		second.fails.Store(true)
		first.fails.Store(false)
		assert.Equal(t, 6*time.Second, login(), "last is not never")
		second.fails.Store(false)
		asked := second.asked.Load()
		first.takes.Store(0)
		assert.Zero(t, login())
		assert.Equal(t, asked, second.asked.Load(), "it answered, so it is the first again")
	})
}

func TestFailoverTriesAgainByOneLogin(t *testing.T) {
	twoHosts(t, func(first, second *host, login func() time.Duration) {
		first.takes.Store(int64(time.Hour))
		assert.Equal(t, 30*time.Second, login(), "its share of the time")
		time.Sleep(30 * time.Second)
		var waited atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if took := login(); took > 0 {
					assert.Equal(t, 2*time.Second, took)
					waited.Add(1)
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, waited.Load())
		assert.Zero(t, login())

		first.takes.Store(0)
		time.Sleep(31 * time.Second)
		asked := second.asked.Load()
		login()
		login()
		assert.Equal(t, asked, second.asked.Load(), "it is back")
	})
}

func TestQuickErrorsDoNotChangeTheOrder(t *testing.T) {
	twoHosts(t, func(first, second *host, login func() time.Duration) {
		first.takes.Store(int64(900 * time.Millisecond))
		first.fails.Store(true)
		login()
		first.fails.Store(false)
		login()
		assert.EqualValues(t, 2, first.asked.Load())
		assert.EqualValues(t, 1, second.asked.Load())
	})
}

func TestAnswersDoNotChangeTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := &host{}, &host{}
		first.takes.Store(int64(5 * time.Second))
		f := failover(first, second)
		ask := func(ctx context.Context) error {
			_, err := f.Authenticate(ctx, &primary.Request{Username: "jdoe", Password: "guess"})
			return err
		}
		assert.ErrorIs(t, ask(t.Context()), primary.ErrRejected)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(2*time.Second, cancel)
		assert.ErrorIs(t, ask(ctx), context.Canceled, "the caller gave up")
		assert.ErrorIs(t, ask(t.Context()), primary.ErrRejected)
		assert.EqualValues(t, 3, first.asked.Load())
		assert.Zero(t, second.asked.Load())
	})
}

// The only one that is left gets all the time there is.
func TestTheLastOneHasNoTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		only := &host{}
		f := failover(only)
		login := func() error {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := f.Authenticate(ctx, &primary.Request{Username: "jdoe", Password: "correct horse"})
			return err
		}
		only.takes.Store(int64(time.Hour))
		assert.Error(t, login())
		only.takes.Store(int64(5 * time.Second))
		assert.NoError(t, login(), "asked last is asked all the same")
		only.takes.Store(int64(time.Hour))
		assert.Error(t, login())
		time.Sleep(time.Minute)
		only.takes.Store(int64(5 * time.Second))
		assert.NoError(t, login())
	})
}
