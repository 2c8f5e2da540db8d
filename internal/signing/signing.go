// Package signing decides when a peer that signs its packets has to go on signing.
package signing

import "time"

// A peer must go on signing once it has signed this many packets over this time,
// and sent no other. It is slow on purpose: a test by an operator, or one packet
// of an attacker, decides nothing.
const (
	Enough = 20
	Over   = 10 * time.Minute
)

// Peer is what is known of one peer. The zero value knows nothing. It is not safe
// for concurrent use.
type Peer struct {
	since   time.Time // of the first packet
	signed  int
	mixed   bool // it has sent an unsigned one
	learned bool
}

// See notes a packet. It reports whether this one made it known that the peer
// signs, and whether the packet should have been signed and was not.
func (p *Peer) See(signed bool, now time.Time) (learned, missing bool) {
	if p.since.IsZero() {
		p.since = now
	}
	switch {
	case p.learned:
		return false, !signed
	case !signed:
		p.mixed = true
	case !p.mixed:
		p.signed++
		p.learned = p.signed >= Enough && now.Sub(p.since) >= Over
		return p.learned, false
	}
	return false, false
}

// Must reports whether the peer has to sign.
func (p *Peer) Must() bool { return p.learned }
