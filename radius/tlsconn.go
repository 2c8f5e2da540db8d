package radius

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"layeh.com/radius"
)

// tlsConn is a client's connection.
type tlsConn struct {
	stream
	listener *tlsListener
	peer     peer
	number   uint64 // tells it from others of the same address and port

	displaced atomic.Bool // closed in its handshake, for another
	holder    *Client     // whose share of the connections it takes

	// Of the reader.
	name    string // the client's, in the certificate
	expires time.Time
	client  *Client
	key     *key // of the client
}

func newTLSConn(l *tlsListener, raw net.Conn, number uint64) *tlsConn {
	c := &tlsConn{listener: l, number: number}
	c.raw, c.tls = raw, tls.Server(raw, l.config)
	c.ended, c.running = &l.ended, &l.running
	c.failed = func(err error) { l.notSent(c.peer, err) }
	source, _ := netip.ParseAddrPort(raw.RemoteAddr().String())
	c.peer = peer{addr: netip.AddrPortFrom(source.Addr().Unmap(), source.Port()), conn: c}
	return c
}

// from reports whether a client with a TLSName may connect from there.
func (c *Client) from(source netip.Addr) bool {
	return !c.Prefix.IsValid() || c.Prefix.Contains(source.WithZone(""))
}

// serve reads packets until the connection or the listener ends. In the latter
// case it stays open.
func (c *tlsConn) serve() {
	client, reason, err := c.listener.handshake(c)
	if err == nil && !c.listener.admit(c, client) {
		reason, err = DropTooManyConnections, errors.New("the connection is closed at once")
	}
	if err != nil {
		if !c.ended.Load() {
			c.listener.server.drop(Drop{Reason: reason, Source: c.peer.addr, Client: client, Err: err})
		}
		c.end()
		return
	}
	buffer := make([]byte, radius.MaxPacketLength)
	for c.receive(buffer) {
	}
	if !c.ended.Load() {
		c.end()
	}
}

func (c *tlsConn) end() {
	c.close()
	c.listener.forget(c)
}

// receive reads a packet and dispatches it. It reports whether there may be
// another.
func (c *tlsConn) receive(buffer []byte) bool {
	packet, err := c.readPacket(buffer)
	drop := func(reason DropReason, err error) bool {
		c.listener.server.drop(Drop{Reason: reason, Source: c.peer.addr, Client: c.client, Length: len(packet), Err: err})
		return false
	}
	switch {
	case c.ended.Load(), err != nil && len(packet) == 0:
		return false
	case err != nil:
		return drop(DropMalformed, err)
	}
	if err := c.identify(); err != nil {
		return drop(DropUnknownName, err)
	}
	reason, ok := c.listener.dispatch(packet, c.peer, c.client, c.key)
	return ok || reason != DropMalformed && reason != DropBadMessageAuthenticator
}

// identify finds the client anew: it may have changed since the last packet.
func (c *tlsConn) identify() error {
	client := c.listener.clients.TLSClient(c.name)
	switch {
	case client == nil || !client.from(c.peer.addr.Addr()):
		return fmt.Errorf("client %s is no longer configured", c.name)
	case time.Now().After(c.expires):
		return fmt.Errorf("the certificate of %s has expired", c.name)
	case client != c.client:
		c.client, c.key = client, newKey(cmp.Or(client.Secret, defaultTLSSecret))
	}
	return nil
}
