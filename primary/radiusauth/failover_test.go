package radiusauth_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// took runs a login that must succeed and returns how long it took.
func took(t *testing.T, a *radiusauth.Authenticator) time.Duration {
	t.Helper()
	started := time.Now()
	_, err := a.Authenticate(t.Context(), jdoe("good"))
	assert.NoError(t, err)
	return time.Since(started)
}

func TestSilentServerCostsOneLoginItsTriesAndIsThenAskedLast(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		var log strings.Builder
		serve(t, listen(t, n, second), nil)
		a := asks(n, first, second)
		a.Logger = slog.New(slog.NewTextHandler(&log, nil))
		assert.Equal(t, 6*time.Second, took(t, a), "3 tries, 2 s each")
		assert.Zero(t, took(t, a))
		time.Sleep(29 * time.Second)
		assert.Zero(t, took(t, a))

		time.Sleep(time.Second)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var durations []time.Duration
		for range 5 {
			wg.Go(func() {
				d := took(t, a)
				mu.Lock()
				defer mu.Unlock()
				durations = append(durations, d)
			})
		}
		wg.Wait()
		assert.Equal(t, []time.Duration{0, 0, 0, 0, 2 * time.Second}, durations, "one finds out")

		back := serve(t, listen(t, n, first), nil)
		time.Sleep(29 * time.Second)
		assert.Zero(t, took(t, a))
		assert.Zero(t, back.asked())
		time.Sleep(time.Second)
		assert.Zero(t, took(t, a))
		assert.Zero(t, took(t, a))
		assert.Equal(t, 2, back.asked())
		assert.Equal(t, 2, strings.Count(log.String(), "\n"), log.String())
		assert.Contains(t, log.String(), "RADIUS server gives no reply")
		assert.Contains(t, log.String(), "RADIUS server is back")
	})
}

func TestServerThatAnswersStatusServerIsNotDown(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		silent := serve(t, listen(t, n, first), func(w radius.ResponseWriter, r *radius.Request) {
			if rfc2865.UserName_GetString(r.Packet) != "silent" {
				acceptGood(w, r)
			}
		})
		serve(t, listen(t, n, second), nil)
		a := asks(n, first, second)
		_, err := a.Authenticate(t.Context(), &primary.Request{Username: "silent", Password: "good"})
		require.NoError(t, err, "from the other")
		before := silent.asked()
		assert.Zero(t, took(t, a))
		assert.Equal(t, before+1, silent.asked())

		_, err = asks(n, first).Authenticate(t.Context(), &primary.Request{Username: "silent", Password: "good"})
		assertUnknown(t, err)
		assert.ErrorIs(t, err, radius.ErrNoReply)
		assert.ErrorContains(t, err, "it answers Status-Server, so it is there and keeps silent about this login")
	})
}

// A server that is back, but slow, must be found out by Status-Server.
func TestSlowServerIsFoundToBeBack(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		n.MinDelay, n.MaxDelay = 100*time.Millisecond, 100*time.Millisecond
		const roundTrip = 200 * time.Millisecond
		serve(t, listen(t, n, second), nil)
		a := asks(n, first, second)
		took(t, a)
		slow := serve(t, listen(t, n, first), func(w radius.ResponseWriter, r *radius.Request) {
			time.Sleep(3 * time.Second)
			acceptGood(w, r)
		})
		time.Sleep(30 * time.Second)
		assert.Equal(t, 2*time.Second+roundTrip, took(t, a), "the other answers instead")
		assert.Equal(t, 3*time.Second+roundTrip, took(t, a))
		assert.Equal(t, 2, slow.asked())
		time.Sleep(time.Second) // for what is still on its way
	})
}

func TestOnlyServerGetsAllItsTriesAlsoAfterItWasDown(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		a := asks(n, first)
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		time.Sleep(30 * time.Second)
		time.AfterFunc(3*time.Second, func() { serve(t, listen(t, n, first), nil) })
		assert.Equal(t, 4*time.Second, took(t, a))
	})
}

func TestServersShareTheTimeUntilTheDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, second), nil)
		a := asks(n, first, second)
		within := func(limit time.Duration) time.Duration {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			started := time.Now()
			_, err := a.Authenticate(ctx, jdoe("good"))
			require.NoError(t, err)
			return time.Since(started)
		}
		assert.Equal(t, time.Second, within(2*time.Second))
		assert.Equal(t, time.Second, within(2*time.Second), "a second of silence says nothing")
		assert.Equal(t, 2500*time.Millisecond, within(5*time.Second))
		assert.Zero(t, within(5*time.Second))
	})
}

func TestAllServersSilent(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		a := asks(n, first, second)
		a.Interval, a.Tries = time.Second, 2
		for range 2 {
			started := time.Now()
			_, err := a.Authenticate(t.Context(), jdoe("good"))
			assertUnknown(t, err)
			assert.ErrorIs(t, err, radius.ErrNoReply)
			assert.ErrorContains(t, err, first)
			assert.ErrorContains(t, err, second)
			assert.Equal(t, 4*time.Second, time.Since(started))
		}
		serve(t, listen(t, n, first), nil)
		assert.Zero(t, took(t, a), "both are last, so the first is asked first")
		assert.Zero(t, took(t, a))
	})
}

func TestRefusedUserIsNotTriedElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, first), nil)
		other := serve(t, listen(t, n, second), nil)
		_, err := asks(n, first, second).Authenticate(t.Context(), jdoe("bad"))
		assert.Equal(t, "192.0.2.1:1812 refused the user", requireRejection(t, err).Reason)
		assert.Zero(t, other.asked())
	})
}

// refusing is a connection to a port where nobody listens until open.
type refusing struct {
	net.Conn
	open func() bool
}

func (r refusing) Read(b []byte) (int, error) {
	if !r.open() {
		return 0, &net.OpError{Op: "read", Err: syscall.ECONNREFUSED}
	}
	return r.Conn.Read(b)
}

func TestUnreachablePort(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		started := time.Now()
		dial := n.Dialer(here)
		dialClosed := func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if address == second {
				return conn, err
			}
			return refusing{conn, func() bool { return time.Since(started) > 1500*time.Millisecond }}, err
		}
		serve(t, listen(t, n, second), nil)

		a := asks(n, first, second)
		a.DialContext = dialClosed
		assert.Zero(t, took(t, a), "with others to ask there is no need to wait")

		alone := asks(n, first)
		alone.DialContext = dialClosed
		started = time.Now()
		time.AfterFunc(1500*time.Millisecond, func() { serve(t, listen(t, n, first), nil) })
		assert.Equal(t, 2*time.Second, took(t, alone), "it is waited for until the next try")
		started = time.Now().Add(time.Hour)
		begin := time.Now()
		_, err := alone.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.Less(t, time.Since(begin), 2500*time.Millisecond, "a port that refuses is not waited for as a silent one")

		_, err = asksVia(dialClosed, first, first[:9]+":1645").Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "no reply from 192.0.2.1:1812: read: connection refused")
		assert.ErrorContains(t, err, "no reply from 192.0.2.1:1645: ")
	})
}

func asksVia(dial func(context.Context, string, string) (net.Conn, error), addresses ...string) *radiusauth.Authenticator {
	a := asks(new(radiustest.Network), addresses...)
	a.DialContext = dial
	return a
}

func TestServerThatCannotBeDialledIsAskedLast(t *testing.T) {
	for name, tt := range map[string]struct {
		resolve func(context.Context) error
		takes   time.Duration
	}{
		"no such name": {func(context.Context) error {
			return &net.DNSError{Err: "no such host", Name: "radius1.example.com", IsNotFound: true}
		}, 0},
		"name server is silent": {func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				serve(t, listen(t, n, second), nil)
				dialled := 0
				dial := n.Dialer(here)
				a := asksVia(func(ctx context.Context, network, address string) (net.Conn, error) {
					if address == second {
						return dial(ctx, network, address)
					}
					dialled++
					return nil, tt.resolve(ctx)
				}, "radius1.example.com", second)
				for _, want := range []time.Duration{tt.takes, 0} {
					ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
					started := time.Now()
					_, err := a.Authenticate(ctx, jdoe("good"))
					require.NoError(t, err)
					assert.Equal(t, want, time.Since(started))
					cancel()
				}
				assert.Equal(t, 1, dialled)
			})
		})
	}
}

func TestReturnsWhenItsContextEnds(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, second), func(_ radius.ResponseWriter, r *radius.Request) { <-r.Context().Done() })
		a := asks(n, second, first)
		for _, after := range []time.Duration{0, time.Second, 3 * time.Second} {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(after, cancel)
			started := time.Now()
			_, err := a.Authenticate(ctx, jdoe("good"))
			assertUnknown(t, err)
			assert.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, after, time.Since(started))
			synctest.Wait()
		}
	})
}

func TestHundredsOfLoginsAtOneServer(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		const logins = 1000
		server := serve(t, listen(t, n, first), func(w radius.ResponseWriter, r *radius.Request) {
			time.Sleep(5 * time.Second)
			reply := r.Response(radius.CodeAccessAccept)
			reply.Add(rfc2865.Class_Type, r.Get(rfc2865.UserName_Type))
			_ = w.Write(reply)
		})
		a := asks(n, first)
		a.PassThroughAll = true
		var wg sync.WaitGroup
		for i := range logins {
			wg.Go(func() {
				name := fmt.Sprint("user", i)
				result, err := a.Authenticate(t.Context(), &primary.Request{Username: name, Password: "x"})
				if assert.NoError(t, err) {
					assert.Equal(t, name, string(result.Attributes.Get(rfc2865.Class_Type)))
				}
			})
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, logins, server.server.Stats().InFlight)
		wg.Wait()
		assert.Equal(t, logins, server.asked(), "retransmissions are no new requests")
	})
}

func TestLossyNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &radiustest.Network{Loss: 0.3, Duplicate: 0.3, MaxDelay: 500 * time.Millisecond, Seed: 7}
		serve(t, listen(t, n, first), nil)
		a := asks(n, first)
		a.Interval, a.Tries = time.Second, 20
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				took(t, a)
				_, err := a.Authenticate(t.Context(), jdoe("bad"))
				_ = requireRejection(t, err)
			})
		}
		wg.Wait()
		time.Sleep(time.Second) // for what is still on its way
	})
}

// unsigned answers every request with an Access-Accept as servers before
// CVE-2024-3596 do.
func unsigned(conn net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		request, err := layeh.Parse(buffer[:size], []byte(secret))
		if err != nil {
			continue
		}
		if reply, err := request.Response(radius.CodeAccessAccept).Encode(); err == nil {
			_, _ = conn.WriteTo(reply, from)
		}
	}
}

func TestRepliesWithoutMessageAuthenticatorNeedPermission(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		conn := listen(t, n, first)
		defer func() { _ = conn.Close() }()
		go unsigned(conn)

		_, err := asks(n, first).Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "a reply came without Message-Authenticator (FreeRADIUS sends one from 3.2.5 on)")

		a := asks(n, first)
		a.Servers[0].Replies = radiusauth.LearnSigned
		assert.Zero(t, took(t, a))
	})
}

func TestAServerThatSignsMustGoOnSigning(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		a := asks(n, first)
		a.Servers[0].Replies = radiusauth.LearnSigned
		signing := serve(t, listen(t, n, first), nil)
		for range 21 {
			assert.Zero(t, took(t, a))
			time.Sleep(30 * time.Second)
		}
		signing.stop()

		conn := listen(t, n, first) // a forger in its place
		defer func() { _ = conn.Close() }()
		go unsigned(conn)
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "without Message-Authenticator")

		a.ForgetSigners()
		assert.Zero(t, took(t, a))
	})
}

func TestServersHaveSecretsOfTheirOwn(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, first), nil)
		a := asks(n, first)
		a.Secret, a.Servers[0].Secret = "another", secret
		assert.Zero(t, took(t, a))

		wrong := asks(n, first)
		wrong.Servers[0].Secret = "another"
		_, err := wrong.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "or the shared secrets differ")
	})
}
