package status

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/internal/names"
)

// The bounds of what is remembered of logins: about 10 MB at most.
const (
	maxLogins = 2000
	maxSteps  = 6
	maxText   = 300 // bytes
)

// Login is one login, its challenges and answers included.
type Login struct {
	ID         string    `json:"login_id"`
	Time       time.Time `json:"time"` // of what was last heard of it
	Section    string    `json:"section"`
	User       string    `json:"user"`
	NAS        string    `json:"nas"`
	Device     string    `json:"device,omitempty"` // the NAS, as the file names it
	ClientIP   string    `json:"client_ip,omitempty"`
	Factor     string    `json:"factor,omitempty"`
	Cause      string    `json:"cause,omitempty"`
	Result     string    `json:"result"` // accepted, rejected, challenged, ignored, failed; empty: under way
	Status     string    `json:"status,omitempty"`
	FailedOpen bool      `json:"failed_open,omitempty"`
	Fallback   bool      `json:"fallback,omitempty"` // a code of totp_file was asked for
	Repeats    int       `json:"repeats,omitempty"`  // how often the device asked again
	Verdict
	Steps []Step `json:"steps,omitempty"`
}

// Verdict says in words why a login ended as it did.
type Verdict struct {
	Why     string   `json:"why"`
	Decides []string `json:"decided_by,omitempty"`  // lines of the file, or settings elsewhere
	Detail  string   `json:"detail,omitempty"`      // what the program logs, where that is more
	Said    string   `json:"service_msg,omitempty"` // the service's own words
}

// Step is a stage of a login.
type Step struct {
	Time   time.Time `json:"time"`
	Stage  string    `json:"stage"`
	Result string    `json:"result"`
	Factor string    `json:"factor,omitempty"`
	Text   string    `json:"text,omitempty"`
	Millis int64     `json:"duration_ms"`
}

// Outcome is the result in a word or two for people.
func (l *Login) Outcome() string {
	switch radmfa.Result(l.Result) {
	case radmfa.ResultAccepted:
		if l.FailedOpen {
			return "let in without a second factor"
		}
		return "let in"
	case radmfa.ResultRejected:
		return "denied"
	case radmfa.ResultFailed:
		return "failed"
	case radmfa.ResultChallenged:
		return "asked"
	case radmfa.ResultIgnored:
		return "no reply"
	}
	return "under way"
}

// step notes the end of a stage before the last.
func (l *Login) step(e radmfa.Event) {
	text := cmp.Or(e.Reason, e.StatusMessage)
	if e.Err != nil {
		text = strings.TrimPrefix(text+": "+e.Err.Error(), ": ")
	}
	kept := l.Steps[max(0, len(l.Steps)+1-maxSteps):]
	l.Steps = append(slices.Clone(kept), Step{ // whoever has a copy of l goes on reading the old ones
		Time: e.Time, Stage: string(e.Stage), Result: string(e.Result), Factor: string(e.Factor),
		Text: short(text), Millis: e.Duration.Milliseconds(),
	})
	l.Factor = cmp.Or(string(e.Factor), l.Factor)
}

// end notes the answer to a request.
func (l *Login) end(e radmfa.Event, v Verdict) {
	l.Result, l.Cause, l.Status = string(e.Result), string(e.Cause), string(e.Status)
	l.FailedOpen, l.Fallback, l.Verdict = e.FailedOpen, e.Fallback, v
	l.Factor = cmp.Or(string(e.Factor), l.Factor)
}

// contains reports whether a text in lower case is in what the login is about.
func (l *Login) contains(text string) bool {
	fields := append([]string{l.User, l.NAS, l.Device, l.ClientIP, l.Factor, l.Why, l.Detail, l.Said}, l.Decides...)
	return slices.ContainsFunc(fields, func(field string) bool { return strings.Contains(names.Fold(field), text) })
}

// logins are the last ones, in a ring.
type logins struct {
	ring []*Login
	next int // the oldest, once the ring is full
	byID map[string]*Login
}

// of returns the login that an event belongs to.
func (l *logins) of(e radmfa.Event, section string) *Login {
	login := l.byID[e.LoginID]
	if login == nil {
		login = &Login{ID: e.LoginID, Section: section}
		l.add(login)
	}
	login.Time, login.User = e.Time, short(e.Username)
	login.NAS, login.Device = addrText(e.NAS), short(e.Client)
	login.ClientIP = cmp.Or(addrText(e.ClientIP), login.ClientIP)
	return login
}

func (l *logins) add(login *Login) {
	if l.byID == nil {
		l.byID = map[string]*Login{}
	}
	l.byID[login.ID] = login
	if len(l.ring) < maxLogins {
		l.ring = append(l.ring, login)
		return
	}
	delete(l.byID, l.ring[l.next].ID)
	l.ring[l.next] = login
	l.next = (l.next + 1) % maxLogins
}

// copies returns what is remembered. What a Login points to is never changed.
func (l *logins) copies() []Login {
	list := make([]Login, len(l.ring))
	for i, login := range l.ring {
		list[i] = *login
	}
	return list
}

// short is a text on one line, of a length that can be kept.
func short(s string) string {
	s = clean.Line(s)
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.Clone(s[:end]) + "..."
}

// addrText is empty for an address that is not known.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
