package ldapauth

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/radius"
)

// inBubble runs a test with fake time and two hosts, a:389 and b:389.
func inBubble(t *testing.T, test func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory)) {
	synctest.Test(t, func(t *testing.T) {
		a, b := fakeDirectory(), fakeDirectory()
		test(t, fakeAuth(t, network{"a:389": a, "b:389": b}), a, b)
	})
}

func TestWrongPasswordIsNotTakenToTheNextHost(t *testing.T) {
	inBubble(t, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
		requireRejection(t, login(t, auth, "jdoe", "wrong"))
		requireRejection(t, login(t, auth, "ghost", "wrong"))
		assert.Zero(t, b.Dialed.Load())
	})
}

func TestNextHostIsAsked(t *testing.T) {
	always := func(answer ldapauthtest.Result) func(string, string) *ldapauthtest.Result {
		return func(string, string) *ldapauthtest.Result { return &answer }
	}
	for name, breakHost := range map[string]func(*Authenticator, *ldapauthtest.Directory){
		"on connect failure":               func(_ *Authenticator, a *ldapauthtest.Directory) { a.Down.Store(true) },
		"on a timeout":                     func(_ *Authenticator, a *ldapauthtest.Directory) { a.Hung.Store(true) },
		"when it cannot be reached at all": func(auth *Authenticator, _ *ldapauthtest.Directory) { auth.Hosts[0] = "blackhole" },
		"on a failed service bind":         func(_ *Authenticator, a *ldapauthtest.Directory) { a.OnBind = always(ldapauthtest.Result{Code: 49}) },
		"when the service account must change its password": func(_ *Authenticator, a *ldapauthtest.Directory) {
			a.OnBind = always(ldapauthtest.Result{Policy: policyError(2)})
		},
		"when busy": func(_ *Authenticator, a *ldapauthtest.Directory) { a.OnBind = always(ldapauthtest.Result{Code: 51}) },
		"when unavailable": func(_ *Authenticator, a *ldapauthtest.Directory) {
			a.OnSearch = func(string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: 52} }
		},
		"when users cannot bind": func(_ *Authenticator, a *ldapauthtest.Directory) {
			a.OnBind = func(name, _ string) *ldapauthtest.Result {
				return unless(name == serviceDN, ldapauthtest.Result{Code: 51})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
				breakHost(auth, a)
				start := time.Now()
				require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
				assert.LessOrEqual(t, time.Since(start), DefaultTimeout)
				start = time.Now()
				require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
				assert.Zero(t, time.Since(start), "a host that failed is asked last")
			})
		})
	}
}

func TestFailedHostGetsItsPlaceBackByOneLogin(t *testing.T) {
	inBubble(t, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
		a.Hung.Store(true)
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		dialed := a.Dialed.Load()

		time.Sleep(demotion + time.Second)
		var wg sync.WaitGroup
		slow := make(chan time.Duration, 10)
		for range 10 {
			wg.Go(func() {
				start := time.Now()
				assert.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
				slow <- time.Since(start)
			})
		}
		wg.Wait()
		close(slow)
		var waited int
		for d := range slow {
			if d > 0 {
				waited++
			}
		}
		assert.Equal(t, 1, waited)
		assert.Equal(t, dialed+1, a.Dialed.Load())

		a.Hung.Store(false)
		time.Sleep(demotion + time.Second)
		searches := b.Searches.Load()
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Equal(t, searches, b.Searches.Load())
	})
}

func TestTroubleWithOneUserIsNotHeldAgainstTheHost(t *testing.T) {
	inBubble(t, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
		a.OnSearch = func(_, filter string) *ldapauthtest.Result {
			return unless(filter != "(uid=strange)", ldapauthtest.Result{Code: 80})
		}
		requireRejection(t, login(t, auth, "strange", "strange-pw"))
		assert.Positive(t, b.Searches.Load(), "another host may know better")
		searches := b.Searches.Load()
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Equal(t, searches, b.Searches.Load())
	})
}

func TestEachHostGetsItsShareOfTheDeadline(t *testing.T) {
	inBubble(t, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
		a.Hung.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		_, err := auth.Authenticate(ctx, request("jdoe", "jdoe-pw"))
		require.NoError(t, err)
	})
}

func TestDeadDirectoryIsAnErrorAndNoRejection(t *testing.T) {
	inBubble(t, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
		a.Down.Store(true)
		b.Down.Store(true)
		start := time.Now()
		err := login(t, auth, "jdoe", "jdoe-pw")
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "a:389")
		assert.ErrorContains(t, err, "b:389")
		assert.InDelta(t, DefaultTimeout.Seconds(), time.Since(start).Seconds(), 1)

		start = time.Now()
		assertUnknown(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Zero(t, time.Since(start), "a directory that stays away is not waited for")
	})
}

func TestRestartCostsNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		auth := fakeAuth(t, network{"a:389": f})
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		f.Down.Store(true)
		f.CloseConns()
		time.AfterFunc(3*time.Second, func() { f.Down.Store(false) })
		start := time.Now()
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.LessOrEqual(t, time.Since(start), 5*time.Second)
	})
}

func TestDeadIdleConnectionIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		auth := fakeAuth(t, network{"a:389": f})
		for range 3 {
			require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
			f.CloseConns() // not seen before it is used, or seen: both happen
		}
		synctest.Wait()
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
	})
}

func TestHungDirectoryIsLeftWhenCtxEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		auth := fakeAuth(t, network{"a:389": f})
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		f.Hung.Store(true)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		_, err := auth.Authenticate(ctx, request("jdoe", "jdoe-pw"))
		assertUnknown(t, err)
		assert.ErrorIs(t, err, context.Canceled)
		assert.ErrorContains(t, err, `search below "dc=example,dc=com": no answer in time`)
		assert.Equal(t, time.Second, time.Since(start))
		synctest.Wait()
		assert.Zero(t, f.Open.Load())

		// The caller gave up, so the host is not held for dead.
		f.Hung.Store(false)
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
	})
}

func TestHungDirectoryTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		auth := fakeAuth(t, network{"a:389": f})
		auth.Timeout = 3 * time.Second
		f.Hung.Store(true)
		start := time.Now()
		assertUnknown(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Equal(t, 3*time.Second, time.Since(start))
		synctest.Wait()
		assert.Zero(t, f.Open.Load())
	})
}

func TestConnectionsAreBoundedAndIdleOnesClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		f.OnSearch = func(string, string) *ldapauthtest.Result { time.Sleep(time.Second); return nil }
		auth := fakeAuth(t, network{"a:389": f})
		auth.MaxConns, auth.Timeout = 2, time.Minute
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() { assert.NoError(t, login(t, auth, "jdoe", "jdoe-pw")) })
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		for open := true; open; {
			select {
			case <-done:
				open = false
			case <-time.After(100 * time.Millisecond):
				assert.LessOrEqual(t, f.Open.Load(), int64(4))
			}
		}
		time.Sleep(DefaultIdleTimeout / 2)
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		synctest.Wait()
		assert.Positive(t, f.Open.Load())
		time.Sleep(DefaultIdleTimeout/2 + time.Second)
		synctest.Wait()
		assert.EqualValues(t, 2, f.Open.Load(), "the two used last are kept")
		time.Sleep(DefaultIdleTimeout)
		synctest.Wait()
		assert.Zero(t, f.Open.Load())
	})
}

func TestWaitingForAConnectionEndsWithCtx(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		f.OnSearch = func(string, string) *ldapauthtest.Result { time.Sleep(5 * time.Second); return nil }
		auth := fakeAuth(t, network{"a:389": f})
		auth.MaxConns = 1
		go func() { _, _ = auth.Authenticate(context.Background(), request("jdoe", "jdoe-pw")) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := auth.Authenticate(ctx, request("jdoe", "jdoe-pw"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "MaxConns")
		time.Sleep(10 * time.Second)
	})
}

func TestCloseEndsIdleConnectionsAndLaterLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		auth := fakeAuth(t, network{"a:389": f})
		auth.Timeout = time.Second
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		require.NoError(t, auth.Close())
		synctest.Wait()
		assert.Zero(t, f.Open.Load())
		start := time.Now()
		err := login(t, auth, "jdoe", "jdoe-pw")
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "closed")
		assert.Zero(t, time.Since(start))
	})
}

func TestManyLoginsAtOnceGetTheirOwnAnswers(t *testing.T) {
	var people []ldapauthtest.Entry
	names := []string{"u1", "u2", "u3", "u4", "u5"}
	for _, n := range names {
		people = append(people, person(n, "description="+n))
	}
	f := fakeDirectory(people...)
	auth := fakeAuth(t, network{"a:389": f})
	auth.MaxConns = 3
	auth.Reply = []ReplyAttribute{{Type: 11, Attribute: "description"}}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			name := names[i%len(names)]
			if i%3 == 0 {
				_, err := auth.Authenticate(t.Context(), request(name, "wrong"))
				assert.ErrorIs(t, err, primary.ErrRejected)
				return
			}
			result, err := auth.Authenticate(t.Context(), request(name, name+"-pw"))
			if assert.NoError(t, err) {
				assert.Equal(t, name, string(result.Attributes.Get(11)))
			}
		})
	}
	wg.Wait()
}

// A panic of a caller's function must not cost a connection of the pool.
func TestAPanicCostsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		auth := fakeAuth(t, network{"a:389": fakeDirectory(person("alice", "mail=x"))})
		auth.MaxConns = 1
		auth.Reply = []ReplyAttribute{{Type: 25, Attribute: "mail", Encode: func(string) (radius.Attribute, error) { panic("oops") }}}
		for range 3 {
			assert.Panics(t, func() { _ = login(t, auth, "alice", "alice-pw") })
		}
		assert.Error(t, login(t, auth, "nobody", "x"), "there is a connection")
	})
}

// A firewall on the way has forgotten an idle connection.
func TestASilentIdleConnectionCostsPartOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakeDirectory()
		auth := fakeAuth(t, network{"a:389": f})
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		f.Hung.Store(true) // those that are open
		time.AfterFunc(time.Second, func() { f.Hung.Store(false) })
		begin := time.Now()
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Less(t, time.Since(begin), 8*time.Second)
	})
}
