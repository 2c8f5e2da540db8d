package radius

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The bounds on connections, beside MaxConnections.
const (
	// maxHandshakes is how many connections may be in their handshake. One more
	// takes the place of the oldest: whoever opens connections and says nothing
	// keeps out nobody who is quick.
	maxHandshakes    = 128
	handshakeTimeout = 10 * time.Second

	// acceptPause and maxAcceptPause bound the delay after a failed accept.
	acceptPause    = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// ServeTLS serves RADIUS over TLS (RadSec, RFC 6614) on the listener's connections,
// usually of port 2083, as Serve does datagrams, and ends as Serve does. Clients
// must be a TLSClientSource.
//
// Config needs a certificate and ClientCAs, the authorities that issue the clients'
// certificates; it, or what its GetConfigForClient returns, is tightened to what
// radiusdtls-bis demands: TLS 1.2 or later, and a client certificate that is
// verified. Sessions are not resumed, so that each connection shows one. A client is
// known by the DNS names in its certificate's subjectAltName, never by the Common
// Name, an address or a wildcard. After a reload by GetConfigForClient, connections
// that are open go on until their certificates expire.
//
// A packet that is malformed or has a wrong Message-Authenticator closes its
// connection (RFC 6613 section 2.6.4), as do 10 minutes without a packet, and 10 s
// in which a handshake or a packet stays incomplete or the client does not read its
// replies. Handlers do not notice: whoever asks again joins a login that goes on.
func (s *Server) ServeTLS(listener net.Listener, config *tls.Config) error {
	source, ok := s.Clients.(TLSClientSource)
	err := errors.New("radius: Server needs a Handler, and Clients that are a TLSClientSource")
	if ok && s.Handler != nil {
		config, err = serverConfig(config)
	}
	if err != nil {
		_ = listener.Close()
		return err
	}
	l := &tlsListener{
		listener: listener, clients: source, config: config,
		open: make(map[*tlsConn]struct{}),
		held: newShares(orDefault(s.MaxConnections, defaultMaxConnections)),
	}
	l.socket = newSocket(s.newDispatcher(listener.Addr(), l), l)
	if !s.add(l.socket) {
		_ = listener.Close()
		return ErrServerClosed
	}
	return s.end(l.socket, l.accept())
}

// serverConfig returns the config with what RADIUS over TLS demands.
func serverConfig(config *tls.Config) (*tls.Config, error) {
	if config == nil {
		return nil, errors.New("radius: ServeTLS needs a tls.Config")
	}
	c := config.Clone()
	c.ClientAuth = tls.RequireAndVerifyClientCert
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.SessionTicketsDisabled = true
	choose := c.GetConfigForClient
	switch {
	case choose != nil:
		c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			chosen, err := choose(hello)
			if err != nil {
				return nil, err
			}
			if chosen == nil {
				chosen = config
			}
			chosen = chosen.Clone()
			chosen.GetConfigForClient = nil
			return serverConfig(chosen)
		}
	case c.ClientCAs == nil: // crypto/tls would take those of the system
		return nil, errors.New("radius: ServeTLS needs a tls.Config with ClientCAs, which issue the clients' certificates")
	case len(c.Certificates) == 0 && c.GetCertificate == nil:
		return nil, errors.New("radius: ServeTLS needs a tls.Config with a certificate")
	}
	return c, nil
}

// tlsListener accepts connections for a dispatcher.
type tlsListener struct {
	*socket
	listener net.Listener
	clients  TLSClientSource
	config   *tls.Config

	readers sync.WaitGroup // one for each connection
	ended   atomic.Bool    // no connection is read any more; set under mu

	mu         sync.Mutex
	number     uint64     // of the last connection
	handshakes []*tlsConn // oldest first
	open       map[*tlsConn]struct{}
	held       shares // by those open
}

// accept takes connections until the listener is to stop (nil) or has been closed.
func (l *tlsListener) accept() error {
	defer func() {
		l.wake()
		l.readers.Wait()
		l.endReceiving()
	}()
	pause := acceptPause
	for {
		conn, err := l.listener.Accept()
		switch {
		case err == nil:
			pause = acceptPause
			l.begin(conn)
		case l.isStopping():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("radius: accept: %w", err)
		default: // there may be no descriptor left, until a connection ends
			l.server.readLog.log(l.server.logger(), slog.LevelWarn, "radius: accepting failed, trying again", slog.Any("error", err))
			select {
			case <-l.stopping:
			case <-time.After(pause):
			}
			pause = min(2*pause, maxAcceptPause)
		}
	}
}

// begin starts a connection.
func (l *tlsListener) begin(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended.Load() {
		_ = conn.Close()
		return
	}
	if len(l.handshakes) >= maxHandshakes {
		oldest := l.handshakes[0]
		oldest.displaced.Store(true)
		l.handshakes = slices.Delete(l.handshakes, 0, 1)
		_ = oldest.raw.Close()
	}
	l.number++
	c := newTLSConn(l, conn, l.number)
	l.handshakes = append(l.handshakes, c)
	l.readers.Go(c.serve)
}

// admit makes a connection, whose handshake is done, one that is open.
func (l *tlsListener) admit(c *tlsConn, client *Client) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended.Load() || !l.held.take(client) {
		return false
	}
	l.endHandshake(c)
	c.holder = client
	l.open[c] = struct{}{}
	return true
}

func (l *tlsListener) endHandshake(c *tlsConn) {
	l.handshakes = slices.DeleteFunc(l.handshakes, func(other *tlsConn) bool { return other == c })
}

// forget forgets a connection that has ended.
func (l *tlsListener) forget(c *tlsConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endHandshake(c)
	if _, ok := l.open[c]; ok {
		delete(l.open, c)
		l.held.give(c.holder)
	}
}

// connections returns the connections that are open.
func (l *tlsListener) connections() []*tlsConn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.open))
}

// wake implements transport: it makes accept and the readers end. Connections that
// are open stay so, for the replies.
func (l *tlsListener) wake() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.ended.Store(true)
	for _, c := range l.handshakes {
		_ = c.raw.Close()
	}
	l.mu.Unlock()
	for _, c := range l.connections() {
		c.stopReading()
	}
}

// close implements transport.
func (l *tlsListener) close() {
	var wg sync.WaitGroup
	for _, c := range l.connections() {
		wg.Go(c.end)
	}
	wg.Wait()
}

// send implements sender.
func (l *tlsListener) send(reply []byte, to peer) error { return to.conn.send(reply) }

// handshake ends with the client that the certificate names, or else says why not.
func (l *tlsListener) handshake(c *tlsConn) (*Client, DropReason, error) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
	defer cancel()
	if err := c.tls.HandshakeContext(ctx); err != nil {
		if c.displaced.Load() {
			return nil, DropTooManyConnections, fmt.Errorf("%d newer connections came before its handshake was complete", maxHandshakes)
		}
		return nil, DropHandshake, err
	}
	leaf := c.tls.ConnectionState().PeerCertificates[0]
	c.expires = leaf.NotAfter
	for _, presented := range leaf.DNSNames {
		if name, ok := hostName(presented); ok {
			if client := l.clients.TLSClient(name); client != nil && client.from(c.peer.addr.Addr()) {
				c.name = name
				return client, 0, nil
			}
		}
	}
	return nil, DropUnknownName, fmt.Errorf("its DNS names are %s", named(leaf.DNSNames))
}

// named lists the first of a certificate's names for a log.
func named(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%.100q and %d more", names[:most], len(names)-most)
	}
	return fmt.Sprintf("%.100q", names)
}
