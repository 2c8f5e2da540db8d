package radmfa

import (
	"errors"
	"fmt"
	"time"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// session is what is known of a login, and what a challenge remembers. It goes
// from open (no answer) to answering (no decision) to decided.
type session struct {
	at     step   // that the answer enters at
	id     string // of the login, in logs and events
	device string

	typed   string // the name as typed, which the answer must come with
	account string // the name of the account, made by the first factor; empty before
	policy  Policy // what the account must prove; Description: from the start

	attributes   radius.Attributes // for the final Access-Accept
	primaryState []byte            // of the first factor's own challenge
	appended     string            // what Auto found after the password
	menu         *prompt.Menu
	attempts     int  // answers that led nowhere
	fallback     bool // the Fallback is asked, since the service is out of reach

	oldPassword radius.Secret // must be changed before the user is let in; empty: it need not
	newPassword radius.Secret // typed once
	changeState []byte        // of the first factor's MustChange

	announced   string     // transaction of the verification code in the menu
	codeExpires time.Time  // when the service forgets it
	pushed      time.Time  // when the last push, call or SMS was sent
	txID        string     // of the transaction that was started and waits for a person
	factor      duo.Factor // of it

	answer   []byte // hash of the answer that is or was checked
	owner    string // the node that checks it
	decision *decision
}

// maxSession is how large a challenge may be: a Store takes somewhat more, which
// is for the answer.
const maxSession = 63 << 10

// ask stores the login until the user has answered, and asks. The answer goes on
// at the given step.
func (l *login) ask(at step, messages []string) step {
	s := l.server
	next := *l.ses
	next.at, next.answer, next.owner = at, nil, ""
	if at != atApproval {
		next.txID = ""
	}
	l.ses = &next
	state := challenge.NewID()
	b := s.box(purposeSession, state)
	sealed := b.sealSession(&next)
	if len(sealed) > maxSession {
		return l.fail(CauseInternal, "the challenge cannot be stored", fmt.Errorf("radmfa: the session has %d bytes, over %d", len(sealed), maxSession))
	}
	err := s.store().Put(l.ctx, b.name, sealed, s.challengeTimeout())
	switch {
	case errors.Is(err, challenge.ErrFull):
		return l.ignore("there is no room for another challenge", err)
	case err != nil:
		return l.fail(CauseInternal, "the challenge cannot be stored", err)
	}
	l.replace(b.name)
	l.decision = decision{Reply: Reply{Result: ResultChallenged, Messages: messages, State: state}}
	return decided
}

// replace removes the challenges that give way to a new one of the same account.
func (l *login) replace(name string) {
	s := l.server
	c := openChallenge{name: name, attempt: l.request.Attempt, expires: l.started.Add(s.challengeTimeout())}
	for _, old := range s.open.add(l.ses.owns(), c, l.started) {
		if err := s.store().Put(l.ctx, old, nil, 0); err != nil {
			l.warn("radmfa: a replaced challenge cannot be removed", err)
		}
	}
}

// owns identifies whose challenge it is: one account's at one device.
func (ses *session) owns() challengeOwner { return challengeOwner{ses.device, ses.name()} }

// name is the account's name, or the typed one before there is an account.
func (ses *session) name() string {
	if ses.account != "" {
		return ses.account
	}
	return ses.typed
}

// serviceName is the name that the service knows the account by.
func (ses *session) serviceName() string {
	if ses.policy.Username != "" {
		return ses.policy.Username
	}
	return ses.name()
}

// mayAnswer reports why a request may not answer the challenge, or "".
func (ses *session) mayAnswer(r *Request) string {
	switch {
	case ses.device != r.Device:
		return "the State was given to another device"
	case ses.typed != r.Username:
		return "the State was given to another user"
	}
	return ""
}

// settled is the session once it is decided: only what a repetition of the
// answer needs.
func (ses *session) settled(d *decision) *session {
	return &session{
		id: ses.id, device: ses.device, typed: ses.typed, account: d.account,
		answer: ses.answer, owner: ses.owner, decision: d,
	}
}
