package statuspage

import (
	"cmp"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"
	"time"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
)

// view is what the page shows of a Report.
type view struct {
	*status.Report
	Filter  status.Filter
	Chart   chart
	Trouble []string // what to look at first
	Results []result // that can be chosen

	MoreWaiting int // pushes, besides those that are shown
}

type result struct{ Value, Words string }

var results = []result{
	{"", "any result"}, {"accepted", "let in"}, {"rejected", "denied"}, {"failed", "failed"},
	{"challenged", "asked"}, {"ignored", "no reply"},
}

// mostWaiting is how many pushes the page shows.
const mostWaiting = 50

func newView(r *status.Report, f status.Filter) *view {
	v := &view{Report: r, Filter: f, Chart: newChart(r), Trouble: trouble(r), Results: results}
	v.MoreWaiting = max(0, len(r.Waiting)-mostWaiting)
	r.Waiting = r.Waiting[:len(r.Waiting)-v.MoreWaiting]
	return v
}

// clockOff is how far clocks may differ without a word.
const clockOff = 30 * time.Second

// trouble is what an operator should look at first.
func trouble(r *status.Report) (list []string) {
	if r.State != "serving" {
		list = append(list, "The daemon is "+r.State+".")
	}
	if r.Reload != nil && r.Reload.Error != "" {
		list = append(list, "The last reload failed "+status.Ago(r.Time, r.Reload.Time)+"; the configuration of before is kept: "+r.Reload.Error)
	}
	if n := r.Hour().FailedOpen; n > 0 {
		list = append(list, fmt.Sprintf("%d logins of the last hour were let in without a second factor.", n))
	}
	for _, s := range r.Sections {
		if s.Room > 0 && s.Open >= s.Room*9/10 {
			list = append(list, fmt.Sprintf("[%s] %d of %d challenges are open; when all are, new logins get no reply.", s.Name, s.Open, s.Room))
		}
		if off := time.Duration(s.ClockOffset * float64(time.Second)); off.Abs() > clockOff {
			list = append(list, fmt.Sprintf("[%s] This machine's clock is off by %s; set it, by NTP for example.", s.Name, off.Abs()))
		}
		for _, p := range s.Peers {
			for _, server := range p.Down() {
				list = append(list, "["+s.Name+"] "+p.Name+": "+server+" is down.")
			}
			if p.State == status.Down || p.State == status.Refusing {
				list = append(list, "["+s.Name+"] "+p.Name+" "+p.Address+" is "+p.State+": "+p.Error)
			}
		}
	}
	for _, c := range r.Certificates {
		if left, urgent := c.Left(r.Time); urgent {
			list = append(list, "["+c.Section+"] The certificate of "+cmp.Or(c.Server, c.Subject)+" "+left+".")
		}
	}
	return list
}

var functions = template.FuncMap{
	"ago":   status.Ago,
	"age":   func(now, then time.Time) string { return status.Age(now.Sub(then)) },
	"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
	"day":   func(t time.Time) string { return t.Local().Format(time.DateOnly) },
	"full":  func(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") },
	"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"base":  filepath.Base,
	"join":  strings.Join,
	"left":  func(c status.Certificate, now time.Time) string { text, _ := c.Left(now); return text },
	"outcome": func(l status.Login) string {
		return l.Outcome()
	},
	"mark": mark,
}

// mark is the class of a state or outcome.
func mark(words string) string {
	switch words {
	case status.Up, "let in", "serving":
		return "good"
	case status.Down, "denied":
		return "bad"
	case status.Refusing, "failed", "no reply", "let in without a second factor":
		return "warn"
	}
	return "dim"
}
