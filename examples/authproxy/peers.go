package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
)

// The peers whose health and certificates are told.
const (
	peerService     = "service"
	peerFirstFactor = "first_factor"
)

// condition is how a peer does.
type condition string

const (
	isUnknown  condition = "unknown"  // nobody has asked yet
	isUp       condition = "up"       // it answers
	isDown     condition = "down"     // it cannot be asked
	isRefusing condition = "refusing" // it answers, and refuses what this daemon asks
)

// conditions are all of them.
var conditions = []condition{isUnknown, isUp, isDown, isRefusing}

// peer names a peer of a section.
type peer struct{ section, name string }

// report is the last that is known of a peer.
type report struct {
	is    condition
	code  int   // of the service's refusal; 0: none
	err   error // what is wrong, with a hint; nil: nothing
	asked time.Time
	bad   int  // reports in a row that it did not work
	soon  bool // a probe should find out more
}

// peers are the reports on all peers.
type peers struct {
	mu      sync.RWMutex
	reports map[peer]report
}

// keep forgets the peers of other sections, begins with those of new ones, and
// makes all due: their settings may have changed.
func (p *peers) keep(sections map[string]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := map[peer]report{}
	for section := range sections {
		for _, name := range []string{peerService, peerFirstFactor} {
			who := peer{section, name}
			r := report{is: isUnknown}
			if last, ok := p.reports[who]; ok {
				r.is, r.code, r.err = last.is, last.code, last.err
			}
			kept[who] = r
		}
	}
	p.reports = kept
}

// of returns what is known of a peer.
func (p *peers) of(section, name string) report {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.reports[peer{section, name}]
}

// each calls tell for every peer.
func (p *peers) each(tell func(peer, report)) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for who, r := range p.reports {
		tell(who, r)
	}
}

// notePeer keeps a report on a peer. It returns what peers.note does.
func (d *daemon) notePeer(section, name string, r report) (before condition, changed bool) {
	if r.is != isUnknown {
		d.recorder.Peer(section, name, string(r.is), r.err, time.Now())
	}
	return d.peers.note(section, name, r)
}

// note keeps a report. It returns the condition before, and whether that has
// changed.
func (p *peers) note(section, name string, r report) (before condition, changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	who := peer{section, name}
	last, ok := p.reports[who]
	if !ok || r.is == isUnknown {
		return "", false
	}
	r.asked = time.Now()
	if r.is != isUp {
		r.bad = last.bad + 1
	}
	if r.soon && r.is != last.is {
		r.asked = time.Time{}
	}
	p.reports[who] = r
	return last.is, last.is != r.is
}

// errLogin stands for what a first factor said of a login: that may name the
// user, or be about that user only. A probe finds out more.
var errLogin = errors.New("a login got no answer, see the log")

// seen is the report that an event makes, with the peer that it is about.
func seen(e radmfa.Event) (name string, r report) {
	failed := error(nil)
	if e.Result == radmfa.ResultFailed {
		failed = e.Err
	}
	switch e.Stage {
	case radmfa.StagePrimary:
		r = firstFactorReport(failed)
		if r.is == isDown {
			r.err, r.soon = errLogin, true
		}
		return peerFirstFactor, r
	case radmfa.StagePreauth:
		if !e.Fallback { // which answers for itself
			return peerService, serviceReport(failed)
		}
	}
	return "", report{is: isUnknown}
}

// firstFactorReport says what an attempt to ask a first factor tells.
func firstFactorReport(err error) report {
	switch {
	case err == nil:
		return report{is: isUp}
	case errors.Is(err, context.Canceled):
		return report{is: isUnknown}
	}
	return report{is: isDown, err: err}
}

// serviceReport says what an attempt to ask the service tells. What the service
// minds about one login (a code such as 40002) tells nothing about others.
func serviceReport(err error) report {
	var e *duo.Error
	switch {
	case err == nil:
		return report{is: isUp}
	case !errors.As(err, &e), errors.Is(err, context.Canceled):
		return report{is: isUnknown}
	case e.Unavailable():
		return report{is: isDown, err: err}
	}
	switch max(e.Status, e.Code/100) {
	case 401, 403, 429:
		return report{is: isRefusing, code: e.Code, err: err}
	case 0:
		return report{is: isUnknown} // a want of this machine
	}
	return report{is: isUp}
}

// tell logs that a peer begins or ceases to work. Of an outage that logins
// notice the section's client tells.
func tell(logger *slog.Logger, name string, before condition, r report, probed bool) {
	switch {
	case r.is == isRefusing:
		logger.Error("the service refuses what this daemon asks", "code", r.code, "error", r.err)
	case r.is == isUp && before == isRefusing:
		logger.Info("the service no longer refuses")
	case name == peerService && !probed:
	case r.is == isDown:
		logger.Warn(peerNames[name]+" cannot be asked", "error", r.err)
	case before == isDown:
		logger.Info(peerNames[name] + " can be asked again")
	}
}

var peerNames = map[string]string{peerService: "the service", peerFirstFactor: "the first factor"}
