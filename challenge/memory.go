package challenge

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
)

// ErrFull is the error of a Store that holds as many sessions as it may: for a
// MemoryStore, MaxSessions.
var ErrFull = errors.New("challenge: the store is full: give it more room, or look for who starts so many logins")

const (
	defaultMaxSessions = 65536

	// sweep is how many expired sessions a call removes at most. A call adds at
	// most one, so two are enough to catch up, and no call waits for the backlog
	// of an idle hour.
	sweep = 2
)

// MemoryStore is a Store in the memory of this process. The zero value is ready
// to use. It must not be copied after first use.
//
// It starts no goroutine: expired sessions are removed by later calls, each of
// which takes O(log n) time.
type MemoryStore struct {
	// MaxSessions is how many sessions are kept at most; zero means 65,536. The
	// memory used is about that many times the size of a session plus 250 bytes.
	// When it is full, Put returns ErrFull for a new id: a flood rejects new logins
	// but never evicts one in progress. Do not change MaxSessions after first use.
	MaxSessions int

	mu   sync.Mutex
	data *sessions // nil until the first Put

	permits permits
}

// key is the hash of an id. The ids themselves are not kept, so that nothing
// that prints or dumps a MemoryStore gives one away.
type key [sha256.Size]byte

func keyOf(id string) key { return sha256.Sum256([]byte(id)) }

// sessions holds the same entries twice: by id, and as a heap whose first is the
// next to expire.
type sessions struct {
	byID   map[key]*entry
	expiry expiryHeap
}

type entry struct {
	key     key
	session []byte
	expires time.Time
	place   int // in the heap
}

// Len returns how many sessions are kept. Some of them may have expired.
func (m *MemoryStore) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.data == nil {
		return 0
	}
	return len(m.data.byID)
}

// Cap returns how many sessions there is room for.
func (m *MemoryStore) Cap() int { return m.maxSessions() }

// Put implements Store. It returns ErrFull when id is new and the store is full.
func (m *MemoryStore) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	return m.put(ctx, id, session, ttl, true)
}

// Add implements Shared. It returns ErrFull when the store is full.
func (m *MemoryStore) Add(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	return m.put(ctx, id, session, ttl, false)
}

func (m *MemoryStore) put(ctx context.Context, id string, session []byte, ttl time.Duration, replace bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if m.data == nil {
		m.data = &sessions{byID: make(map[key]*entry)}
	}
	m.data.sweep(now)
	k := keyOf(id)
	switch e := m.data.byID[k]; {
	case e != nil && !replace && !e.expired(now):
		return ErrConflict
	case e != nil:
		m.data.change(e, session, now.Add(ttl), now)
	case ttl <= 0:
	case len(m.data.byID) >= m.maxSessions():
		return ErrFull
	default:
		m.data.add(&entry{key: k, session: bytes.Clone(session), expires: now.Add(ttl)})
	}
	return nil
}

// Get implements Store.
func (m *MemoryStore) Get(ctx context.Context, id string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.find(id, time.Now())
	if e == nil {
		return nil, ErrNotFound
	}
	return bytes.Clone(e.session), nil
}

// CompareAndSwap implements Store. It needs no room and so never returns ErrFull.
func (m *MemoryStore) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	e := m.find(id, now)
	if e == nil {
		return ErrNotFound
	}
	if !bytes.Equal(e.session, old) {
		return ErrConflict
	}
	m.data.change(e, new, now.Add(ttl), now)
	return nil
}

// find returns the entry of a session that is there, or nil.
func (m *MemoryStore) find(id string, now time.Time) *entry {
	if m.data == nil {
		return nil
	}
	m.data.sweep(now)
	e := m.data.byID[keyOf(id)]
	if e == nil || e.expired(now) {
		return nil
	}
	return e
}

func (m *MemoryStore) maxSessions() int {
	if m.MaxSessions == 0 {
		return defaultMaxSessions
	}
	return m.MaxSessions
}

func (s *sessions) add(e *entry) {
	s.byID[e.key] = e
	heap.Push(&s.expiry, e)
}

func (s *sessions) remove(e *entry) {
	delete(s.byID, e.key)
	heap.Remove(&s.expiry, e.place)
}

// change gives an entry another session and life, or removes it if that is over.
func (s *sessions) change(e *entry, session []byte, expires, now time.Time) {
	e.session, e.expires = append(e.session[:0], session...), expires
	if e.expired(now) {
		s.remove(e)
		return
	}
	heap.Fix(&s.expiry, e.place)
}

// sweep removes the first few of the entries that have expired.
func (s *sessions) sweep(now time.Time) {
	for range sweep {
		if len(s.expiry) == 0 || !s.expiry[0].expired(now) {
			return
		}
		s.remove(s.expiry[0])
	}
}

func (e *entry) expired(now time.Time) bool { return !now.Before(e.expires) }

// expiryHeap implements heap.Interface.
type expiryHeap []*entry

func (h expiryHeap) Len() int           { return len(h) }
func (h expiryHeap) Less(i, j int) bool { return h[i].expires.Before(h[j].expires) }

func (h expiryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i, j
}

func (h *expiryHeap) Push(x any) {
	e := x.(*entry)
	e.place = len(*h)
	*h = append(*h, e)
}

func (h *expiryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil // let go of the session
	*h = (*h)[:last]
	return e
}
