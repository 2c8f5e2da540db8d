package radius

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"layeh.com/radius"
)

// maxWaiting is how many requests may wait for their replies on a connection: one
// for each Identifier but 0, which is the watchdog's (RFC 6613 section 2.6.5).
const maxWaiting = 255

// tlsClient is the connection to a server.
type tlsClient struct {
	pool    *TLSPool
	address string
	stream  stream
	over    atomic.Bool        // the stream's ended
	cancel  context.CancelFunc // of connecting
	places  chan struct{}      // holds one for each request that waits
	ready   chan struct{}      // closed when the connection is open
	done    chan struct{}      // closed when it is of no more use

	mu      sync.Mutex
	err     error // why it is done
	waiting [1 + maxWaiting]*waiter
	late    [1 + maxWaiting]bool // nobody waits for the reply, but it may come
	last    byte                 // the Identifier given last
	used    bool                 // a packet has come

	// Of the watchdog.
	timer    *time.Timer // nil: nobody waits
	interval time.Duration
	heard    time.Time // when a packet came, or the watch began
	asked    bool      // a Status-Server has been sent since
}

// waiter is a request that waits for its reply.
type waiter struct {
	*sending
	result chan result // has room for one
}

type result struct {
	reply *Packet
	err   error
}

// lost is why a connection is done.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

var (
	errConnecting = errors.New("the connection is not open yet")
	errSilent     = errors.New("the server answers nothing on its connection, Status-Server neither")
)

func newTLSClient(p *TLSPool, address string, cancel context.CancelFunc) *tlsClient {
	c := &tlsClient{pool: p, address: address, cancel: cancel,
		places: make(chan struct{}, maxWaiting), ready: make(chan struct{}), done: make(chan struct{})}
	c.stream.ended, c.stream.running, c.stream.failed = &c.over, &p.running, c.fail
	return c
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// serve connects, and reads until the connection ends.
func (c *tlsClient) serve(ctx context.Context, dial dialer, config *tls.Config) {
	raw, err := dial(ctx, "tcp", c.address)
	if err != nil {
		c.fail(err)
		return
	}
	c.stream.raw, c.stream.tls = raw, tls.Client(raw, config)
	if err := c.stream.tls.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		c.fail(fmt.Errorf("TLS handshake: %w", err))
		return
	}
	close(c.ready)
	buffer := make([]byte, radius.MaxPacketLength)
	for err = c.why(); err == nil; { // the pool may have been closed
		var packet []byte
		if packet, err = c.stream.readPacket(buffer); err == nil {
			err = c.receive(packet)
		}
	}
	c.fail(err)
	c.stream.close()
}

// fail notes why the connection is done.
func (c *tlsClient) fail(err error) {
	c.pool.forget(c)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = lost{err}
		close(c.done)
	}
}

// end closes the connection, which may still be opening.
func (c *tlsClient) end(err error) {
	c.fail(err)
	c.cancel()
	select {
	case <-c.ready:
		c.stream.close() // which wakes serve
	default:
	}
}

// why returns why the connection is done, or nil.
func (c *tlsClient) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *tlsClient) wasUsed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.used
}

// exchange sends a request and waits for its reply. The error is a lost one, that
// of ctx, errConnecting, or says what is wrong with the reply.
func (c *tlsClient) exchange(ctx context.Context, x *sending) (*Packet, error) {
	select {
	case <-c.ready:
	case <-c.done:
		return nil, c.why()
	case <-ctx.Done():
		return nil, errConnecting
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-c.done:
		return nil, c.why()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w := c.enter(x)
	defer c.leave(w)
	h := hashers.Get().(*hasher)
	out, err := h.request(w.request, x.key)
	hashers.Put(h)
	if err != nil {
		return nil, err
	}
	if err := c.stream.send(out); err != nil {
		c.fail(err)
		return nil, c.why()
	}
	select {
	case r := <-w.result:
		if r.err == nil {
			r.reply.Identifier = x.request.Identifier
		}
		return r.reply, r.err
	case <-c.done:
		return nil, c.why()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// enter gives the request an Identifier of the connection: that which was given
// longest ago, since a late reply may come to one that was given up.
func (c *tlsClient) enter(x *sending) *waiter {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.last++; c.last == 0 || c.waiting[c.last] != nil; c.last++ {
	}
	request := *x.request
	request.Identifier = c.last
	// What comes over TLS need not be signed.
	w := &waiter{result: make(chan result, 1),
		sending: &sending{Exchanger: &Exchanger{UnsignedReplies: true}, request: &request, key: x.key}}
	c.waiting[c.last] = w
	if c.interval = x.interval(); c.timer == nil {
		c.heard, c.asked = time.Now(), false
		c.timer = time.AfterFunc(c.interval, c.watch)
	}
	return w
}

// leave ends the wait for a reply.
func (c *tlsClient) leave(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id := w.request.Identifier; c.waiting[id] == w {
		c.waiting[id], c.late[id] = nil, true
	}
	if c.timer != nil && (c.err != nil || !c.anyWaits()) {
		c.timer.Stop()
		c.timer = nil
	}
}

func (c *tlsClient) anyWaits() bool {
	for _, w := range c.waiting {
		if w != nil {
			return true
		}
	}
	return false
}

// receive gives a packet to the request that waits for it. An error closes the
// connection.
func (c *tlsClient) receive(packet []byte) error {
	scanned, err := scan(packet)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard, c.asked, c.used = time.Now(), false, true
	switch Code(scanned.bytes[0]) {
	case CodeAccessAccept, CodeAccessReject, CodeAccessChallenge:
	default:
		return nil
	}
	id := scanned.bytes[1]
	w, late := c.waiting[id], c.late[id]
	c.late[id] = false
	if w == nil {
		return nil
	}
	reply, err := w.accept(packet)
	if err != nil && late { // it is that to an earlier request
		return nil
	}
	c.waiting[id] = nil
	w.result <- result{reply, err}
	return err
}

// watch asks whether the server is there when nothing has come for an interval,
// and gives the connection up when nothing comes for another. One on which nothing
// ever came is kept: the handshake was the answer.
func (c *tlsClient) watch() {
	c.mu.Lock()
	if c.timer == nil {
		c.mu.Unlock()
		return
	}
	next := c.interval - time.Since(c.heard)
	ask := next <= 0 && !c.asked
	end := next <= 0 && c.asked && c.used
	if next <= 0 {
		c.asked, next = true, c.interval
	}
	status := c.statusServer()
	c.timer.Reset(next)
	c.mu.Unlock()
	switch {
	case end:
		c.end(errSilent)
	case ask && status != nil:
		_ = c.stream.send(status)
	}
}

// statusServer returns a Status-Server with Identifier 0, signed with the secret of
// a request that waits.
func (c *tlsClient) statusServer() []byte {
	for _, w := range c.waiting {
		if w != nil {
			p := New(CodeStatusServer, Secret(w.key.secret))
			p.Identifier = 0
			h := hashers.Get().(*hasher)
			defer hashers.Put(h)
			b, _ := h.request(p, w.key) // it is short
			return b
		}
	}
	return nil
}
