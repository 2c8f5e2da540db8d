package challenge

import (
	"context"
	"sync"
	"time"
)

// permits are what Acquire has given out. The zero value is ready.
type permits struct {
	mu   sync.Mutex
	byID map[key]map[key]time.Time // when each ends
}

// Acquire implements Shared. Permits do not count as sessions; expired ones are
// removed by later calls.
func (m *MemoryStore) Acquire(ctx context.Context, id, permit string, limit int, ttl time.Duration) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	p := &m.permits
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.sweep(now)
	k, name := keyOf(id), keyOf(permit)
	held := p.byID[k]
	prune(held, now)
	if _, mine := held[name]; !mine && len(held) >= limit {
		return false, nil
	}
	if held == nil {
		held = make(map[key]time.Time)
	}
	if held[name] = now.Add(ttl); ttl <= 0 {
		delete(held, name)
	}
	p.keep(k, held)
	return true, nil
}

// Release implements Shared.
func (m *MemoryStore) Release(ctx context.Context, id, permit string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p := &m.permits
	p.mu.Lock()
	defer p.mu.Unlock()
	k := keyOf(id)
	held := p.byID[k]
	delete(held, keyOf(permit))
	p.keep(k, held)
	return nil
}

func (p *permits) keep(id key, held map[key]time.Time) {
	if len(held) == 0 {
		delete(p.byID, id)
		return
	}
	if p.byID == nil {
		p.byID = make(map[key]map[key]time.Time)
	}
	p.byID[id] = held
}

// sweep prunes some ids. A call adds one at most.
func (p *permits) sweep(now time.Time) {
	looked := 0
	for id, held := range p.byID { // in random order
		prune(held, now)
		p.keep(id, held)
		if looked++; looked == 4 {
			return
		}
	}
}

func prune(held map[key]time.Time, now time.Time) {
	for permit, ends := range held {
		if !now.Before(ends) {
			delete(held, permit)
		}
	}
}
