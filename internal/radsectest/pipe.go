package radsectest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is one end of a connection.
type conn struct {
	r, w          *pipe
	local, remote addr
}

func (c *conn) Read(b []byte) (int, error)  { return c.r.read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.w.write(b) }

func (c *conn) Close() error {
	c.w.change(func() { c.w.ended = true })
	c.r.change(func() { c.r.abandoned = true })
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return c.local }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.r.change(func() { c.r.readBy = t })
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.w.change(func() { c.w.writeBy = t })
	return nil
}

// room is how many bytes wait for their reader.
const room = 64 << 10

// pipe is one direction of a connection.
type pipe struct {
	mu               sync.Mutex
	bytes            []byte
	ended, abandoned bool // by the writer, by the reader
	readBy, writeBy  time.Time
	changed          chan struct{} // closed and made anew when one of the above changes
}

func newPipe() *pipe { return &pipe{changed: make(chan struct{})} }

func (p *pipe) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.changes()
}

// changes wakes those that wait. The mutex is held.
func (p *pipe) changes() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.abandoned:
			return 0, net.ErrClosed
		case passed(p.readBy):
			return 0, os.ErrDeadlineExceeded
		case len(p.bytes) > 0:
			n := copy(b, p.bytes)
			p.bytes = p.bytes[n:]
			p.changes()
			return n, nil
		case p.ended:
			return 0, io.EOF
		}
		p.wait(p.readBy)
	}
}

func (p *pipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.ended:
			return n, net.ErrClosed
		case p.abandoned:
			return n, io.ErrClosedPipe
		case passed(p.writeBy):
			return n, os.ErrDeadlineExceeded
		}
		if fits := min(len(b), room-len(p.bytes)); fits > 0 {
			p.bytes = append(p.bytes, b[:fits]...)
			n, b = n+fits, b[fits:]
			p.changes()
		}
		if len(b) == 0 {
			return n, nil
		}
		p.wait(p.writeBy)
	}
}

// wait waits for a change or the deadline. The mutex is held, but not meanwhile.
func (p *pipe) wait(deadline time.Time) {
	changed := p.changed
	p.mu.Unlock()
	defer p.mu.Lock()
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	select {
	case <-changed:
	case <-late:
	}
}

func passed(deadline time.Time) bool { return !deadline.IsZero() && !time.Now().Before(deadline) }
