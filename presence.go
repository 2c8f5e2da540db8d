package radmfa

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/radmfa/radmfa/challenge"
)

const (
	// leaseTime is how long a node that no longer renews its lease is taken to be
	// alive, renewLease how often it renews it.
	leaseTime  = 3 * time.Second
	renewLease = time.Second
)

// presence is the lease by which other nodes know that this one still decides
// the sessions that it claimed. One lease serves all of them. It is renewed only
// while there are any, and only in a Store that others may share. The zero value
// is ready.
type presence struct {
	once sync.Once
	id   string

	mu      sync.Mutex
	claims  int
	running bool // a timer is armed
	left    bool // given up for good, see handOver
}

// name identifies this process in a session.
func (p *presence) name() string {
	p.once.Do(func() { p.id = rand.Text() })
	return p.id
}

// enter is called for each session that was claimed, leave when it is settled.
func (p *presence) enter(s *Server) {
	if !s.shared() {
		return
	}
	p.mu.Lock()
	p.claims++
	start := !p.running && !p.left
	p.running = p.running || start
	p.mu.Unlock()
	if start {
		p.renew(s)
	}
}

func (p *presence) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.claims > 0 {
		p.claims--
	}
}

// renew renews the lease, and comes back for it while there are claims.
func (p *presence) renew(s *Server) {
	p.mu.Lock()
	p.running = p.claims > 0 && !p.left
	again := p.running
	p.mu.Unlock()
	if !again {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), renewLease)
	defer cancel()
	b := s.box(purposeNode, p.name())
	if err := s.store().Put(ctx, b.name, b.seal(nil), leaseTime); err != nil {
		s.logger().Warn("radmfa: the lease of this node cannot be renewed", "error", err)
	}
	time.AfterFunc(renewLease, func() { p.renew(s) })
}

// handOver gives the lease up, so that another node takes over at once.
func (p *presence) handOver(ctx context.Context, s *Server) error {
	p.mu.Lock()
	p.left = true
	p.mu.Unlock()
	return s.store().Put(ctx, s.box(purposeNode, p.name()).name, nil, 0)
}

// handedOver reports whether other nodes decide what this one has claimed.
func (p *presence) handedOver() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// watch is how a request watches the node that decides its session.
type watch struct {
	server *Server
	waited bool
	pause  time.Duration
	absent time.Time // since when no lease has been seen
}

// next returns how long to wait before looking again.
func (w *watch) next() time.Duration {
	w.waited = true
	w.pause = min(max(2*w.pause, minPoll), maxPoll)
	return w.pause
}

// gone reports whether the owner of a session is dead: it has had no lease for
// the time in which it would have renewed it.
func (w *watch) gone(ctx context.Context, owner string) bool {
	if owner == w.server.presence.name() {
		return false // this very process decides it
	}
	_, err := w.server.store().Get(ctx, w.server.box(purposeNode, owner).name)
	if !errors.Is(err, challenge.ErrNotFound) {
		w.absent = time.Time{}
		return false
	}
	now := time.Now()
	if w.absent.IsZero() {
		w.absent = now
	}
	// Its first lease may be on the way.
	return now.Sub(w.absent) >= renewLease/2
}
