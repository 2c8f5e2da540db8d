package duo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	breakerFailures = 3               // unavailable calls in a row that open the breaker
	breakerPause    = 5 * time.Second // how long calls then fail at once
	breakerPatience = 5 * time.Second // a call whose ctx ends earlier says nothing
)

// breaker keeps an outage from costing every login a whole timeout. The zero
// value is closed and lets every call through. Open, it lets nothing through for
// breakerPause, and after that one call at a time, until one is answered.
type breaker struct {
	mu       sync.Mutex
	failures int       // in a row, while closed
	until    time.Time // zero: closed
	probing  bool
	cause    error
}

// enter asks to make a call. It returns an error where that is not to be tried.
// Otherwise leave is to be called with the call's outcome.
func (b *breaker) enter() (probe bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return false, nil
	}
	if b.probing || time.Now().Before(b.until) {
		return false, fmt.Errorf("%w: %w", ErrNotAsked, b.cause)
	}
	b.probing = true
	return true, nil
}

// leave tells the outcome of a call and reports whether that opened or closed
// the breaker. A call that was cancelled says nothing of the service.
func (b *breaker) leave(probe bool, out outcome, cause error) (changed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if probe {
		b.probing = false
	}
	open := !b.until.IsZero()
	switch out {
	case answered:
		b.failures, b.until, b.cause = 0, time.Time{}, nil
		return open
	case unavailable:
		b.failures++
		if open && probe || !open && b.failures >= breakerFailures {
			b.until, b.cause = time.Now().Add(breakerPause), cause
			return !open
		}
	}
	return false
}

// guarded makes a call of preauth, unless the breaker is open.
func (c *Client) guarded(ctx context.Context, call func() error) (err error) {
	probe, err := c.breaker.enter()
	if err != nil {
		return &Error{Call: "preauth", Err: err}
	}
	out := unknown // when call panics, too
	defer func() {
		if !c.breaker.leave(probe, out, err) || c.OnBreaker == nil {
			return
		}
		if out == unavailable {
			c.OnBreaker(true, err)
		} else {
			c.OnBreaker(false, nil)
		}
	}()
	begun := time.Now()
	err = call()
	if ctx.Err() == nil || time.Since(begun) >= breakerPatience {
		out = outcomeOf(err)
	}
	return err
}

// outcome is what a call says of the service's health.
type outcome int

const (
	unknown outcome = iota
	answered
	unavailable
)

func outcomeOf(err error) outcome {
	var e *Error
	switch {
	case IsUnavailable(err):
		return unavailable
	case err == nil, errors.As(err, &e) && e.Status != 0:
		return answered
	}
	return unknown
}
