package status

import (
	"crypto/tls"
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

// Certificate is what a peer has shown.
type Certificate struct {
	Section string    `json:"section"`
	Peer    string    `json:"peer"`
	Server  string    `json:"server"` // the name that was asked for
	Subject string    `json:"subject"`
	Issuer  string    `json:"issuer"`
	Expires time.Time `json:"expires"`
	Seen    time.Time `json:"seen"`
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
	r.certificates[key] = Certificate{
		Section: section, Peer: peer, Server: short(state.ServerName),
		Subject: short(leaf.Subject.String()), Issuer: short(leaf.Issuer.String()), Expires: leaf.NotAfter, Seen: now,
	}
}
