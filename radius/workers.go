package radius

import "sync"

// maxIdle is how many goroutines are kept for the next requests: a new one has to
// grow its stack first.
const maxIdle = 64

// workers are the goroutines that run handlers. The one that became idle last gets
// the next request, since its stack is still large and in the cache. The zero value
// is ready.
type workers struct {
	running sync.WaitGroup

	mu    sync.Mutex
	idle  []chan *request // the last one first
	ended bool
}

// start gives the request to an idle goroutine or to a new one.
func (w *workers) start(r *request) {
	w.mu.Lock()
	n := len(w.idle) - 1
	if n < 0 {
		w.mu.Unlock()
		w.running.Add(1)
		go w.work(r)
		return
	}
	next := w.idle[n]
	w.idle = w.idle[:n]
	w.mu.Unlock()
	next <- r
}

// work handles requests until enough other goroutines are idle.
func (w *workers) work(r *request) {
	defer w.running.Done()
	mine := make(chan *request, 1)
	for ok := true; ok; {
		r.run()
		if !w.rest(mine) {
			return
		}
		r, ok = <-mine
	}
}

// rest makes a goroutine idle, or tells it to end.
func (w *workers) rest(mine chan *request) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended || len(w.idle) == maxIdle {
		return false
	}
	w.idle = append(w.idle, mine)
	return true
}

// noMore lets idle goroutines end now, and the others once their handlers return. No
// request may be started any more.
func (w *workers) noMore() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for _, idle := range w.idle {
		close(idle)
	}
	w.idle = nil
}
