// Package status remembers what an operator asks about: who was let in or refused
// and why, which senders were dropped, which peers answer. It keeps that in
// bounded memory, and shows it as text and on a web page.
package status

import (
	"cmp"
	"crypto/tls"
	"slices"
	"sync"
	"time"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/radius"
)

// Recorder is fed with what happens and gives copies of what it remembers. The
// zero value is ready. It is safe for concurrent use.
type Recorder struct {
	mu           sync.Mutex
	logins       logins
	waiting      map[string]Waiting // by login
	swept        time.Time
	minutes      minutes
	senders      senders
	peers        map[peerKey]PeerState
	certificates map[certificateKey]Certificate
}

// maxWaiting bounds the pushes that are remembered as waiting. A push lasts 60 s.
const (
	maxWaiting = 10_000
	pushLife   = 2 * time.Minute
)

// Waiting is a push or call that nobody has answered yet.
type Waiting struct {
	LoginID string    `json:"login_id"`
	Section string    `json:"section"`
	User    string    `json:"user"`
	NAS     string    `json:"nas"`
	Factor  string    `json:"factor"`
	Since   time.Time `json:"since"`
	Says    string    `json:"says,omitempty"` // the service, meanwhile
}

// Event records an event of a section.
func (r *Recorder) Event(e radmfa.Event, at Place) {
	section := at.Section.Name
	var verdict Verdict
	if e.Stage == radmfa.StageLogin {
		verdict = at.explain(e)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Result == radmfa.ResultWaiting {
		r.wait(e, section)
		return
	}
	if e.Stage == radmfa.StageAuth || e.Stage == radmfa.StageLogin && !e.Repeated {
		delete(r.waiting, e.LoginID)
	}
	login := r.logins.of(e, section)
	if e.Stage != radmfa.StageLogin {
		login.step(e)
		return
	}
	if e.Repeated {
		login.Repeats++
		if login.Result != "" {
			return
		}
	}
	login.end(e, verdict)
	if e.Result != radmfa.ResultChallenged && !e.Repeated {
		r.minutes.count(e)
	}
}

// wait notes a push that is under way.
func (r *Recorder) wait(e radmfa.Event, section string) {
	w, known := r.waiting[e.LoginID]
	if !known {
		if len(r.waiting) >= maxWaiting && e.Time.Sub(r.swept) > time.Second {
			r.forgetEnded(e.Time)
		}
		if len(r.waiting) >= maxWaiting {
			return
		}
		w = Waiting{
			LoginID: e.LoginID, Section: section, User: short(e.Username), NAS: addrText(e.NAS),
			Factor: string(e.Factor), Since: e.Time.Add(-e.Duration),
		}
	}
	if r.waiting == nil {
		r.waiting = map[string]Waiting{}
	}
	if login := r.logins.byID[e.LoginID]; login != nil {
		login.Result, login.Verdict = "", Verdict{Why: "waits for the user: " + w.Factor}
	}
	w.Says = short(cmp.Or(e.StatusMessage, string(e.Status)))
	r.waiting[e.LoginID] = w
}

// forgetEnded drops pushes whose end nobody has told.
func (r *Recorder) forgetEnded(now time.Time) {
	r.swept = now
	for id, w := range r.waiting {
		if now.Sub(w.Since) > pushLife {
			delete(r.waiting, id)
		}
	}
}

// Waiting returns the pushes that nobody has answered yet, the oldest first.
func (r *Recorder) Waiting(now time.Time) []Waiting {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetEnded(now)
	list := make([]Waiting, 0, len(r.waiting))
	for _, w := range r.waiting {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b Waiting) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.LoginID, b.LoginID))
	})
	return list
}

// Logins returns at most limit of the last logins that match, the newest first.
// Logins in flight do not wait for the search.
func (r *Recorder) Logins(limit int, f Filter) []Login {
	r.mu.Lock()
	list := r.logins.copies()
	r.mu.Unlock()
	list = slices.DeleteFunc(list, func(l Login) bool { return !f.match(&l) })
	slices.SortStableFunc(list, func(a, b Login) int { return b.Time.Compare(a.Time) })
	return list[:min(limit, len(list))]
}

// Minutes returns how the logins of the last hour ended, the oldest minute first.
func (r *Recorder) Minutes(now time.Time) []Minute {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.minutes.last(now)
}

// Drop records a datagram that a listener of a section dropped.
func (r *Recorder) Drop(section, listener string, d radius.Drop, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.senders.drop(section, listener, d, now)
}

// Senders returns who was dropped, the last first, and how many datagrams of
// others are not listed.
func (r *Recorder) Senders() (list []Sender, others uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.senders.list()
}

// Peer records how a peer does: one of the states, and why it does not answer or
// refuses.
func (r *Recorder) Peer(section, peer, state string, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.peers == nil {
		r.peers = map[peerKey]PeerState{}
	}
	key := peerKey{section, peer}
	r.peers[key] = r.peers[key].next(state, err, now)
}

// PeerState returns what is known of a peer.
func (r *Recorder) PeerState(section, peer string) PeerState {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.peers[peerKey{section, peer}]
	p.State = cmp.Or(p.State, Unknown)
	return p
}

// Showed records the certificate of a peer.
func (r *Recorder) Showed(section, peer string, state tls.ConnectionState, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.showed(section, peer, state, now)
}

// Certificates returns those that peers have shown, the first to expire first.
func (r *Recorder) Certificates() []Certificate {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]Certificate, 0, len(r.certificates))
	for _, c := range r.certificates {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Certificate) int {
		return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Section, b.Section), cmp.Compare(a.Server, b.Server))
	})
	return list
}

// Keep forgets the peers and dropped senders of other sections than these.
func (r *Recorder) Keep(sections map[string]bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.peers {
		if !sections[key.section] {
			delete(r.peers, key)
		}
	}
	for key := range r.certificates {
		if !sections[key.section] {
			delete(r.certificates, key)
		}
	}
	r.senders.keep(sections)
}

// Forgive forgets the senders that a changed configuration may let in.
func (r *Recorder) Forgive(section string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.senders.forgive(section)
}

// Filter chooses logins. A zero field matches all.
type Filter struct {
	Text    string // in user, device, address, reason: in any case of letters
	Account string // the user's name, with domain or without
	Section string
	Result  string
}

func (f Filter) match(l *Login) bool {
	if f.Section != "" && f.Section != l.Section || f.Result != "" && f.Result != l.Result {
		return false
	}
	if f.Account != "" && fold(f.Account) != fold(l.User) {
		return false
	}
	return f.Text == "" || l.contains(names.Fold(f.Text))
}

// fold is equal for the forms of a user's name.
func fold(user string) string { return names.Fold(radmfa.BareName(user)) }
