package radiusauth

import (
	"context"
	"errors"
	"sync"
)

// ServerStats is how one server does.
type ServerStats struct {
	// Server is "host:port". Where it is a name, its addresses are taken together.
	Server string

	// Failures counts how often the server was asked about a login and gave no
	// answer. The next one was asked then, if there was one.
	Failures uint64

	// Down says that there was no reply last, from none of its addresses, and that
	// the others are asked before it.
	Down bool
}

// Stats returns how each server does. It may be called at any time, asks nobody
// and returns nil where a field is wrong.
func (a *Authenticator) Stats() []ServerStats {
	if a.configure() != nil {
		return nil
	}
	all := make([]ServerStats, len(a.servers))
	for i, s := range a.servers {
		all[i] = s.stats()
	}
	return all
}

func (s *server) stats() ServerStats {
	stats := ServerStats{Server: s.address, Down: true}
	known := s.known()
	for i, each := range known {
		stats.Failures += each.failures.Load()
		if i == 0 && len(known) > 1 {
			continue // a name that stands for others
		}
		each.mu.Lock()
		stats.Down = stats.Down && each.down
		each.mu.Unlock()
	}
	return stats
}

// Probe sends every server a Status-Server (RFC 5997), and no login. Its error is
// nil as soon as one of them answers. That none does need not mean that they
// are down: a server may not know Status-Server.
func (a *Authenticator) Probe(ctx context.Context) error {
	if err := a.configure(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	failures := make([]error, len(a.servers))
	answered := make(chan struct{}, len(a.servers))
	for i, s := range a.servers {
		wg.Go(func() {
			if failures[i] = s.status(ctx); failures[i] == nil {
				answered <- struct{}{}
				cancel()
			}
		})
	}
	wg.Wait()
	if len(answered) > 0 {
		return nil
	}
	return errors.Join(failures...)
}
