package duo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	outageFailures = 3               // failures in a row to reach the service that make an outage likely
	probeTimeout   = 2 * time.Second // for one probe
	probeLasts     = time.Second     // how long its verdict counts
)

// outage keeps an outage from costing every login a whole timeout. Once the
// service could not be reached several times in a row, a probe decides before
// each Preauth whether it is out of reach now: the unsigned ping, shared by all
// logins, on a connection of its own. The zero value is ready.
type outage struct {
	mu       sync.Mutex
	failures int   // in a row
	cause    error // of the last; nil: no outage is likely
	probe    *probe
}

// probe is one look at whether the service can be reached.
type probe struct {
	done    chan struct{}
	ended   time.Time
	verdict verdict
}

// verdict is what a probe found out.
type verdict int

const (
	unknown     verdict = iota // our own want kept us from finding out
	reachable                  // any answer
	unreachable                // no connection, no TLS, or no answer to a request that was written
)

// suspected returns the cause of a likely outage, or nil.
func (o *outage) suspected() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

// note counts the outcome of a call, and reports whether that began or ended an
// outage.
func (o *outage) note(err error) (changed bool) {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil, e.Status != 0: // it answered, whatever it said
		return o.end()
	case e.Unavailable():
		o.failures++
		if o.failures >= outageFailures {
			began := o.cause == nil
			o.cause = err
			return began
		}
	}
	return false
}

// end forgets the failures, and reports whether there was an outage.
func (o *outage) end() bool {
	was := o.cause != nil
	o.failures, o.cause = 0, nil
	return was
}

// join returns the probe that is running or has just ended, or a new one for the
// caller to run.
func (o *outage) join(now time.Time) (p *probe, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p := o.probe; p != nil && (p.ended.IsZero() || now.Sub(p.ended) < probeLasts) {
		return p, false
	}
	o.probe = &probe{done: make(chan struct{})}
	return o.probe, true
}

// look asks the shared probe.
func (c *Client) look(ctx context.Context) verdict {
	p, first := c.outage.join(time.Now())
	if !first {
		select {
		case <-p.done:
			return p.verdict
		case <-ctx.Done():
			return unknown
		}
	}
	defer func() { // also when the caller's transport panics
		c.outage.mu.Lock()
		p.ended = time.Now()
		c.outage.mu.Unlock()
		close(p.done)
	}()
	p.verdict = c.ping(context.WithoutCancel(ctx)) // others wait for it
	return p.verdict
}

// ping is the probe.
func (c *Client) ping(ctx context.Context) verdict {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	k := &call{name: "ping", method: http.MethodGet, unsigned: true, probe: true}
	a, _, err := c.send(ctx, k)
	switch {
	case a != nil:
		return reachable
	case (&Error{Call: k.name, Err: err}).Unavailable():
		return unreachable
	}
	return unknown
}

// guarded makes a call of Preauth, unless the service is out of reach now.
func (c *Client) guarded(ctx context.Context, call func() error) error {
	if cause := c.outage.suspected(); cause != nil {
		switch c.look(ctx) {
		case unreachable:
			return &Error{Call: "preauth", Err: fmt.Errorf("%w: %w", ErrNotAsked, cause)}
		case reachable:
			c.outage.mu.Lock()
			ended := c.outage.end()
			c.outage.mu.Unlock()
			c.tell(ended, nil)
		}
	}
	err := call()
	var waited *waitedError
	if errors.As(err, &waited) && c.look(ctx) == unreachable {
		// It waited here for a connection that nobody could have made.
		err = &Error{Call: "preauth", Err: waited.err}
	}
	c.tell(c.outage.note(err), err)
	return err
}

// tell calls OnOutage when something has changed.
func (c *Client) tell(changed bool, err error) {
	if !changed || c.OnOutage == nil {
		return
	}
	var e *Error
	if errors.As(err, &e) && e.Status == 0 {
		c.OnOutage(true, err)
	} else {
		c.OnOutage(false, nil)
	}
}
