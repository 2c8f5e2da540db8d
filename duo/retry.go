package duo

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxReconnects = 2                      // fresh connections after one that broke
	reconnectWait = 200 * time.Millisecond // before the second of them
	maxRepeats    = 6                      // after HTTP status 429
	maxPause      = 32 * time.Second       // longest pause between them
)

// reconnect makes ready for another try after a connection that broke or never
// was, and reports whether there is one.
func reconnect(ctx context.Context, w *web, try int, err error) bool {
	var untrusted *tls.CertificateVerificationError
	if ctx.Err() != nil || try >= maxReconnects || errors.As(err, &untrusted) {
		return false
	}
	w.closeIdle() // those connections are likely as dead
	return sleep(ctx, time.Duration(try)*reconnectWait)
}

// repeats counts the answers after which one call was made again. Such an answer
// says that the service has not acted on the request, which goes out anew, with
// a new signature.
type repeats struct {
	busy   int
	resync bool
}

// wait returns true when it is time to make the call again, and false when err
// is to stand.
func (r *repeats) wait(ctx context.Context, c *Client, k *call, a *answer, err *Error) bool {
	switch {
	case err.Code == CodeBadTimestamp && !k.unsigned && !r.resync:
		r.resync = true
		return c.resync(ctx, a)
	case err.Status == http.StatusTooManyRequests && r.busy < maxRepeats:
		pause := retryAfter(a.header)
		if pause == 0 {
			pause = time.Second << r.busy
		}
		r.busy++
		pause += rand.N(time.Second) // so that those refused together come back apart
		deadline, bounded := ctx.Deadline()
		if pause > maxPause+time.Second || bounded && time.Until(deadline) <= pause {
			return false
		}
		return sleep(ctx, pause)
	}
	return false
}

// resync learns the service's time from an answer that refused ours.
func (c *Client) resync(ctx context.Context, a *answer) bool {
	if c.clock.setFrom(a.header) {
		return true
	}
	_, err := c.Ping(ctx)
	return err == nil
}

// retryAfter is the pause that an answer asks for, in seconds or as a date by
// the service's clock; 0 when it asks for none.
func retryAfter(h http.Header) time.Duration {
	for _, name := range []string{"Retry-After", "X-Retry-After"} {
		v := h.Get(name)
		if s, err := strconv.ParseUint(v, 10, 32); err == nil {
			return time.Duration(s) * time.Second
		}
		then, err := http.ParseTime(v)
		if err != nil {
			continue
		}
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(then.Sub(now), 0)
	}
	return 0
}

// sleep waits and reports whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
