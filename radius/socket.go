package radius

import (
	"context"
	"sync"
	"time"
)

// socket is where a dispatcher's packets come from, and how that ends.
type socket struct {
	*dispatcher
	transport transport

	stopping chan struct{} // closed when no more is to be read
	stopOnce sync.Once
	done     chan struct{} // closed when the transport is closed
}

// transport is what a socket reads from.
type transport interface {
	// wake makes what reads look at stopping.
	wake()
	// close closes everything. It may be called twice.
	close()
}

func newSocket(d *dispatcher, t transport) *socket {
	return &socket{dispatcher: d, transport: t, stopping: make(chan struct{}), done: make(chan struct{})}
}

// isStopping reports whether no more is to be read.
func (s *socket) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// stop ends the socket: no more is read, handlers may finish until ctx ends. The
// error is ctx's, when some had not.
func (s *socket) stop(ctx context.Context) (err error) {
	s.stopOnce.Do(func() {
		close(s.stopping)
		s.transport.wake()
		go s.finish()
	})
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	if s.replies.waiting() > 0 {
		err = ctx.Err()
	}
	s.cancel()
	select {
	case <-s.done:
	case <-time.After(shutdownGrace):
		s.transport.close()
	}
	return err
}

// finish closes the transport once nothing is read any more and every handler
// has returned.
func (s *socket) finish() {
	s.running.Wait()
	s.cancel()
	s.transport.close()
	close(s.done)
}
