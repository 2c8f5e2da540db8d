package radius

import (
	"cmp"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"layeh.com/radius"
)

const (
	idleTimeout   = 10 * time.Minute // between two packets
	packetTimeout = 10 * time.Second // for the rest of a packet that has begun
	writeTimeout  = 10 * time.Second
	closeTimeout  = time.Second // for the alert that says goodbye

	// maxUnread is how many bytes of replies may wait for a client that does not
	// read them: some for each of its 256 Identifiers.
	maxUnread = 256 << 10
)

// tlsConn is a client's connection.
type tlsConn struct {
	listener *tlsListener
	raw      net.Conn
	tls      *tls.Conn
	peer     peer
	number   uint64 // tells it from others of the same address and port

	displaced atomic.Bool // closed in its handshake, for another
	holder    *Client     // whose share of the connections it takes

	// Of the reader.
	name    string // the client's, in the certificate
	expires time.Time
	client  *Client
	key     *key // of the client

	mu      sync.Mutex
	unread  []byte // replies that wait
	writing bool
	closed  bool
}

func newTLSConn(l *tlsListener, raw net.Conn, number uint64) *tlsConn {
	c := &tlsConn{listener: l, raw: raw, tls: tls.Server(raw, l.config), number: number}
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
		c.refuse(Drop{Reason: reason, Client: client, Err: err})
		return
	}
	buffer := make([]byte, radius.MaxPacketLength)
	for c.receive(buffer) {
	}
	if !c.listener.ended.Load() {
		c.close()
	}
}

// refuse ends a connection that has not been admitted.
func (c *tlsConn) refuse(d Drop) {
	if !c.listener.ended.Load() {
		d.Source = c.peer.addr
		c.listener.server.drop(d)
	}
	c.close()
}

// stopReading wakes the reader.
func (c *tlsConn) stopReading() { _ = c.raw.SetReadDeadline(time.Unix(1, 0)) }

// receive reads a packet and dispatches it. It reports whether there may be
// another.
func (c *tlsConn) receive(buffer []byte) bool {
	packet, err := c.readPacket(buffer)
	switch {
	case c.listener.ended.Load():
		return false
	case err != nil:
		if len(packet) > 0 {
			c.listener.server.drop(Drop{Reason: DropMalformed, Source: c.peer.addr, Client: c.client, Length: len(packet), Err: err})
		}
		return false
	}
	if err := c.identify(); err != nil {
		c.listener.server.drop(Drop{Reason: DropUnknownName, Source: c.peer.addr, Length: len(packet), Err: err})
		return false
	}
	reason, ok := c.listener.dispatch(packet, c.peer, c.client, c.key)
	return ok || reason != DropMalformed && reason != DropBadMessageAuthenticator
}

// readPacket returns a whole packet, or what there is of one and an error.
func (c *tlsConn) readPacket(buffer []byte) ([]byte, error) {
	if err := c.fill(buffer[:1], time.Now().Add(idleTimeout)); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(packetTimeout)
	if err := c.fill(buffer[1:4], deadline); err != nil {
		return buffer[:1], err
	}
	length := int(binary.BigEndian.Uint16(buffer[2:4]))
	if length < headerLength || length > len(buffer) {
		return buffer[:4], fmt.Errorf("the Length is %d, want %d to %d", length, headerLength, len(buffer))
	}
	if err := c.fill(buffer[4:length], deadline); err != nil {
		return buffer[:4], err
	}
	return buffer[:length], nil
}

// fill reads as many bytes as there is room for.
func (c *tlsConn) fill(b []byte, deadline time.Time) error {
	_ = c.raw.SetReadDeadline(deadline)
	if c.listener.ended.Load() { // perhaps after its deadline, which this one has replaced
		return net.ErrClosed
	}
	_, err := io.ReadFull(c.tls, b)
	return err
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

var (
	errClosed = errors.New("the client has closed the connection")
	errUnread = errors.New("the client does not read its replies, so its connection is closed")
)

// send leaves the reply to a goroutine, so that a client that does not read holds
// up nobody.
func (c *tlsConn) send(reply []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return errClosed
	case len(c.unread)+len(reply) > maxUnread:
		c.closed = true
		_ = c.raw.Close() // which wakes the reader
		return errUnread
	}
	c.unread = append(c.unread, reply...)
	if !c.writing {
		c.writing = true
		c.listener.dispatcher.running.Go(c.write)
	}
	return nil
}

// write sends what waits, until nothing does.
func (c *tlsConn) write() {
	var batch []byte
	for {
		c.mu.Lock()
		batch, c.unread = c.unread, batch[:0]
		if len(batch) == 0 {
			c.writing, c.unread = false, nil
		}
		c.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		_ = c.raw.SetWriteDeadline(time.Now().Add(writeTimeout))
		if _, err := c.tls.Write(batch); err != nil {
			c.fail(err)
			return
		}
	}
}

// fail closes a connection that cannot be written to.
func (c *tlsConn) fail(err error) {
	c.mu.Lock()
	known := c.closed
	c.closed = true
	c.mu.Unlock()
	_ = c.raw.Close() // which wakes the reader
	if !known {
		c.listener.notSent(c.peer, err)
	}
}

// close says goodbye and closes the connection.
func (c *tlsConn) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	late := time.AfterFunc(closeTimeout, func() { _ = c.raw.Close() })
	_ = c.tls.Close()
	late.Stop()
	c.listener.forget(c)
}
