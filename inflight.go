package radmfa

import (
	"sync"
	"time"
)

// inFlight lets requests that are the same share one decision, as singleflight
// does. The zero value is ready.
type inFlight[K comparable] struct {
	mu      sync.Mutex
	flights map[K]*flight
}

// flight is a request that others wait for.
type flight struct {
	done     chan struct{} // made for the first to wait
	ended    bool
	decision decision // once done is closed
}

// join returns the flight under key, and whether that is the caller's own, since
// it is the first: then it must call end.
func (i *inFlight[K]) join(key K, own *flight) (f *flight, first bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if f = i.flights[key]; f != nil {
		if f.done == nil {
			f.done = make(chan struct{})
			if f.ended {
				close(f.done)
			}
		}
		return f, false
	}
	if i.flights == nil {
		i.flights = make(map[K]*flight)
	}
	i.flights[key] = own
	return own, true
}

// end gives the decision to those who wait, and to those who ask within keep.
func (i *inFlight[K]) end(key K, f *flight, d decision, keep time.Duration) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f.decision, f.ended = d, true
	if f.done != nil {
		close(f.done)
	}
	if keep <= 0 {
		delete(i.flights, key)
		return
	}
	time.AfterFunc(keep, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		delete(i.flights, key)
	})
}
