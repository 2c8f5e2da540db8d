package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

const approve = " Approve? [y/n] "

// ring is what a phone shows. The answer is nil when it asks nothing.
type ring struct {
	late   <-chan struct{} // closed when it is too late for an answer; may be nil
	text   string
	answer chan<- duo.Status
}

// answerPush is the duotest.Answer of all phones: it shows the push or call, and
// waits for what the person at the console says.
func (d *demo) answerPush(ctx context.Context, p duotest.Push) duo.Status {
	what := "Duo Push"
	if p.Factor == duo.FactorPhone {
		what = "Phone call"
	}
	text := fmt.Sprintf("Phone of %s: %s: %s request for %s", p.Username, what, p.Type, p.DisplayUsername)
	if p.IPAddr != "" {
		text += " from " + p.IPAddr
	}
	answer := make(chan duo.Status, 1)
	d.show(ring{ctx.Done(), text + ".", answer})
	select {
	case status := <-answer:
		return status
	case <-ctx.Done():
		return ""
	case <-d.over:
		return duo.StatusDeny
	}
}

// showSMS is the Server's OnEvent: it shows the passcodes that were sent by SMS,
// which by itself is a rejected login.
func (d *demo) showSMS(ctx context.Context, e radmfa.Event) {
	if e.Stage == radmfa.StageAuth && e.Factor == duo.FactorSMS && e.Result == radmfa.ResultRejected {
		codes := strings.Join(d.service.SMS(e.Username), " ")
		d.show(ring{ctx.Done(), fmt.Sprintf("Phone of %s: SMS passcodes:\n%s", e.Username, codes), nil})
	}
}

// show hands a ring to the console, unless that has no time for it.
func (d *demo) show(r ring) {
	select {
	case d.rings <- r:
	case <-r.late:
	case <-d.over:
	}
}

// ring shows what a phone shows, and gets it an answer in time.
func (d *demo) ring(ctx context.Context, r ring) error {
	switch {
	case r.answer == nil:
		d.print(r.text + "\n")
		return nil
	case d.phone != "":
		key := "n"
		if d.phone == duo.StatusAllow {
			key = "y"
		}
		d.print(r.text + approve + key + "\n")
		r.answer <- d.phone
		return nil
	default:
		return d.decide(ctx, r)
	}
}

// decide asks whether to approve until that is answered or too late.
func (d *demo) decide(ctx context.Context, r ring) error {
	for {
		d.print(r.text + approve)
		select {
		case l := <-d.next(false):
			d.took(l, false)
			if l.err != nil {
				return l.err
			}
			switch strings.ToLower(strings.TrimSpace(l.text)) {
			case "y", "yes":
				r.answer <- duo.StatusAllow
				return nil
			case "n", "no":
				r.answer <- duo.StatusDeny
				return nil
			}
		case <-r.late:
			d.print("\n")
			return nil
		case <-ctx.Done():
			d.print("\n")
			return ctx.Err()
		}
	}
}
