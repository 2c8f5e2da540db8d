package duo

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What is wrong on our side says nothing about the service.

// wantError is the failure of a call for a want of our own: descriptors, ports,
// memory, time of the processor, or a proxy that refuses.
type wantError struct{ err error }

func (e *wantError) Error() string { return e.err.Error() }
func (e *wantError) Unwrap() error { return e.err }

// waitedError is the failure of a call whose time was up before its request was
// written: it waited here for a connection. A probe can tell why.
type waitedError struct{ err error }

func (e *waitedError) Error() string {
	return e.err.Error() + ", while waiting for a connection to send the request"
}

func (e *waitedError) Unwrap() error { return e.err }

// late is how much later than due a timer may fire on a machine that has time
// for us.
const late = 250 * time.Millisecond

// classify marks the failure of a request that was written or not: own wants,
// and silence that is none.
func classify(ctx context.Context, wrote bool, err error) error {
	deadline, bounded := ctx.Deadline()
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && bounded && time.Since(deadline) > late:
		return &wantError{err} // this process ran late, so silence proves nothing
	case ctx.Err() != nil && !wrote:
		return &waitedError{err}
	case ownWant(err):
		return &wantError{err}
	}
	return err
}

// ownWant reports whether this machine, or the proxy, could not do what the call
// needed.
func ownWant(err error) bool {
	var refused *proxyError
	if errors.As(err, &refused) {
		return true
	}
	var lookup *net.DNSError
	for _, want := range ownErrors {
		if errors.Is(err, want) {
			return true
		}
		// The resolver keeps only the text of what it met.
		if errors.As(err, &lookup) && strings.Contains(lookup.Err, want.Error()) {
			return true
		}
	}
	return false
}

// proxyError is the error of an HTTP proxy that does not connect us, by its own
// will.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	text := "the HTTP proxy refuses to connect: " + strconv.Itoa(e.status) + " " + http.StatusText(e.status)
	switch e.status {
	case http.StatusProxyAuthRequired:
		text += ": it wants a user name and password"
	case http.StatusForbidden:
		text += ": let it connect to the API host"
	}
	return text
}

// checkProxy refuses the answer of a proxy to CONNECT unless it could not reach
// the service either.
func checkProxy(_ context.Context, _ *url.URL, _ *http.Request, answer *http.Response) error {
	switch answer.StatusCode {
	case http.StatusOK, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return nil
	}
	return &proxyError{answer.StatusCode}
}
