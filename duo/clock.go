package duo

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock estimates the service's time: local time plus the last known offset.
// Requests are signed by it.
type clock struct {
	offset atomic.Int64 // nanoseconds
}

func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load()))
}

// set notes what time the service says it is.
func (c *clock) set(service time.Time) {
	c.offset.Store(int64(time.Until(service)))
}

// setFrom notes the Date of an answer, if there is one.
func (c *clock) setFrom(h http.Header) bool {
	date, err := http.ParseTime(h.Get("Date"))
	if err == nil {
		c.set(date)
	}
	return err == nil
}

// skew returns how far the Date of an answer is from the time that its request
// was signed for.
func (c *clock) skew(h http.Header) time.Duration {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return date.Sub(c.now())
}
