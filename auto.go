package radmfa

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"sync"
	"time"

	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// Auto is the way of a Server for a NAS that cannot show a challenge: the second
// factor is started with the first request. The user may append a factor or a
// passcode to the password: "secret,phone2", "secret,123456". The zero value does
// just that.
type Auto struct {
	// Factors says what is done when the user appends none: the first of them
	// that a device of the user is able to do. FactorAuto is a push, or else a
	// call. FactorPasscode rejects with a text that asks for a passcode. Nil:
	// FactorAuto.
	Factors []duo.Factor

	// Delimiter stands between password and factor; the last one counts. Empty: ",".
	Delimiter string

	// PasswordLength, if not zero, takes the place of Delimiter: so many
	// characters are the password, and what comes after them the factor.
	PasswordLength int

	// Concat lets a passcode be appended without Delimiter.
	Concat Concat

	// Only takes the whole password for the factor. It goes with primary.None: the
	// NAS has checked the password, and sends in its place what the user typed
	// for the second factor.
	Only bool
}

// Concat says whether digits at the end of a password may be a passcode. Which of
// them cannot be seen: the first factor is asked until it says yes, at most four
// times, which counts where an account is locked after some wrong passwords.
type Concat int

const (
	// ConcatNone: they belong to the password.
	ConcatNone Concat = iota
	// ConcatAllowed: the whole password is tried first.
	ConcatAllowed
	// ConcatExpected: the password without them is tried first.
	ConcatExpected
)

const (
	// A passcode that is appended without delimiter has 6 digits (the app, most
	// tokens), 7 (SMS) or 8 (some tokens).
	minPasscode, maxPasscode = 6, 8

	// repeatAuto is how long the decision on a first request is repeated. It is
	// short, and for the same request only: unlike the answer to a challenge, a
	// first request may be meant anew.
	repeatAuto = 5 * time.Second
)

// attempt is one way to read what the user typed.
type attempt struct {
	password radius.Secret
	factor   string // as in an answer; empty: none
}

// attempts returns the ways to read typed, in the order in which they are tried.
func (a *Auto) attempts(typed radius.Secret) []attempt {
	if a.Only {
		return []attempt{{factor: string(typed)}}
	}
	if a.PasswordLength > 0 {
		runes := []rune(string(typed))
		n := min(a.PasswordLength, len(runes))
		return []attempt{{radius.Secret(runes[:n]), string(runes[n:])}}
	}
	delimiter := a.Delimiter
	if delimiter == "" {
		delimiter = ","
	}
	if i := strings.LastIndex(string(typed), delimiter); i >= 0 {
		return []attempt{{typed[:i], string(typed[i+len(delimiter):])}}
	}
	whole := attempt{password: typed}
	switch a.Concat {
	case ConcatAllowed:
		return append([]attempt{whole}, concatenated(typed)...)
	case ConcatExpected:
		return append(concatenated(typed), whole)
	default:
		return []attempt{whole}
	}
}

// concatenated returns the ways to split digits off the end.
func concatenated(typed radius.Secret) []attempt {
	digits := len(typed) - len(strings.TrimRight(string(typed), "0123456789"))
	var list []attempt
	for n := minPasscode; n <= min(digits, maxPasscode, len(typed)-1); n++ {
		at := len(typed) - n
		list = append(list, attempt{typed[:at], string(typed[at:])})
	}
	return list
}

// auto decides a first request without asking the user anything.
func (l *login) auto() decision {
	var d decision
	for _, a := range l.Auto.attempts(l.password) {
		l.password, l.appended = a.password, a.factor
		if d = l.firstFactor(nil); !d.wrongPassword {
			break
		}
	}
	return d
}

// choose takes the place of the menu.
func (l *login) choose(m *prompt.Menu, ses *session) decision {
	if l.appended != "" {
		choice, err := m.Parse(l.appended)
		if err != nil {
			return l.reject(textNoOption, "what is appended to the password is no factor and no passcode")
		}
		return l.secondFactor(ses, choice)
	}
	factors := l.Auto.Factors
	if factors == nil {
		factors = []duo.Factor{duo.FactorAuto}
	}
	for _, factor := range factors {
		if factor == duo.FactorPasscode {
			break
		}
		names := []duo.Factor{factor}
		if factor == duo.FactorAuto {
			names = []duo.Factor{duo.FactorPush, duo.FactorPhone}
		}
		for _, name := range names {
			if choice, err := m.Parse(string(name)); err == nil {
				return l.secondFactor(ses, choice)
			}
		}
	}
	return l.reject(textAppendPasscode, "no passcode is appended, and no factor can be started")
}

// joints lets requests that are the same share one decision. The zero value is
// ready.
type joints struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte]*joint
}

type joint struct {
	done     chan struct{}
	decision decision // once done is closed
}

// join decides l, or waits for the decision on the same request that came under
// another Identifier.
func (j *joints) join(l *login, decide func() decision) decision {
	key := l.fingerprint()
	j.mu.Lock()
	if other := j.known[key]; other != nil {
		j.mu.Unlock()
		select {
		case <-other.done:
			d := other.decision
			d.repeated = true
			return d
		case <-l.ctx.Done():
			return l.reject(textNotInTime, "the request that this one repeats is not decided yet")
		}
	}
	own := &joint{done: make(chan struct{})}
	if j.known == nil {
		j.known = make(map[[sha256.Size]byte]*joint)
	}
	j.known[key] = own
	j.mu.Unlock()
	own.decision = l.broken() // should decide panic
	defer func() {
		close(own.done)
		time.AfterFunc(repeatAuto, func() {
			j.mu.Lock()
			defer j.mu.Unlock()
			delete(j.known, key)
		})
	}()
	own.decision = decide()
	return own.decision
}

// fingerprint is equal for requests that a NAS sends again, perhaps under another
// Identifier and from another port: everything but what changes then.
func (l *login) fingerprint() [sha256.Size]byte {
	h := sha256.New()
	add := func(kind radius.Type, value []byte) {
		_ = binary.Write(h, binary.BigEndian, [2]uint16{uint16(kind), uint16(len(value))})
		h.Write(value)
	}
	add(0, []byte(l.nas.String()))
	add(rfc2865.UserPassword_Type, []byte(l.password))
	for _, a := range l.packet.Attributes {
		switch a.Type {
		case rfc2865.UserPassword_Type, rfc2865.ProxyState_Type, rfc2869.MessageAuthenticator_Type:
		default:
			add(a.Type, a.Attribute)
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
