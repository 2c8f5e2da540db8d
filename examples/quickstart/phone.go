package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// ring is what a phone shows. The answer is nil when it asks nothing.
type ring struct {
	late   <-chan struct{} // closed when it is too late for an answer; may be nil
	text   string
	code   string // what has to be typed to approve; empty: y
	answer chan<- duo.Status
}

// question is the last line of what it shows.
func (r *ring) question() string {
	if r.code != "" {
		return "  Number on the VPN's screen, or n: "
	}
	return "  Approve? [y/n] "
}

// push shows a push or call, and waits for what the person at the console says.
func (d *demo) push(ctx context.Context, p duotest.Push) duo.Status {
	text := fmt.Sprintf("Phone of %s: %s: %s request for %s", p.Username, factorName(p.Factor), p.Type, p.DisplayUsername)
	if p.IPAddr != "" {
		text += " from " + p.IPAddr
	}
	answer := make(chan duo.Status, 1)
	d.show(ring{ctx.Done(), text + ".\n", p.Code, answer})
	select {
	case status := <-answer:
		return status
	case <-ctx.Done():
		return ""
	case <-d.over:
		return duo.StatusDeny
	}
}

// factorName is what a phone calls what it shows.
func factorName(f duo.Factor) string {
	if f == duo.FactorPhone {
		return "Phone call"
	}
	return "Duo Push"
}

// sms shows passcodes on the console, five in a line.
func (d *demo) sms(ctx context.Context, username string, codes []string) {
	text := fmt.Sprintf("Phone of %s: SMS passcodes:\n", username)
	for i, code := range codes {
		end := " "
		if i%5 == 4 || i == len(codes)-1 {
			end = "\n"
		}
		text += code + end
	}
	d.show(ring{late: ctx.Done(), text: text})
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
		d.print(r.text)
		return nil
	case d.phone != "":
		key := "n"
		if d.phone == duo.StatusAllow {
			key = "y"
			if r.code != "" {
				key = r.code
			}
		}
		d.print(r.text + r.question() + key + "\n")
		r.answer <- d.phone
		return nil
	default:
		return d.decide(ctx, r)
	}
}

// decide asks whether to approve until that is answered or too late.
func (d *demo) decide(ctx context.Context, r ring) error {
	for {
		d.print(r.text + r.question())
		select {
		case l := <-d.next(false):
			d.took(l, false)
			if l.err != nil {
				return l.err
			}
			if status := r.read(l.text); status != "" {
				r.answer <- status
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

// read returns what the person typed, or "" for what is no answer.
func (r *ring) read(typed string) duo.Status {
	key := strings.ToLower(strings.TrimSpace(typed))
	switch {
	case key == "n", key == "no":
		return duo.StatusDeny
	case r.code != "" && key == r.code,
		r.code == "" && (key == "y" || key == "yes"):
		return duo.StatusAllow
	}
	return ""
}
