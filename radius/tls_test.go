package radius_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
)

func TestTLSAnswersRequests(t *testing.T) {
	var from net.Addr
	var client *radius.Client
	server := &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
		from, client = r.RemoteAddr, radius.ClientOf(r.Context())
		accept(w, r)
	})}
	tlsTest(t, server, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config("VPN1.example.com"))
		request := newRequest(t, "nemo", with(proxyStateType, strings.Repeat("x", 200)))
		nas.send(request)
		p := nas.reply(request)
		assert.Equal(t, "Welcome nemo", rfc2865.ReplyMessage_GetString(p))
		assert.Len(t, p.Get(proxyStateType), 200)
		assert.Equal(t, nasName, client.String())
		assert.Equal(t, "tcp", from.Network())
		assert.True(t, strings.HasPrefix(from.String(), nasIP+":"), from)

		status := sign(statusServer(t))
		nas.send(status)
		assert.Equal(t, radius.CodeAccessAccept, nas.reply(status).Code)
		stats := l.server.Stats()
		assert.EqualValues(t, 1, stats.Handled)
		assert.EqualValues(t, 1, stats.Statuses)
		assert.Equal(t, 1, stats.Connections)
		assert.Empty(t, l.log.lines(t))
	})
}

func TestTLSPacketsAreCutByTheirLength(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		first, second := newRequest(t, "first", identified(1)), newRequest(t, "second", identified(2))
		for _, b := range first[:len(first)-1] {
			nas.send([]byte{b})
		}
		nas.send(first[len(first)-1:], second, sign(statusServer(t)))
		for range 3 {
			<-nas.replies
		}
		assert.EqualValues(t, 2, l.server.Stats().Handled)
	})
}

func TestTLSStatusIsAnsweredWhilePushesWait(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(42 * time.Second)}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		var requests [][]byte
		for i := range 200 {
			requests = append(requests, newRequest(t, "nemo", identified(byte(i))))
		}
		nas.send(requests...)
		began := time.Now()
		status := sign(statusServer(t))
		nas.send(status)
		nas.reply(status)
		assert.Zero(t, time.Since(began))
		for range requests {
			<-nas.replies
		}
		assert.Equal(t, 42*time.Second, time.Since(began))
	})
}

func TestTLSConnectionsDoNotShareRequests(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		request := newRequest(t, "nemo")
		for range 2 {
			nas := l.connect(l.config(nasName))
			nas.send(request)
			nas.reply(request)
		}
		assert.EqualValues(t, 2, l.server.Stats().Handled)
	})
}

func TestTLSIgnoresOtherCodes(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		accounting, err := layeh.New(layeh.CodeAccountingRequest, []byte(secret)).Encode()
		require.NoError(t, err)
		request := newRequest(t, "nemo")
		nas.send(accounting, request)
		nas.reply(request)
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropCode])
	})
}

func TestTLSShutdownWaitsForAPush(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(42 * time.Second)}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		idle := l.connect(l.config("vpn2.example.com"))
		request := newRequest(t, "nemo")
		nas.send(request)
		began := time.Now()
		require.NoError(t, l.server.Shutdown(t.Context()))
		assert.Equal(t, 42*time.Second, time.Since(began))
		nas.reply(request)
		nas.requireClosed()
		idle.requireClosed()
		assert.Equal(t, radius.ErrServerClosed, <-l.ended)
		close(l.ended)
		_, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
		assert.Error(t, err)
	})
}

func TestTLSHandlersOutliveConnections(t *testing.T) {
	var handled error
	server := &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
		select {
		case <-time.After(30 * time.Second):
		case <-r.Context().Done():
		}
		handled = r.Context().Err()
		accept(w, r)
	})}
	tlsTest(t, server, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		nas.send(newRequest(t, "nemo"))
		require.NoError(t, nas.conn.Close())
		time.Sleep(31 * time.Second)
		synctest.Wait()
		assert.NoError(t, handled)
		assert.Zero(t, l.server.Stats().Connections)
		lines := l.log.lines(t)
		require.Len(t, lines, 1)
		assert.Equal(t, "the peer has closed the connection", lines[0]["error"])
	})
}

func TestTLSMayBeUnsigned(t *testing.T) {
	server := &radius.Server{Clients: clients(t, radius.Client{TLSName: nasName, Secret: secret},
		radius.Client{TLSName: "strict.example.com", Secret: secret, MessageAuthenticator: radius.MessageAuthenticatorRequired})}
	tlsTest(t, server, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		for range 30 {
			request := sign(newRequest(t, "nemo"))
			nas.send(request)
			nas.reply(request)
			time.Sleep(time.Minute)
		}
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
		l.connect(l.config("strict.example.com")).send(newRequest(t, "nemo"))
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropNoMessageAuthenticator])
	})
}

func TestTLSConfigMayChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, ca, next := new(radsectest.Network), radsectest.NewCA(t), radsectest.NewCA(t)
		listener, err := network.Listen(tlsAddress)
		require.NoError(t, err)
		current := ca.Config("radius.example.com")
		server := &radius.Server{Clients: clients(t, radius.Client{TLSName: nasName}), Handler: radius.HandlerFunc(accept)}
		ended := make(chan error)
		go func() {
			ended <- server.ServeTLS(listener, &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return current, nil
			}})
		}()
		connect := func(ca *radsectest.CA) error {
			raw, err := network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
			require.NoError(t, err)
			config := ca.Config(nasName)
			config.ServerName = "radius.example.com"
			conn := tls.Client(raw, config)
			defer func() { _ = raw.Close() }()
			if err := conn.HandshakeContext(t.Context()); err != nil {
				return err
			}
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return err
		}
		require.NoError(t, connect(ca))
		require.Error(t, connect(next))
		current = next.Config("radius.example.com")
		require.NoError(t, connect(next))
		require.Error(t, connect(ca))
		current = &tls.Config{Certificates: current.Certificates}
		require.Error(t, connect(next), "no client CA must not mean the system's")
		require.NoError(t, server.Close())
		assert.Equal(t, radius.ErrServerClosed, <-ended)
	})
}

func TestServeTLSSaysWhatIsMissing(t *testing.T) {
	ca := radsectest.NewCA(t)
	full := ca.Config("radius.example.com")
	for want, c := range map[string]struct {
		server *radius.Server
		config *tls.Config
	}{
		"Server needs a Handler, and Clients":   {&radius.Server{Clients: clients(t)}, full},
		"Clients that are a TLSClientSource":    {&radius.Server{Clients: onlyAddresses{}, Handler: radius.HandlerFunc(accept)}, full},
		"ServeTLS needs a tls.Config":           {&radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}, nil},
		"needs a tls.Config with ClientCAs":     {&radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}, &tls.Config{Certificates: full.Certificates}},
		"needs a tls.Config with a certificate": {&radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}, &tls.Config{ClientCAs: ca.Pool}},
	} {
		listener, err := new(radsectest.Network).Listen(tlsAddress)
		require.NoError(t, err)
		assert.ErrorContains(t, c.server.ServeTLS(listener, c.config), want)
		_, err = listener.Accept()
		assert.ErrorIs(t, err, net.ErrClosed)
	}
}

type onlyAddresses struct{}

func (onlyAddresses) Client(netip.Addr) *radius.Client { return nil }

func TestServeTLSEndsWithItsListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener, err := new(radsectest.Network).Listen(tlsAddress)
		require.NoError(t, err)
		server := &radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}
		ended := make(chan error)
		go func() { ended <- server.ServeTLS(listener, radsectest.NewCA(t).Config("radius.example.com")) }()
		synctest.Wait()
		require.NoError(t, listener.Close())
		assert.ErrorIs(t, <-ended, net.ErrClosed)
	})
}

type failing struct {
	net.Listener
	failures int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.failures--; f.failures >= 0 {
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestServeTLSOutlivesFailedAccepts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, ca := new(radsectest.Network), radsectest.NewCA(t)
		listener, err := network.Listen(tlsAddress)
		require.NoError(t, err)
		server := &radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}
		ended := make(chan error)
		go func() { ended <- server.ServeTLS(&failing{listener, 100}, ca.Config("radius.example.com")) }()
		began := time.Now()
		conn, err := network.Dialer(nasIP)(context.Background(), "tcp", tlsAddress)
		require.NoError(t, err)
		assert.Less(t, time.Since(began), 100*time.Second)
		_ = conn.Close()
		require.NoError(t, server.Close())
		assert.Equal(t, radius.ErrServerClosed, <-ended)
	})
}

func TestNewClientsChecksTLSNames(t *testing.T) {
	_, err := radius.NewClients(radius.Client{TLSName: "*.example.com"}, radius.Client{TLSName: "a..b"},
		radius.Client{TLSName: "bücher.example"}, radius.Client{Name: "a", TLSName: nasName}, radius.Client{TLSName: "VPN1.Example.com."})
	require.Error(t, err)
	for _, want := range []string{`"*.example.com" is not a DNS name`, `"a..b" is not`, `"bücher.example" is not`,
		"the TLSName vpn1.example.com belongs to client a already"} {
		assert.ErrorContains(t, err, want)
	}
}
