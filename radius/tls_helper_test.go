package radius_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// A request may come in many pieces, and many in one.

// The connections of one client are told apart also where they have one address.

// One port serves all codes: those that are not served are ignored.

// A client that sends and never reads is closed, and holds up nobody.

// A client with a certificate cannot keep out others by idle connections.

// A stuck peer does not keep the server from closing.

// A handler does not notice that its client has gone.

// changing is a source whose clients change.

// Unless it is configured, TLS takes unsigned requests however many came signed.

// A certificate can be replaced, and so can the CA.

// failing is a listener that fails for a while, as where there is no descriptor.

// Nobody who sends datagrams is taken for a client with a certificate, whose secret

// everybody knows.
