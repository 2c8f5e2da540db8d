package radius_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
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

const (
	tlsAddress = "192.0.2.1:2083"
	nasName    = "vpn1.example.com"
)

// tlsLab is a server on a network of streams in memory.
type tlsLab struct {
	*testing.T
	server  *radius.Server
	network *radsectest.Network
	ca      *radsectest.CA
	log     *logBuffer
	ended   chan error
}

// startTLS serves on the network, for a client with nasName and others. It is
// called in a synctest bubble.
func startTLS(t *testing.T, server *radius.Server) *tlsLab {
	t.Helper()
	l := &tlsLab{T: t, server: server, network: new(radsectest.Network), ca: radsectest.NewCA(t),
		log: new(logBuffer), ended: make(chan error, 1)}
	if server.Clients == nil {
		server.Clients = clients(t, radius.Client{TLSName: nasName, Secret: secret},
			radius.Client{TLSName: "vpn2.example.com", Secret: secret})
	}
	server.Logger = l.log.logger()
	listener, err := l.network.Listen(tlsAddress)
	require.NoError(t, err)
	config := l.ca.Config("radius.example.com")
	go func() { l.ended <- server.ServeTLS(listener, config) }()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		if err, open := <-l.ended; open {
			assert.Equal(t, radius.ErrServerClosed, err)
		}
		time.Sleep(time.Minute) // clients that have been closed notice
	})
	synctest.Wait()
	return l
}

// config is a client's, with a certificate for the names.
func (l *tlsLab) config(names ...string) *tls.Config {
	c := l.ca.Config(names...)
	c.ServerName = "radius.example.com"
	return c
}

// stream is a client's connection.
type stream struct {
	*testing.T
	raw     net.Conn
	conn    *tls.Conn
	replies chan []byte // closed when the connection is
}

// connect opens a connection and reads all replies.
func (l *tlsLab) connect(config *tls.Config) *stream {
	s := l.connectDeaf(config)
	s.replies = make(chan []byte, 1000)
	go func() {
		defer close(s.replies)
		for {
			b := make([]byte, 4096)
			if _, err := io.ReadFull(s.conn, b[:20]); err != nil {
				return
			}
			length := int(b[2])<<8 | int(b[3])
			if _, err := io.ReadFull(s.conn, b[20:length]); err != nil {
				return
			}
			s.replies <- b[:length]
		}
	}()
	return s
}

// connectDeaf opens a connection that is not read.
func (l *tlsLab) connectDeaf(config *tls.Config) *stream {
	l.Helper()
	raw, err := l.network.Dialer(nasIP)(l.Context(), "tcp", tlsAddress)
	require.NoError(l, err)
	s := &stream{T: l.T, raw: raw, conn: tls.Client(raw, config)}
	l.Cleanup(func() { _ = raw.Close() })
	require.NoError(l, s.conn.HandshakeContext(l.Context()))
	synctest.Wait() // the server has finished its half
	return s
}

func (s *stream) send(packets ...[]byte) {
	s.Helper()
	_, err := s.conn.Write(bytes.Join(packets, nil))
	require.NoError(s, err)
	synctest.Wait()
}

// reply returns the next reply, verified as that to request.
func (s *stream) reply(request []byte) *radius.Packet {
	s.Helper()
	b, open := <-s.replies
	require.True(s, open, "the connection has been closed")
	return verified(s, b, request)
}

// requireClosed waits for the server to close the connection.
func (s *stream) requireClosed() {
	s.Helper()
	_, open := <-s.replies
	require.False(s, open, "there is a reply")
}

func tlsTest(t *testing.T, server *radius.Server, test func(t *testing.T, l *tlsLab)) {
	t.Helper()
	if server.Handler == nil {
		server.Handler = radius.HandlerFunc(accept)
	}
	synctest.Test(t, func(t *testing.T) { test(t, startTLS(t, server)) })
}

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

// A request may come in many pieces, and many in one.
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

// The connections of one client are told apart also where they have one address.
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

func TestTLSRefusesWhoDoesNotProveWhoItIs(t *testing.T) {
	otherCA := radsectest.NewCA(t)
	for name, c := range map[string]struct {
		change func(l *tlsLab, c *tls.Config)
		reason radius.DropReason
		log    string
	}{
		"no certificate": {func(_ *tlsLab, c *tls.Config) { c.Certificates = nil },
			radius.DropHandshake, "didn't provide a certificate"},
		"another CA": {func(_ *tlsLab, c *tls.Config) { c.Certificates = otherCA.Config(nasName).Certificates },
			radius.DropHandshake, "unknown authority"},
		"expired": {func(l *tlsLab, c *tls.Config) {
			c.Certificates[0] = l.ca.Issue([]string{nasName}, func(t *x509.Certificate) { t.NotAfter = time.Now().Add(-time.Hour) })
		}, radius.DropHandshake, "expired"},
		"for servers only": {func(l *tlsLab, c *tls.Config) {
			c.Certificates[0] = l.ca.Issue([]string{nasName}, func(t *x509.Certificate) {
				t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			})
		}, radius.DropHandshake, "incompatible key usage"},
		"TLS 1.1": {func(_ *tlsLab, c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 },
			radius.DropHandshake, "unsupported versions"},
		"another name": {func(l *tlsLab, c *tls.Config) { c.Certificates = l.ca.Config("evil.example.com").Certificates },
			radius.DropUnknownName, `[\"evil.example.com\"]`},
		"the name of a client as Common Name": {func(l *tlsLab, c *tls.Config) {
			c.Certificates[0] = l.ca.Issue([]string{nasName}, func(t *x509.Certificate) { t.DNSNames = nil })
		}, radius.DropUnknownName, "its DNS names are []"},
		"a wildcard": {func(l *tlsLab, c *tls.Config) { c.Certificates = l.ca.Config("*.example.com").Certificates },
			radius.DropUnknownName, `[\"*.example.com\"]`},
	} {
		t.Run(name, func(t *testing.T) {
			tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
				config := l.config(nasName)
				c.change(l, config)
				raw, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
				require.NoError(t, err)
				defer func() { _ = raw.Close() }()
				conn := tls.Client(raw, config)
				_ = conn.HandshakeContext(t.Context())
				go func() { _, _ = conn.Write(newRequest(t, "nemo")) }()
				_, err = conn.Read(make([]byte, 1))
				assert.Error(t, err)
				synctest.Wait()

				assert.EqualValues(t, 1, l.server.Stats().Dropped[c.reason])
				assert.Zero(t, l.server.Stats().Handled)
				lines := l.log.lines(t)
				require.Len(t, lines, 1)
				assert.Equal(t, "radius: dropped: "+c.reason.String(), lines[0]["msg"])
				assert.Contains(t, fmt.Sprintf("%q", lines[0]["error"]), c.log)
			})
		})
	}
}

func TestTLSClientsMayBeBoundToAddresses(t *testing.T) {
	server := &radius.Server{Clients: clients(t, radius.Client{TLSName: nasName, Secret: secret,
		Prefix: netip.MustParsePrefix("203.0.113.0/24")})}
	tlsTest(t, server, func(t *testing.T, l *tlsLab) {
		l.connect(l.config(nasName)).requireClosed()
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropUnknownName])
	})
}

func TestTLSClosesAfterMalformedPackets(t *testing.T) {
	short, long := newRequest(t, "nemo"), newRequest(t, "nemo")
	short[2], short[3] = 0, 19
	long[2], long[3] = 0x10, 1
	attribute := newRequest(t, "nemo")
	attribute[21] = 1
	forged := sign(newRequest(t, "nemo"))
	forged[len(forged)-1]++
	for name, c := range map[string]struct {
		packet []byte
		reason radius.DropReason
	}{
		"too short":                   {short, radius.DropMalformed},
		"too long":                    {long, radius.DropMalformed},
		"attribute":                   {attribute, radius.DropMalformed},
		"HTTP":                        {[]byte("GET / HTTP/1.1\r\n\r\n"), radius.DropMalformed},
		"wrong Message-Authenticator": {forged, radius.DropBadMessageAuthenticator},
	} {
		t.Run(name, func(t *testing.T) {
			tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
				nas := l.connect(l.config(nasName))
				nas.send(c.packet)
				nas.requireClosed()
				synctest.Wait()
				assert.EqualValues(t, 1, l.server.Stats().Dropped[c.reason])
				assert.Zero(t, l.server.Stats().Connections)
			})
		})
	}
}

// One port serves all codes: those that are not served are ignored.
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

func TestTLSSlowPeersAreClosed(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		silent, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
		require.NoError(t, err)
		began := time.Now()
		_, err = silent.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, 10*time.Second, time.Since(began), "handshake")
		synctest.Wait()
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropHandshake])

		nas := l.connect(l.config(nasName))
		request := newRequest(t, "nemo")
		began = time.Now()
		go func() { // a byte a second would be enough to stay
			for _, b := range request {
				if _, err := nas.conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		nas.requireClosed()
		assert.Equal(t, 10*time.Second, time.Since(began), "packet")
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropMalformed])

		idle := l.connect(l.config(nasName))
		began = time.Now()
		idle.requireClosed()
		assert.Equal(t, 10*time.Minute, time.Since(began), "idle")
		synctest.Wait()
		assert.Zero(t, l.server.Stats().Connections)
	})
}

// A client that sends and never reads is closed, and holds up nobody.
func TestTLSWhoNeverReadsIsClosed(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		deaf := l.connectDeaf(l.config(nasName))
		other := l.connect(l.config(nasName))
		go func() {
			for i := 0; ; i++ {
				if _, err := deaf.conn.Write(newRequest(t, "nemo", identified(byte(i)))); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		for range 20 {
			request := newRequest(t, "other")
			other.send(request)
			other.reply(request)
		}
		assert.Zero(t, time.Since(began))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, l.server.Stats().Connections)
		assert.Zero(t, l.server.Stats().InFlight)
		lines := l.log.lines(t)
		require.NotEmpty(t, lines)
		assert.Equal(t, "radius: a reply could not be sent", lines[0]["msg"])
	})
}

func TestTLSTenThousandSilentConnections(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		before := l.connect(l.config(nasName))
		dial := l.network.Dialer("203.0.113.66")
		for range 10_000 {
			conn, err := dial(t.Context(), "tcp", tlsAddress)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
		}
		synctest.Wait()
		assert.EqualValues(t, 10_000-128, l.server.Stats().Dropped[radius.DropTooManyConnections])
		for _, nas := range []*stream{before, l.connect(l.config("vpn2.example.com"))} {
			request := newRequest(t, "nemo")
			nas.send(request)
			nas.reply(request)
		}
		assert.Equal(t, 2, l.server.Stats().Connections)
	})
}

// A client with a certificate cannot keep out others by idle connections.
func TestTLSConnectionsAreShared(t *testing.T) {
	tlsTest(t, &radius.Server{MaxConnections: 40}, func(t *testing.T, l *tlsLab) {
		greedy := l.config(nasName)
		for i := range 60 {
			s := l.connect(greedy)
			synctest.Wait()
			if i >= 40-40/8 {
				s.requireClosed()
			}
		}
		assert.Equal(t, 35, l.server.Stats().Connections)
		assert.EqualValues(t, 25, l.server.Stats().Dropped[radius.DropTooManyConnections])
		nas := l.connect(l.config("vpn2.example.com"))
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
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

// A stuck peer does not keep the server from closing.
func TestTLSCloseWaitsForNoPeer(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(time.Hour)}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		request := newRequest(t, "nemo")
		nas.send(request)
		l.connectDeaf(l.config(nasName)).send(newRequest(t, "nemo"))
		half, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
		require.NoError(t, err)
		defer func() { _ = half.Close() }()
		began := time.Now()
		require.NoError(t, l.server.Close())
		assert.LessOrEqual(t, time.Since(began), 2*time.Second)
		assert.Equal(t, radius.CodeAccessReject, nas.reply(request).Code)
	})
}

// A handler does not notice that its client has gone.
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

// changing is a source whose clients change.
type changing struct{ *radius.Clients }

func TestTLSARemovedClientIsClosed(t *testing.T) {
	source := &changing{clients(t, radius.Client{TLSName: nasName, Secret: secret})}
	tlsTest(t, &radius.Server{Clients: source}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
		source.Clients = clients(t, radius.Client{TLSName: nasName, Secret: "another secret"})
		nas.send(newRequest(t, "nemo"))
		p, err := layeh.Parse(<-nas.replies, []byte("another secret"))
		require.NoError(t, err)
		assert.Equal(t, radius.CodeAccessAccept, p.Code)
		source.Clients = clients(t)
		nas.send(request)
		nas.requireClosed()
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropUnknownName])
	})
}

func TestTLSACertificateThatExpiresIsClosed(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		config := l.config(nasName)
		config.Certificates[0] = l.ca.Issue([]string{nasName}, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Minute) })
		nas := l.connect(config)
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
		time.Sleep(2 * time.Minute)
		nas.send(request)
		nas.requireClosed()
	})
}

// Unless it is configured, TLS takes unsigned requests however many came signed.
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

// A certificate can be replaced, and so can the CA.
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

// failing is a listener that fails for a while, as where there is no descriptor.
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

// Nobody who sends datagrams is taken for a client with a certificate, whose secret
// everybody knows.
func TestATLSClientCannotSendDatagrams(t *testing.T) {
	list := clients(t, radius.Client{TLSName: nasName, Prefix: netip.MustParsePrefix("198.51.100.0/24")})
	assert.Nil(t, list.Client(netip.MustParseAddr(nasIP)))
	assert.Equal(t, radius.Secret("radsec"), list.TLSClient(nasName).Secret)
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
