package radius

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"
)

// dialTimeout bounds connecting and the handshake.
const dialTimeout = 10 * time.Second

// TLSPool keeps a connection to each server for RADIUS over TLS (RadSec, RFC 6614).
// Exchangers with the same pool share it, with up to 255 requests in flight to a
// server; one more waits. It is safe for concurrent use. Do not copy a TLSPool, or
// change its Config, after first use.
//
// A connection is opened when there is a request, and closed after 10 minutes
// without a packet. When requests wait and nothing comes for an Interval, a
// Status-Server asks whether the server is there; if nothing comes for another, the
// connection is replaced and the requests are sent again.
type TLSPool struct {
	// Config needs the certificate that is shown to the servers, and RootCAs, the
	// authorities that issue theirs. The name that a server's certificate must have
	// (RFC 9525) is its ServerName, or where that is empty the host in the address.
	// TLS is 1.2 or later in any case. Required.
	Config *tls.Config

	mu      sync.Mutex
	conns   map[string]*tlsClient // by address
	closed  bool
	running sync.WaitGroup
}

// errPoolClosed is the error of exchanges after Close.
var errPoolClosed = errors.New("radius: the TLSPool has been closed")

// Close closes the connections. Exchanges that wait for a reply fail, and so do
// later ones.
func (p *TLSPool) Close() error {
	p.mu.Lock()
	p.closed = true
	conns := slices.Collect(maps.Values(p.conns))
	p.mu.Unlock()
	for _, c := range conns {
		p.running.Go(func() { c.end(errPoolClosed) })
	}
	p.running.Wait()
	return nil
}

// clientConfig returns the configuration for a server.
func (p *TLSPool) clientConfig(address string) (*tls.Config, error) {
	switch c := p.Config; {
	case c == nil:
		return nil, errors.New("radius: TLSPool.Config is nil")
	case c.RootCAs == nil && !c.InsecureSkipVerify: // crypto/tls would take those of the system
		return nil, errors.New("radius: TLSPool.Config has no RootCAs: set it to the authorities that issue the servers' certificates")
	case len(c.Certificates) == 0 && c.GetClientCertificate == nil:
		return nil, errors.New("radius: TLSPool.Config has no certificate, which RADIUS over TLS demands of clients")
	}
	config := p.Config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("radius: %w", err)
		}
		config.ServerName = host
	}
	return config, nil
}

// connection returns the connection to a server. If there is none, one is being
// opened.
func (p *TLSPool) connection(e *Exchanger, address string) (*tlsClient, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errPoolClosed
	}
	if c := p.conns[address]; c != nil {
		return c, nil
	}
	config, err := p.clientConfig(address)
	if err != nil {
		return nil, err
	}
	if p.conns == nil {
		p.conns = make(map[string]*tlsClient)
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	c := newTLSClient(p, address, cancel)
	p.conns[address] = c
	p.running.Go(func() {
		defer cancel()
		c.serve(ctx, e.dialer(), config)
	})
	return c, nil
}

// forget makes the next request open another connection.
func (p *TLSPool) forget(c *tlsClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conns[c.address] == c {
		delete(p.conns, c.address)
	}
}

// exchangeTLS is Exchange with a TLSPool.
func (e *Exchanger) exchangeTLS(ctx context.Context, x *sending, address string) (*Packet, error) {
	tries := orDefault(e.Tries, defaultTries)
	timed, cancel := context.WithTimeout(ctx, time.Duration(tries)*x.interval())
	defer cancel()
	for sent := 1; ; sent++ {
		c, err := e.TLS.connection(e, address)
		if err != nil {
			return nil, err
		}
		reply, err := c.exchange(timed, x)
		if err == nil {
			return reply, nil
		}
		if !errors.Is(err, timed.Err()) {
			x.ignored = err
		}
		if ctx.Err() != nil {
			return nil, x.noReply(ctx.Err(), address)
		}
		// The server may have closed a connection that was idle; a new one says
		// whether it is there. One that closes every connection is not asked forever.
		var wasLost lost
		if timed.Err() != nil || !errors.As(err, &wasLost) || !c.wasUsed() || sent > tries {
			return nil, x.noReply(ErrNoReply, address)
		}
		if sent > 1 {
			_ = sleepUntil(timed, time.Now().Add(x.interval()))
		}
	}
}
