package status

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// The peers of a section.
const (
	FirstFactor = "first_factor"
	Service     = "service"
	Redis       = "redis"
)

// The states of a peer.
const (
	Unknown  = "not asked yet"
	Up       = "up"
	Refusing = "refusing" // it answers, and refuses every request of ours
	Down     = "down"
)

// PeerState is what is known of a peer. A zero time: never.
type PeerState struct {
	State   string    `json:"state"`
	Answer  time.Time `json:"last_answer,omitzero"`
	Failure time.Time `json:"last_failure,omitzero"`
	Error   string    `json:"last_error,omitempty"` // of that failure, and what to do
}

type peerKey struct{ section, peer string }

func (p PeerState) next(state string, err error, now time.Time) PeerState {
	p.State = state
	if state != Down {
		p.Answer = now
	}
	if err != nil {
		p.Failure, p.Error = now, short(err.Error())
	}
	return p
}

// maxCertificates bounds those that are remembered.
const maxCertificates = 128

// Whom the daemon's own certificates are for, where other certificates have a
// peer.
const (
	ToDevices = "own, for devices"
	ToServers = "own, for servers"
)

// Certificate is what a peer has shown, or the daemon shows.
type Certificate struct {
	Section string    `json:"section"`
	Peer    string    `json:"peer"`
	Server  string    `json:"server"` // the name that was asked for; of an own one its file
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
	Seen    time.Time `json:"seen,omitzero"`
}

type certificateKey struct{ section, peer, server string }

func (r *Recorder) showed(section, peer string, state tls.ConnectionState, now time.Time) {
	if len(state.PeerCertificates) == 0 {
		return
	}
	leaf := state.PeerCertificates[0]
	key := certificateKey{section, peer, state.ServerName}
	if _, known := r.certificates[key]; !known && len(r.certificates) >= maxCertificates {
		return
	}
	if r.certificates == nil {
		r.certificates = map[certificateKey]Certificate{}
	}
	c := NewCertificate(section, peer, state.ServerName, leaf)
	c.Seen = now
	r.certificates[key] = c
}

// NewCertificate is a certificate of a peer, or of the daemon itself.
func NewCertificate(section, peer, server string, c *x509.Certificate) Certificate {
	return Certificate{
		Section: section, Peer: peer, Server: short(server),
		Subject: short(c.Subject.String()), Issuer: short(c.Issuer.String()), Expires: c.NotAfter,
	}
}
