package status

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/radmfa/radmfa/internal/clean"
)

// How many logins that failed, and people who are waited for, are in the text.
const (
	lastFailures = 10
	mostWaiting  = 50
)

// WriteText writes the state for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	t := newPrinter(r.Time)
	t.line("authproxy %s, %s for %s (%s)", r.Version, r.State, Age(r.Time.Sub(r.Started)), r.Build)
	t.line("configuration %s", r.Config)
	if r.Reload != nil && r.Reload.Error != "" {
		t.line("reload FAILED %s, the configuration of before is kept:\n  %s", Ago(r.Time, r.Reload.Time), strings.ReplaceAll(r.Reload.Error, "\n", "\n  "))
	} else if r.Reload != nil {
		t.line("reloaded %s", Ago(r.Time, r.Reload.Time))
	}
	hour := r.Hour()
	t.line("last hour: %d let in, %d denied, %d failed, %d let in without a second factor", hour.Accepted, hour.Rejected, hour.Failed, hour.FailedOpen)
	for i := range r.Sections {
		t.section(&r.Sections[i])
	}
	t.waiting(r.Waiting)
	t.failures(r.Logins)
	t.senders(r.Senders, r.OtherDrops)
	t.certificates(r.Certificates)
	t.title("warnings of the configuration", len(r.Warnings))
	for _, warning := range r.Warnings {
		t.line("  %s", warning)
	}
	return t.write(w)
}

// printer collects lines whose columns tabs separate.
type printer struct {
	text strings.Builder
	tabs *tabwriter.Writer
	now  time.Time
}

func newPrinter(now time.Time) *printer {
	t := &printer{now: now}
	t.tabs = tabwriter.NewWriter(&t.text, 0, 8, 2, ' ', 0)
	return t
}

// write writes what was collected, and nothing that moves a cursor.
func (t *printer) write(w io.Writer) error {
	_ = t.tabs.Flush() // a Builder takes all
	_, err := io.WriteString(w, clean.Text(t.text.String()))
	return err
}

func (t *printer) line(format string, args ...any) { _, _ = fmt.Fprintf(t.tabs, format+"\n", args...) }

// title begins a list that is not empty. It ends the columns of the one before.
func (t *printer) title(title string, n int) {
	_ = t.tabs.Flush()
	if n > 0 {
		t.line("\n%s", title)
	}
}

func (t *printer) section(s *Section) {
	t.title(fmt.Sprintf("[%s] on %s, requests waiting: %d, challenges open: %d of %d", s.Name, s.Listens, s.Waiting, s.Open, s.Room), 1)
	for _, p := range s.Peers {
		t.line("  %s\t%s\t%s\tlast answer %s", p.Name, p.Address, p.State, Ago(t.now, p.Answer))
	}
	for _, p := range s.Peers {
		for _, server := range p.Down() {
			t.line("  %s: %s is down", p.Name, server)
		}
		if p.Error != "" {
			t.line("  %s: %s, %s", p.Name, p.Error, Ago(t.now, p.Failure))
		}
	}
}

func (t *printer) waiting(list []Waiting) {
	t.title("waiting for people", len(list))
	for _, w := range list[:min(len(list), mostWaiting)] {
		t.line("  %s\t%s\t%s\t[%s]\tfrom %s\t%s", Age(t.now.Sub(w.Since)), w.User, w.Factor, w.Section, w.NAS, w.Says)
	}
	if more := len(list) - mostWaiting; more > 0 {
		t.line("  and %d more", more)
	}
}

func (t *printer) failures(logins []Login) {
	var failed []Login
	for _, l := range logins {
		if outcome := l.Outcome(); len(failed) < lastFailures && outcome != "let in" && outcome != "asked" && outcome != "under way" {
			failed = append(failed, l)
		}
	}
	t.title("last logins that failed; more with authproxy explain USER", len(failed))
	for _, l := range failed {
		t.line("  %s\t%s\t%s\t%s", l.Time.Local().Format(time.DateTime), l.User, l.Outcome(), l.Why)
	}
}

func (t *printer) senders(list []Sender, others uint64) {
	t.title("dropped", len(list))
	for _, s := range list {
		t.line("  %s\t%s\t%d times\tlast %s\t[%s] on %s", s.Address, s.Reason, s.Count, Ago(t.now, s.Last), s.Section, s.Listener)
		t.line("    %s%s", s.Hint, strings.TrimSuffix(": "+strings.Join(s.Lines, " and "), ": "))
	}
	if others > 0 {
		t.line("  and %d datagrams of other senders", others)
	}
}

func (t *printer) certificates(list []Certificate) {
	t.title("certificates", len(list))
	for _, c := range list {
		left, urgent := c.Left(t.now)
		if urgent {
			left += ": RENEW IT"
		}
		t.line("  [%s]\t%s\t%s\t%s, %s", c.Section, peerWords[c.Peer], cmp.Or(c.Server, c.Subject), left, c.Expires.UTC().Format(time.DateOnly))
	}
}

var peerWords = map[string]string{FirstFactor: "first factor", Service: "service", Redis: "Redis"}

// Explain writes the last logins of a user in words.
func Explain(w io.Writer, user string, logins []Login) error {
	t := newPrinter(time.Time{})
	if len(logins) == 0 {
		t.line("no login of %q since the daemon started, or it is forgotten: %d are remembered in all", user, maxLogins)
	}
	for i := range logins {
		if i > 0 {
			t.line("")
		}
		t.login(&logins[i])
	}
	return t.write(w)
}

func (t *printer) login(l *Login) {
	from := ""
	if l.ClientIP != "" {
		from = ", user at " + l.ClientIP
	}
	t.line("%s %s at [%s], device %s%s, login %s", l.Time.Local().Format(time.DateTime), l.User, l.Section, cmp.Or(l.NAS, "unknown"), from, l.ID)
	t.line("  %s", strings.TrimSuffix(l.Outcome()+": "+l.Why, ": "))
	for _, d := range l.Decides {
		t.line("  decided by %s", d)
	}
	if l.Said != "" {
		t.line("  the service says: %s", l.Said)
	}
	if l.Detail != "" && l.Detail != l.Why {
		t.line("  in detail: %s", l.Detail)
	}
	for _, s := range l.Steps {
		t.line("    %s\t%s\t%s\t%d ms\t%s", s.Time.Local().Format(time.TimeOnly), stageWords(s), s.Result, s.Millis, s.Text)
	}
	if l.Repeats > 0 {
		t.line("  the device asked %d times more and got the same reply", l.Repeats)
	}
}

func stageWords(s Step) string {
	switch s.Stage {
	case "primary":
		return "first factor"
	case "preauth":
		return "what the service wants"
	case "password":
		return "new password"
	}
	return cmp.Or(s.Factor, "second factor")
}
