package status

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
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

func (r *Recorder) peer(section, peer string) *PeerState {
	key := peerKey{section, peer}
	if r.peers[key] == nil {
		if r.peers == nil {
			r.peers = map[peerKey]*PeerState{}
		}
		r.peers[key] = &PeerState{State: Unknown}
	}
	return r.peers[key]
}

func (p *PeerState) answered(now time.Time) { p.State, p.Answer = Up, now }

func (p *PeerState) failed(err error, now time.Time) {
	if err == nil || errors.Is(err, context.Canceled) {
		return // it says nothing about the peer
	}
	p.Failure, p.Error = now, short(err.Error())
	var refusal *duo.Error
	switch {
	case !errors.As(err, &refusal) || refusal.Unavailable() || refusal.Status == 0:
		p.State = Down
	case refusal.Status == http.StatusUnauthorized, refusal.Status == http.StatusForbidden:
		p.State, p.Answer = Refusing, now
	default:
		p.State, p.Answer = Up, now // it has not liked this one request
	}
}

// judge learns from an event whether a peer answers.
func (r *Recorder) judge(e radmfa.Event, section string, login *Login) {
	switch e.Stage {
	case radmfa.StagePrimary:
		if e.Result == radmfa.ResultFailed {
			r.peer(section, FirstFactor).failed(e.Err, e.Time)
		} else {
			r.peer(section, FirstFactor).answered(e.Time)
		}
	case radmfa.StagePreauth, radmfa.StageAuth:
		switch {
		case login.fallback: // somebody else answers
		case e.Result == radmfa.ResultFailed:
			r.peer(section, Service).failed(e.Err, e.Time)
			login.fallback = e.Stage == radmfa.StagePreauth && r.peer(section, Service).State == Down
		case e.Stage == radmfa.StagePreauth || e.Status != "":
			r.peer(section, Service).answered(e.Time)
		}
	}
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
