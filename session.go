package radmfa

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/netip"
	"time"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

const (
	// repeatFor is how long a decision is kept for a NAS that asks again with
	// the same State and answer under a new Identifier.
	repeatFor = 30 * time.Second
	// joinEvery is how often a request looks whether the decision is there that
	// its twin, perhaps in another process, is waiting for.
	joinEvery = 100 * time.Millisecond
)

// kind is what a challenge asked for.
type kind string

const (
	kindMenu    kind = "menu"    // a factor or passcode
	kindEnroll  kind = "enroll"  // nothing: the user must enroll
	kindPrimary kind = "primary" // what the first factor wants to know
	kindCode    kind = "code"    // to type a verification code on the phone
)

// session is what the Store keeps of a challenge, as JSON. It goes from open (no
// Answer) to answering (no Decision) to decided.
type session struct {
	Kind     kind
	Login    string // its id in logs and events
	Username string
	NAS      netip.Addr

	Menu         *prompt.Menu      `json:",omitempty"`
	Attempts     int               `json:",omitempty"` // typing errors so far
	Attributes   radius.Attributes `json:",omitempty"` // for the final Access-Accept
	PrimaryState []byte            `json:",omitempty"`
	Appended     []byte            `json:",omitempty"` // what Auto found behind the password
	TxID         string            `json:",omitempty"` // of a verified push
	CodeExpires  time.Time         `json:",omitzero"`
	Pushed       time.Time         `json:",omitzero"` // when the last push, call or SMS was sent

	Answer   []byte    `json:",omitempty"` // hash of the answer that is or was checked
	Decision *decision `json:",omitempty"`
}

// challenge keeps the session and asks the user for an answer.
func (l *login) challenge(ses *session, messages []string) decision {
	ses.Login, ses.Username, ses.NAS = l.id, l.username, l.nas
	state := challenge.NewID()
	encoded, err := json.Marshal(ses)
	if err == nil {
		err = l.store().Put(l.ctx, state, encoded, orDefault(l.ChallengeTimeout, defaultChallengeTimeout))
	}
	if err != nil {
		return l.fail("the challenge cannot be kept", err)
	}
	return decision{Code: radius.CodeAccessChallenge, Messages: messages, State: state}
}

// answer decides a request that answers a challenge. Several requests may bring
// the same answer, because a NAS asks again, or asks its second server: the
// first of them takes the session, the others wait for its decision.
func (l *login) answer() decision {
	hash := hashAnswer(l.state, string(l.password))
	joined := false
	for {
		stored, err := l.store().Get(l.ctx, l.state)
		if errors.Is(err, challenge.ErrNotFound) {
			return l.reject(textExpired, "the State is unknown or has expired")
		}
		if err != nil && joined && l.wait() == nil {
			continue // the Store may recover; a NAS takes back no reject
		}
		ses := new(session)
		if err == nil {
			err = json.Unmarshal(stored, ses)
		}
		if err != nil {
			return l.fail("the challenge cannot be read", err)
		}
		if refused := l.refuse(ses, hash); refused != nil {
			return *refused
		}
		l.id = ses.Login
		switch {
		case ses.Decision != nil:
			d := *ses.Decision
			d.repeated = true
			return d
		case ses.Answer != nil:
			joined = true
			err = l.wait()
		default:
			var d decision
			if d, err = l.take(ses, stored, hash); err == nil {
				return d
			}
		}
		if err != nil && !errors.Is(err, challenge.ErrConflict) && !errors.Is(err, challenge.ErrNotFound) {
			return l.fail("the challenge cannot be decided", err)
		}
	}
}

// refuse says why the answer may not be given to this challenge.
func (l *login) refuse(ses *session, hash []byte) *decision {
	var d decision
	switch {
	case ses.NAS != l.nas:
		d = l.reject(textExpired, "the State was given to another NAS")
	case ses.Username != l.username:
		d = l.reject(textExpired, "the State was given to another user")
	case ses.Answer != nil && subtle.ConstantTimeCompare(ses.Answer, hash) != 1:
		d = l.reject(textExpired, "the challenge has been answered otherwise")
	default:
		return nil
	}
	return &d
}

// take makes the session this request's own, decides, and leaves the decision
// for twins. It returns an error, and has done nothing, when another was first.
func (l *login) take(ses *session, stored, hash []byte) (decision, error) {
	ses.Answer = hash
	answering, err := json.Marshal(ses)
	if err != nil {
		return decision{}, err
	}
	timeout := orDefault(l.AuthTimeout, defaultAuthTimeout)
	if err := l.store().CompareAndSwap(l.ctx, l.state, stored, answering, timeout+repeatFor); err != nil {
		return decision{}, err
	}
	d := l.broken() // should verify panic
	defer func() { l.leave(ses, answering, &d) }()
	d = l.verify(ses)
	return d, nil
}

// leave keeps the decision for repeatFor, also when this request's time is up.
func (l *login) leave(ses *session, answering []byte, d *decision) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), time.Second)
	defer cancel()
	ses.Decision = d
	ses.Menu, ses.Attributes, ses.PrimaryState, ses.Appended = nil, nil, nil, nil
	decided, err := json.Marshal(ses)
	if err == nil {
		err = l.store().CompareAndSwap(ctx, l.state, answering, decided, repeatFor)
	}
	if err != nil {
		l.warn("radmfa: a decision cannot be kept: a NAS that asks again gets a reject", err)
	}
}

// wait lets some time pass for the request that has taken the session.
func (l *login) wait() error {
	timer := time.NewTimer(joinEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.ctx.Done():
		return l.ctx.Err()
	}
}

// hashAnswer is how an answer is compared without being kept.
func hashAnswer(state, answer string) []byte {
	hash := sha256.Sum256(bytes.Join([][]byte{[]byte(state), []byte(answer)}, []byte{0}))
	return hash[:]
}
