package radius

import (
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/radmfa/radmfa/internal/signing"
)

// maxSigners is how many devices are remembered.
const maxSigners = 1 << 16

// signers learns which devices sign all their requests, see package signing. It
// learns from Access-Requests only: a Status-Server is always signed. The zero
// value is ready.
type signers struct {
	mu      sync.Mutex
	devices map[device]*signing.Peer
}

// device is what is learnt about: a named device, or else an address.
type device struct {
	name string
	addr netip.Addr
}

func deviceOf(c *Client, source netip.Addr) device {
	if c.Device != "" {
		return device{name: c.Device}
	}
	return device{addr: source}
}

// see notes an Access-Request. It reports whether this one made it known that
// the device signs, and whether it must have been signed and was not.
func (s *signers) see(d device, signed bool, now time.Time) (learned, missing bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.devices[d]
	if p == nil {
		if len(s.devices) >= maxSigners {
			return false, false
		}
		if s.devices == nil {
			s.devices = make(map[device]*signing.Peer)
		}
		p = &signing.Peer{}
		s.devices[d] = p
	}
	return p.See(signed, now)
}

// forget forgets everything.
func (s *signers) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices = nil
}

// ForgetSigners forgets which devices have signed all their requests, see
// MessageAuthenticatorAuto: a device that has stopped signing is served again.
func (s *Server) ForgetSigners() { s.signers.forget() }

// permitUnsigned reports whether a request may be served that is signed or not,
// under MessageAuthenticatorAuto.
func (s *Server) permitUnsigned(c *Client, source netip.AddrPort, signed bool) bool {
	learned, missing := s.signers.see(deviceOf(c, source.Addr()), signed, time.Now())
	if learned {
		s.logger().Info("radius: this device signs all its requests; unsigned ones will be dropped from now on",
			slog.String("source", source.Addr().String()), slog.String("client", c.String()))
	}
	return !missing
}
