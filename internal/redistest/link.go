package redistest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Link is a network to a server that can be broken. It takes connections at
// Addr.
type Link struct {
	Addr string

	target   string
	listener net.Listener

	mu     sync.Mutex
	change *sync.Cond // of what follows
	closed bool
	cut    bool
	stall  bool
	lose   bool          // replies are dropped, and their connections closed
	delay  time.Duration // of each request
	conns  map[net.Conn]bool
}

// NewLink starts a link that ends with the test.
func NewLink(tb testing.TB, target string) *Link {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	l := &Link{Addr: listener.Addr().String(), target: target, listener: listener, conns: make(map[net.Conn]bool)}
	l.change = sync.NewCond(&l.mu)
	var all sync.WaitGroup
	all.Go(func() { l.accept(&all) })
	tb.Cleanup(func() {
		_ = listener.Close()
		l.set(func() { l.closed = true; l.dropAll() })
		all.Wait()
	})
	return l
}

// Cut closes all connections, and refuses new ones until Repair.
func (l *Link) Cut() { l.set(func() { l.cut = true; l.dropAll() }) }

// Stall holds everything back in both directions until Repair.
func (l *Link) Stall() { l.set(func() { l.stall = true }) }

// LoseReplies lets requests through, and closes a connection in place of its next
// reply, until Repair.
func (l *Link) LoseReplies() { l.set(func() { l.lose = true }) }

// Delay holds each request back for a time, until Repair. A connection that is
// closed meanwhile does not undo a request: it arrives late.
func (l *Link) Delay(d time.Duration) { l.set(func() { l.delay = d }) }

// Repair makes the link whole again.
func (l *Link) Repair() {
	l.set(func() { l.cut, l.stall, l.lose, l.delay = false, false, false, 0 })
}

func (l *Link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	l.change.Broadcast()
}

func (l *Link) dropAll() {
	for c := range l.conns {
		_ = c.Close()
	}
}

func (l *Link) accept(all *sync.WaitGroup) {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.target)
		if err != nil || !l.keep(near, far) {
			_ = near.Close()
			if far != nil {
				_ = far.Close()
			}
			continue
		}
		all.Go(func() { l.copy(far, near, l.request) })
		all.Go(func() { l.copy(near, far, l.reply) })
	}
}

func (l *Link) keep(conns ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut || l.closed {
		return false
	}
	for _, c := range conns {
		l.conns[c] = true
	}
	return true
}

// copy passes on what pass lets through. The request side leaves dst to the
// other one, so that what was delayed is still delivered.
func (l *Link) copy(dst, src net.Conn, pass func() bool) {
	defer func() {
		_ = src.Close()
		_ = dst.Close()
		l.mu.Lock()
		delete(l.conns, src)
		l.mu.Unlock()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := src.Read(buffer)
		if n > 0 {
			if !pass() {
				return
			}
			if _, err := dst.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// request waits as long as requests are held back.
func (l *Link) request() bool {
	l.mu.Lock()
	delay := l.delay
	l.mu.Unlock()
	time.Sleep(delay)
	return l.flows()
}

func (l *Link) reply() bool {
	if !l.flows() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.lose
}

func (l *Link) flows() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.stall && !l.closed {
		l.change.Wait()
	}
	return !l.closed
}
