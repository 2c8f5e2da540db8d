package radiusauth

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"
)

// How long the addresses of a name are remembered, and that it has none.
const (
	nameLasts   = 30 * time.Second
	noNameLasts = 3 * time.Second
)

// lookupAddrs resolves a name. Tests replace it.
var lookupAddrs = func(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// name is a Server that was given by name: its addresses are servers each.
type name struct {
	host, port string

	mu        sync.Mutex
	until     time.Time
	addresses []string           // host:port, in order
	servers   map[string]*server // by address, with what is known of them
}

// resolved returns the servers that a configured one stands for: itself, or one for
// each address of its name. Where the name cannot be resolved it is itself, so
// that dialling it says why.
func (s *server) resolved(ctx context.Context) []*server {
	n := s.name
	if n == nil {
		return []*server{s}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); !now.Before(n.until) {
		found, err := lookupAddrs(ctx, n.host)
		switch {
		case err == nil && len(found) > 0:
			n.addresses, n.until = n.addresses[:0:0], now.Add(nameLasts)
			for _, a := range found {
				n.addresses = append(n.addresses, net.JoinHostPort(a.Unmap().String(), n.port))
			}
		case ctx.Err() == nil: // what was known goes on
			n.until = now.Add(noNameLasts)
		}
	}
	if len(n.addresses) == 0 {
		return []*server{s}
	}
	servers := make([]*server, len(n.addresses))
	for i, address := range n.addresses {
		if n.servers[address] == nil {
			if n.servers == nil {
				n.servers = make(map[string]*server)
			}
			n.servers[address] = &server{Server: s.Server, auth: s.auth, pool: s.pool, log: s.log, address: address}
		}
		servers[i] = n.servers[address]
	}
	return servers
}

// known returns every server that has been asked, for the answer to a challenge.
func (s *server) known() []*server {
	if s.name == nil {
		return []*server{s}
	}
	s.name.mu.Lock()
	defer s.name.mu.Unlock()
	all := []*server{s}
	for _, each := range s.name.servers {
		all = append(all, each)
	}
	return all
}
