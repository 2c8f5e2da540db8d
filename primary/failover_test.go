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
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
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

// changer is an Authenticator whose only user must change the password "old".
type changer struct{ users primarytest.Users }

func (c changer) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	result, err := c.users.Authenticate(ctx, r)
	if err == nil && r.Password == "old" {
		return nil, &primary.Rejection{Message: "Change it.", MustChange: &primary.MustChange{Result: result, State: []byte("inner")}}
	}
	return result, err
}

func (c changer) ChangePassword(ctx context.Context, r *primary.Request, newPassword radius.Secret) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case string(r.State) != "inner" || r.Password != c.users[r.Username]:
		return &primary.Rejection{Reason: "another's"}
	case len(newPassword) < 8:
		return &primary.Rejection{MustChange: &primary.MustChange{State: r.State, MinLength: 8}}
	}
	c.users[r.Username] = newPassword
	return nil
}

func TestFailoverChangesThePasswordWhereItMust(t *testing.T) {
	f := failover(down, failover(down, changer{primarytest.Users{"jdoe": "old"}}))
	request := &primary.Request{Username: "jdoe", Password: "old"}
	_, err := f.Authenticate(t.Context(), request)
	var rejection *primary.Rejection
	require.ErrorAs(t, err, &rejection)
	require.NotNil(t, rejection.MustChange)
	assert.Equal(t, "Change it.", rejection.Message)

	request.State = rejection.MustChange.State
	require.ErrorAs(t, f.ChangePassword(t.Context(), request, "short"), &rejection)
	assert.Equal(t, 8, rejection.MustChange.MinLength)
	assert.Equal(t, request.State, rejection.MustChange.State)
	require.NoError(t, f.ChangePassword(t.Context(), request, "long enough"))
	_, err = f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "long enough"})
	require.NoError(t, err)

	for _, state := range []string{"", "\x00inner", "\x09inner", "\x01\x00inner"} {
		request.State = []byte(state)
		assert.Error(t, f.ChangePassword(t.Context(), request, "long enough"), "%q", state)
	}
}

func TestFailoverKeepsTheContractOfPasswordChanger(t *testing.T) {
	primarytest.TestPasswordChanger(t, primarytest.Change{
		Changer:  failover(down, changer{primarytest.Users{"jdoe": "old"}}),
		Username: "jdoe", Password: "old", New: "long enough", Refused: "short",
	})
}

func TestFailoverPromisesNoChangeThatCannotBeMade(t *testing.T) {
	f := failover(primary.AuthenticatorFunc(changer{primarytest.Users{"jdoe": "old"}}.Authenticate))
	_, err := f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "old"})
	var rejection *primary.Rejection
	require.ErrorAs(t, err, &rejection)
	assert.Nil(t, rejection.MustChange)
	assert.Equal(t, "Change it.", rejection.Message)
}
