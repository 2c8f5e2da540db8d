package main

import (
	"encoding/json"
	"sync"
)

// feed is what the page shows below: packets and log lines. It goes to everybody
// who looks, from the first that is still kept.
type feed struct {
	mu      sync.Mutex
	items   []item
	dropped int           // items before the first that is kept
	changed chan struct{} // closed when there is news
}

// item is an event of the page.
type item struct {
	kind string // "packet" or "log"
	data []byte // JSON
}

// maxItems is how many are kept.
const maxItems = 500

func newFeed() *feed { return &feed{changed: make(chan struct{})} }

func (f *feed) add(kind string, data []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.items = append(f.items, item{kind, data})
	if over := len(f.items) - maxItems; over > 0 {
		f.items = append([]item(nil), f.items[over:]...)
		f.dropped += over
	}
	f.wake()
}

func (f *feed) addJSON(kind string, value any) {
	if data, err := json.Marshal(value); err == nil {
		f.add(kind, data)
	}
}

// news tells all who look that there is something new.
func (f *feed) news() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.wake()
}

func (f *feed) wake() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// since returns the items from the nth on, the number after the last, and what is
// closed when there are more.
func (f *feed) since(n int) (items []item, next int, more <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := max(0, n-f.dropped)
	return f.items[first:], f.dropped + len(f.items), f.changed
}

// Write takes a line of slog's JSONHandler, which writes each at once.
func (f *feed) Write(line []byte) (int, error) {
	f.add("log", append([]byte(nil), line...))
	return len(line), nil
}
