package ldapauth

// HostStats is how one host of the directory does.
type HostStats struct {
	// Host is "host:port".
	Host string

	// Busy and Idle are connections: those that logins use now, and those that
	// wait for one.
	Busy, Idle int

	// Failures counts how often the host was asked about a login and gave no
	// answer. The next one was asked then, if there was one.
	Failures uint64

	// Down says that the host failed last, and is asked after the others.
	Down bool
}

// Stats returns how each host does. It may be called at any time, asks nobody
// and returns nil where a field is wrong.
func (a *Authenticator) Stats() []HostStats {
	dir, err := a.directory()
	if err != nil {
		return nil
	}
	all := make([]HostStats, len(dir.hosts))
	for i, h := range dir.hosts {
		all[i] = h.stats()
	}
	return all
}

func (h *host) stats() HostStats {
	s := HostStats{Host: h.addr, Failures: h.failures.Load()}
	for i := range h.pool {
		s.Busy += len(h.pool[i].slots)
		s.Idle += h.pool[i].waiting()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s.Down = !h.downSince.IsZero()
	return s
}

// waiting returns how many connections are idle.
func (p *pool) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.idle)
}
