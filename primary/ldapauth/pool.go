package ldapauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/radmfa/radmfa/primary"
)

// role is what a connection is bound for. A connection never changes it: users'
// binds happen on connections that search nothing, so no search runs with a
// user's rights, and the service account need not bind again after each user.
type role int

const (
	searcher role = iota // bound as the service account
	binder               // to bind as users, one after the other
)

var errClosed = errors.New("the Authenticator was closed")

// pool holds the connections to one host in one role, at most max of them.
type pool struct {
	idleTimeout time.Duration
	slots       chan struct{} // one element for each connection in use

	mu     sync.Mutex
	idle   []*conn // the longest idle first; together with those in use at most cap(slots)
	timer  *time.Timer
	closed bool
}

// take returns an idle connection, or nil when the caller should open one. Each
// take without an error must be followed by one put.
func (p *pool) take(ctx context.Context) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, primary.FieldErrorf("all %d connections ({MaxConns}) are busy: %w", cap(p.slots), ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		<-p.slots
		return nil, errClosed
	}
	for n := len(p.idle); n > 0; n = len(p.idle) {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		if !c.IsClosing() { // the directory may have hung up meanwhile
			c.reused = true
			return c, nil
		}
	}
	return nil, nil
}

// put takes a connection back, to be used again if keep says so. c is nil when
// none could be opened.
func (p *pool) put(c *conn, keep bool) {
	if c != nil && (!keep || !p.store(c)) {
		c.kill()
	}
	<-p.slots
}

// store puts c among the idle ones and reports whether it did.
func (p *pool) store(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	c.idleSince = time.Now()
	p.idle = append(p.idle, c)
	if p.timer == nil {
		p.timer = time.AfterFunc(p.idleTimeout, p.reap)
	}
	return true
}

// reap closes what has been idle for idleTimeout and comes back for the rest.
func (p *pool) reap() {
	p.mu.Lock()
	p.timer = nil
	now, n := time.Now(), 0
	for n < len(p.idle) && now.Sub(p.idle[n].idleSince) >= p.idleTimeout {
		n++
	}
	old := p.idle[:n:n]
	p.idle = p.idle[n:]
	if len(p.idle) > 0 {
		p.timer = time.AfterFunc(p.idleTimeout-now.Sub(p.idle[0].idleSince), p.reap)
	}
	p.mu.Unlock()
	for _, c := range old {
		c.retire()
	}
}

// drop closes the idle connections: when one of them turned out to be dead, the
// others are too, as a rule.
func (p *pool) drop() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.retire()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.drop()
}
