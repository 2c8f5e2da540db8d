package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// push shows a push or call on the page's phone, and waits for its owner.
func (b *browser) push(ctx context.Context, p duotest.Push) duo.Status {
	answer := make(chan duo.Status, 1)
	b.mu.Lock()
	b.asked[p.TxID] = question{answer, p.Code}
	b.own(p.Username)
	b.phone.Said = ""
	b.phone.Pushes = append(b.phone.Pushes, push{
		TxID: p.TxID, Owner: p.Username, Factor: string(p.Factor),
		Text: p.Type + " request for " + p.DisplayUsername, From: p.IPAddr, NAS: p.Info.Get("NAS"),
		Typed: p.Code != "", Sent: p.Sent, Ends: p.Sent.Add(time.Minute),
	})
	b.feed.news()
	b.mu.Unlock()
	status := duo.Status("")
	said := "Nobody answered."
	select {
	case status = <-answer:
		said = outcome(status)
	case <-ctx.Done():
	case <-b.over:
		status = duo.StatusDeny
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.asked, p.TxID)
	b.phone.Pushes = slices.DeleteFunc(b.phone.Pushes, func(shown push) bool { return shown.TxID == p.TxID })
	b.phone.Said = said
	b.feed.news()
	return status
}

// outcome is what the phone says after an answer.
func outcome(status duo.Status) string {
	switch status {
	case duo.StatusAllow:
		return "Approved."
	case duo.StatusFraud:
		return "Denied, and reported as fraud."
	default:
		return "Denied."
	}
}

// decide is the owner's answer. The number that a verified push asks for is
// compared here, as the service does it.
func (b *browser) decide(txid, answer, code string) error {
	status, known := map[string]duo.Status{
		"approve": duo.StatusAllow, "deny": duo.StatusDeny, "fraud": duo.StatusFraud,
	}[answer]
	b.mu.Lock()
	defer b.mu.Unlock()
	asked, waits := b.asked[txid]
	if !waits || !known {
		return errors.New("the phone does not ask for that any more")
	}
	if status == duo.StatusAllow && asked.code != code {
		for i := range b.phone.Pushes {
			b.phone.Pushes[i].Wrong = b.phone.Pushes[i].Wrong || b.phone.Pushes[i].TxID == txid
		}
		b.feed.news()
		return nil
	}
	select {
	case asked.answer <- status:
	default: // answered twice, by two tabs
	}
	return nil
}

// sms shows passcodes on the page's phone. A new batch ends the one before.
func (b *browser) sms(_ context.Context, username string, codes []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.own(username)
	b.phone.Messages = slices.DeleteFunc(b.phone.Messages, func(m sms) bool { return m.Owner == username })
	b.phone.Messages = append(b.phone.Messages, sms{Owner: username, Codes: codes, Sent: time.Now()})
	b.phone.Said = ""
	b.feed.news()
}

// own shows the phone of another user. The caller holds b.mu.
func (b *browser) own(username string) {
	if username == b.phone.Owner {
		return
	}
	b.phone.Owner, b.phone.Said, b.phone.Token = username, "", ""
	if u := b.service.Users[username]; u != nil && len(u.Passcodes) > 0 {
		b.phone.Token = u.Passcodes[0]
	}
}
