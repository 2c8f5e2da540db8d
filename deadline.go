package radmfa

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// deadline is context.WithDeadline without a timer until somebody waits: most
// requests, and calls of a Store in memory, end before anybody does. Make it with
// set, and end it.
type deadline struct {
	parent context.Context
	at     time.Time

	mu      sync.Mutex
	waited  context.Context // made by the first to wait
	release context.CancelFunc
	ended   bool // nobody may wait any more
}

func (d *deadline) set(parent context.Context, after time.Duration) {
	d.parent, d.at = parent, time.Now().Add(after)
	if earlier, ok := parent.Deadline(); ok && earlier.Before(d.at) {
		d.at = earlier
	}
}

// end releases what somebody waited with. From now on the context is cancelled.
func (d *deadline) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.release != nil {
		d.release()
	}
}

// wait returns the context to wait with.
func (d *deadline) wait() context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited == nil {
		d.waited, d.release = context.WithDeadline(d.parent, d.at)
		if d.ended {
			d.release()
		}
	}
	return d.waited
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} { return d.wait().Done() }

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	waited, ended := d.waited, d.ended
	d.mu.Unlock()
	switch {
	case waited != nil:
		return waited.Err()
	case ended:
		return context.Canceled
	case d.parent.Err() != nil:
		return d.parent.Err()
	case !time.Now().Before(d.at):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. Once somebody waits, package context finds
// its own context in it.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	waited := d.waited
	d.mu.Unlock()
	if waited != nil {
		return waited.Value(key)
	}
	return d.parent.Value(key)
}

// Format implements fmt.Formatter: what a context holds belongs in no log.
func (d *deadline) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "radmfa.deadline(%s)", d.at.Format(time.RFC3339))
}
