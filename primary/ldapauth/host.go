package ldapauth

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/radmfa/radmfa/internal/deadline"
	"github.com/radmfa/radmfa/primary"
)

// demotion is how long a host that failed is asked last.
const demotion = 30 * time.Second

// host is one server of the directory.
type host struct {
	dir  *directory
	addr string
	tls  *tls.Config
	pool [2]pool // by role

	failures atomic.Uint64 // logins that it gave no answer

	mu        sync.Mutex
	domain    *domain   // nil: not known yet
	downSince time.Time // zero while it works
	retryAt   time.Time // when it gets its place in the order back
}

// login asks the hosts in turn, and once more those that went away only just.
func (d *directory) login(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ldapauth: %w", err)
	}
	result, hosts, err := d.round(ctx, d.order(), r)
	pause := 50 * time.Millisecond
	for len(hosts) > 0 {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errors.Join(err, ctx.Err())
		}
		pause = min(2*pause, time.Second)
		last := err
		result, hosts, err = d.round(ctx, hosts, r)
		if err != nil && !errors.Is(err, primary.ErrRejected) && ctx.Err() != nil {
			return nil, errors.Join(last, ctx.Err()) // err is only that ctx ended
		}
	}
	return result, err
}

// round asks hosts until one answers. When none does it returns those that are
// worth asking again, and what is wrong with all of them.
func (d *directory) round(ctx context.Context, hosts []*host, r *primary.Request) (*primary.Result, []*host, error) {
	var again []*host
	var failures []error
	for i, h := range hosts {
		started := time.Now()
		result, err := h.login(ctx, len(hosts)-i, r)
		if err == nil || errors.Is(err, primary.ErrRejected) {
			h.up()
			return result, nil, err
		}
		h.failures.Add(1)
		failures = append(failures, fmt.Errorf("ldapauth: %s: %w", h.addr, err))
		if ctx.Err() != nil || errors.Is(err, errClosed) {
			return nil, nil, errors.Join(failures...)
		}
		var unfit *openError
		if lost := !usable(err); lost || errors.As(err, &unfit) {
			if away := h.down(started, err); lost && away < d.patience(err) {
				again = append(again, h)
			}
		}
	}
	return nil, again, errors.Join(failures...)
}

// patience is how long a host that went away is waited for, so that its restart
// costs no login.
func (d *directory) patience(err error) time.Duration {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return cmp.Or(d.RefusedFor, DefaultRefusedFor)
	}
	return d.timeout()
}

// order returns the hosts, those last that failed a short time ago.
func (d *directory) order() []*host {
	now := time.Now()
	var first, last []*host
	for _, h := range d.hosts {
		if h.trusted(now) {
			first = append(first, h)
		} else {
			last = append(last, h)
		}
	}
	return append(first, last...)
}

// trusted reports whether the host may be asked in its turn. When a host that
// failed is due again only one login is told so and has to find out.
func (h *host) trusted(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.downSince.IsZero() {
		return true
	}
	if now.Before(h.retryAt) {
		return false
	}
	h.retryAt = now.Add(demotion)
	return true
}

func (h *host) up() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.downSince.IsZero() {
		h.downSince = time.Time{}
		h.dir.log.Info("LDAP host works again", "host", h.addr)
	}
}

// down notes that the host failed and returns how long it has been failing.
func (h *host) down(started time.Time, err error) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if h.downSince.IsZero() {
		h.downSince, h.domain = started, nil
		h.dir.log.Warn("LDAP host failed", "host", h.addr, "error", err)
	}
	h.retryAt = now.Add(demotion)
	return now.Sub(h.downSince)
}

// login checks one first factor at this host, within Timeout and this host's
// share of what ctx leaves for all hosts not yet asked.
func (h *host) login(ctx context.Context, hostsLeft int, r *primary.Request) (*primary.Result, error) {
	ctx, cancel := h.limit(ctx, hostsLeft)
	defer cancel()
	var u *user
	err := h.use(ctx, searcher, func(c *conn) (err error) {
		u, err = h.dir.find(c, r.Username)
		return err
	})
	if errors.Is(err, primary.ErrRejected) {
		_ = h.use(ctx, binder, h.dir.bindNobody) // so that it takes as long as a wrong password
	}
	if err != nil {
		return nil, err
	}
	err = h.use(ctx, binder, func(c *conn) error { return h.dir.bindUser(c, u, r.Password) })
	if err != nil {
		return nil, err
	}
	return u.result(), nil
}

// limit bounds what one host may cost: by Timeout, and by its share of what ctx
// leaves for all hosts not yet asked.
func (h *host) limit(ctx context.Context, hostsLeft int) (context.Context, context.CancelFunc) {
	limit := h.dir.timeout()
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/time.Duration(hostsLeft))
	}
	return context.WithTimeout(ctx, limit)
}

func (h *host) dropIdle() {
	for i := range h.pool {
		h.pool[i].drop()
	}
}

// openError is that of a host that gives us no connection to work with.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// use runs op on a connection. When the directory hung up on an idle one, or
// keeps silent on it, op runs again on another.
func (h *host) use(ctx context.Context, r role, op func(*conn) error) error {
	for {
		c, err := h.pool[r].take(ctx)
		if err != nil {
			return err
		}
		again, err := h.useOne(ctx, c, r, op)
		if !again {
			return err
		}
		h.dropIdle() // they may be cut off without knowing, like this one
		if ctx.Err() != nil {
			return err
		}
	}
}

// useOne runs op on c, which came out of the pool, or on a new connection where c
// is nil. It reports whether op should run again on another one.
func (h *host) useOne(ctx context.Context, c *conn, r role, op func(*conn) error) (again bool, err error) {
	keep := false
	defer func() { h.pool[r].put(c, keep) }() // also when op panics
	if c == nil {
		if c, err = h.open(ctx, r); err != nil {
			return false, &openError{err}
		}
	}
	if c.reused {
		var cancel context.CancelFunc
		ctx, cancel = deadline.Share(ctx, reusedShare)
		defer cancel()
	}
	err = c.do(ctx, op)
	keep = usable(err) && !c.cut
	return !keep && c.reused, err
}

// reusedShare is the part of the time that a connection gets which was idle: it
// may be silent because a firewall on the way has forgotten it.
const reusedShare = 3
