package radiusauth_test

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
)

const (
	firstTLS  = "192.0.2.1:2083"
	secondTLS = "192.0.2.2:2083"
	ownName   = "mfa.example.com"
)

// tlsWorld is a network of streams in memory with RADIUS servers.
type tlsWorld struct {
	*testing.T
	network *radsectest.Network
	ca      *radsectest.CA
}

func tlsBubble(t *testing.T, test func(t *testing.T, w *tlsWorld)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, &tlsWorld{t, new(radsectest.Network), radsectest.NewCA(t)}) })
}

// asks returns an Authenticator of these servers.
func (w *tlsWorld) asks(addresses ...string) *radiusauth.Authenticator {
	a := &radiusauth.Authenticator{DialContext: w.network.Dialer(here), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, address := range addresses {
		a.Servers = append(a.Servers, radiusauth.Server{Address: address, TLS: w.ca.Config(ownName)})
	}
	w.Cleanup(func() { assert.NoError(w, a.Close()) })
	return a
}

// serve starts a server; the function stops it.
func (w *tlsWorld) serve(address string, handler radius.HandlerFunc) (*radius.Server, func()) {
	w.Helper()
	clients, err := radius.NewClients(radius.Client{TLSName: ownName})
	require.NoError(w, err)
	server := &radius.Server{Clients: clients, Handler: handler, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	listener, err := w.network.Listen(address)
	require.NoError(w, err)
	host, _, _ := net.SplitHostPort(address)
	config := w.ca.Config(host)
	ended := make(chan error)
	go func() { ended <- server.ServeTLS(listener, config) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			_ = server.Close()
			assert.Equal(w, radius.ErrServerClosed, <-ended)
		})
	}
	w.Cleanup(stop)
	return server, stop
}

func TestTLSAsksOnOneConnection(t *testing.T) {
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		server, _ := w.serve(firstTLS, acceptGood)
		a := w.asks("192.0.2.1")
		for range 300 {
			_, err := a.Authenticate(t.Context(), jdoe("good"))
			require.NoError(t, err)
			_, err = a.Authenticate(t.Context(), jdoe("bad"))
			require.ErrorIs(t, err, primary.ErrRejected)
		}
		assert.Equal(t, 1, server.Stats().Connections)
		statuses, err := a.Check(t.Context())
		require.NoError(t, err)
		assert.Equal(t, "192.0.2.1:2083: answers Status-Server; answers logins", statuses[0].String())

		require.NoError(t, a.Close())
		_, err = a.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
	})
}

func TestTLSAsksTheNextServer(t *testing.T) {
	silent := func(radius.ResponseWriter, *radius.Request) {}
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		a := w.asks(firstTLS, secondTLS)
		second, _ := w.serve(secondTLS, acceptGood)
		login := func() time.Duration {
			began := time.Now()
			_, err := a.Authenticate(t.Context(), jdoe("good"))
			require.NoError(t, err)
			return time.Since(began)
		}
		assert.Zero(t, login(), "the first refuses")
		first, stop := w.serve(firstTLS, acceptGood)
		assert.Zero(t, login(), "and is asked last for a while")
		assert.EqualValues(t, 2, second.Stats().Handled)
		time.Sleep(time.Minute)
		assert.Zero(t, login(), "it is back")
		assert.EqualValues(t, 1, first.Stats().Handled)

		stop()
		synctest.Wait()
		assert.Zero(t, login(), "its connection is closed")
		_, stop = w.serve(firstTLS, silent)
		time.Sleep(time.Minute)
		login() // tries it
		first, _ = func() (*radius.Server, func()) { stop(); return w.serve(firstTLS, acceptGood) }()
		time.Sleep(time.Minute)
		login()
		assert.EqualValues(t, 1, first.Stats().Handled)
	})
}

// A restart of the only server costs no login.
func TestTLSServerThatRestarts(t *testing.T) {
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		a := w.asks(firstTLS)
		_, stop := w.serve(firstTLS, acceptGood)
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		require.NoError(t, err)
		stop()
		synctest.Wait()
		go func() {
			time.Sleep(1500 * time.Millisecond)
			w.serve(firstTLS, acceptGood)
		}()
		_, err = a.Authenticate(t.Context(), jdoe("good"))
		require.NoError(t, err)
	})
}

// A request in flight when the connection breaks goes to the same server again, or
// to the next.
func TestTLSConnectionThatBreaks(t *testing.T) {
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		a := w.asks(firstTLS, secondTLS)
		slow := func(rw radius.ResponseWriter, r *radius.Request) {
			select {
			case <-time.After(3 * time.Second):
				acceptGood(rw, r)
			case <-r.Context().Done():
			}
		}
		_, stop := w.serve(firstTLS, slow)
		w.serve(secondTLS, acceptGood)
		go func() {
			time.Sleep(time.Second)
			stop()
		}()
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		require.NoError(t, err)
	})
}

func TestTLSServerThatIsStuck(t *testing.T) {
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		a := w.asks(firstTLS, secondTLS)
		w.serve(secondTLS, acceptGood)
		listener, err := w.network.Listen(firstTLS) // which nobody accepts from
		require.NoError(t, err)
		defer func() { _ = listener.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				_, err := a.Authenticate(ctx, jdoe("good"))
				assert.NoError(t, err)
			})
		}
		wg.Wait()
		began := time.Now()
		_, err = a.Authenticate(t.Context(), jdoe("good"))
		require.NoError(t, err)
		assert.Zero(t, time.Since(began), "it is asked last now")
	})
}

func TestTLSAnswersGoToTheServerThatAsked(t *testing.T) {
	challenges := func(rw radius.ResponseWriter, r *radius.Request) {
		if rfc2865.State_GetString(r.Packet) == "state" {
			acceptGood(rw, r)
			return
		}
		replies(radius.CodeAccessChallenge, attr(rfc2865.State_Type, "state"))(rw, r)
	}
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		a := w.asks(firstTLS, secondTLS)
		second, _ := w.serve(secondTLS, challenges)
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		challenge := requireChallenge(t, err)
		w.serve(firstTLS, acceptGood)
		r := jdoe("good")
		r.State = challenge.State
		_, err = a.Authenticate(t.Context(), r)
		require.NoError(t, err)
		assert.EqualValues(t, 2, second.Stats().Handled)
	})
}

func TestTLSFieldsAreNamed(t *testing.T) {
	config := radsectest.NewCA(t).Config(ownName)
	for want, c := range map[string]*tls.Config{
		"radiusauth: Servers[0]: TLS has no RootCAs":     {Certificates: config.Certificates},
		"radiusauth: Servers[0]: TLS has no certificate": {RootCAs: config.RootCAs},
	} {
		a := &radiusauth.Authenticator{Servers: []radiusauth.Server{{Address: "radius1.example.com", TLS: c}}}
		assert.ErrorContains(t, a.Validate(), want)
	}
}

// A server with another name, or of another CA, gets no password.
func TestTLSServersAreVerified(t *testing.T) {
	tlsBubble(t, func(t *testing.T, w *tlsWorld) {
		server, _ := w.serve(firstTLS, acceptGood)
		a := w.asks(firstTLS, firstTLS)
		a.Servers[0].TLS.ServerName = "radius1.example.com"
		a.Servers = a.Servers[:1]
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "radius1.example.com")

		a = w.asks(firstTLS)
		a.Servers[0].TLS.RootCAs = radsectest.NewCA(t).Pool
		_, err = a.Authenticate(t.Context(), jdoe("good"))
		assertUnknown(t, err)
		assert.ErrorContains(t, err, "unknown authority")
		assert.Zero(t, server.Stats().Handled)
	})
}

// loginsOverTLS tries users of freeradiustest.
func loginsOverTLS(t *testing.T, address string, config *tls.Config) {
	t.Helper()
	a := &radiusauth.Authenticator{Servers: []radiusauth.Server{{Address: address, TLS: config}}, PassThroughAll: true, Interval: time.Second, Tries: 5}
	defer func() { assert.NoError(t, a.Close()) }()
	authenticate := func(username, password string, state []byte) (*primary.Result, error) {
		return a.Authenticate(t.Context(), &primary.Request{Username: username, Password: radius.Secret(password), State: state})
	}
	result, err := authenticate("alice", "alice-pw", nil)
	require.NoError(t, err)
	assert.Equal(t, "vpn-full", string(result.Attributes.Get(rfc2865.FilterID_Type)))
	_, err = authenticate("bob", "bob-pw", nil)
	assert.Equal(t, "bob is not allowed", requireRejection(t, err).Message)
	_, err = authenticate("chal", "any", nil)
	challenge := requireChallenge(t, err)
	_, err = authenticate("chal", freeradiustest.ChallengeAnswer, challenge.State)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			_, err := authenticate("jdoe", "jdoe-pw", nil)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	_, err = authenticate("slow", "slow-pw", nil)
	require.NoError(t, err)
	_, err = authenticate("silent", "silent-pw", nil)
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "it answers Status-Server")
}

func TestTLSWithFreeRADIUS(t *testing.T) {
	ca := radsectest.NewCA(t)
	files := ca.Write("localhost", "127.0.0.1")
	server := freeradiustest.Start(t, freeradiustest.Config{TLS: &files})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(server.Log())
		}
	})
	loginsOverTLS(t, server.TLSAddr, ca.Config(ownName))
}

func TestTLSWithFreeRADIUSRestarted(t *testing.T) {
	ca := radsectest.NewCA(t)
	files := ca.Write("localhost")
	server := freeradiustest.Start(t, freeradiustest.Config{TLS: &files})
	_, port, err := net.SplitHostPort(server.TLSAddr)
	require.NoError(t, err)
	a := &radiusauth.Authenticator{Servers: []radiusauth.Server{{Address: "localhost:" + port, TLS: ca.Config(ownName)}}}
	defer func() { assert.NoError(t, a.Close()) }()
	for range 2 {
		_, err := a.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "jdoe-pw"})
		require.NoError(t, err)
		server.Restart()
	}
}

func TestTLSWithRadsecproxy(t *testing.T) {
	ca := radsectest.NewCA(t)
	server := freeradiustest.Start(t, freeradiustest.Config{})
	proxy := radsectest.Proxy{Files: ca.Write("localhost", "127.0.0.1"), Upstream: server.Addr,
		Secret: string(server.Secret), ClientName: ownName}.Start(t)
	loginsOverTLS(t, proxy, ca.Config(ownName))
}
