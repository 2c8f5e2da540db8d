package radmfa

import (
	"strings"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// Auto starts the second factor with the first request, for a NAS that cannot
// show a challenge. The user may append a factor or a passcode to the password:
// "secret,phone2", "secret,123456". The zero value does just that.
type Auto struct {
	// Factors says what is started when the user appends nothing: the first of
	// them that a device of the user can do. FactorAuto is a push, or else a call.
	// FactorPasscode rejects with a text that asks for a passcode. Nil:
	// FactorAuto.
	Factors []duo.Factor

	// Delimiter separates password and factor; the last one counts. What follows
	// it and is neither a factor, an option nor a passcode belongs to the
	// password. Empty: ",".
	Delimiter string

	// PasswordLength, if not zero, replaces Delimiter: the password has this many
	// characters, and the factor follows.
	PasswordLength int

	// Concat lets a passcode be appended without Delimiter.
	Concat Concat

	// Only takes the whole password for the factor. It goes with primary.None: the
	// NAS has checked the password, and sends in its place what the user typed
	// for the second factor.
	Only bool
}

// Concat says whether digits at the end of a password may be a passcode. The
// split is ambiguous, so up to four are tried per login: mind account lockout
// policies.
type Concat int

const (
	// ConcatNone takes them for a part of the password.
	ConcatNone Concat = iota
	// ConcatAllowed tries the whole password first.
	ConcatAllowed
	// ConcatExpected tries the password without them first, which may leave an
	// empty one: with primary.None a passcode alone is enough.
	ConcatExpected
)

// A passcode that is appended without a delimiter has 6 digits (the app, most
// tokens), 7 (SMS) or 8 (some tokens).
const minPasscode, maxPasscode = 6, 8

// reading is one way to read what the user typed.
type reading struct {
	password radius.Secret
	factor   string // as in an answer; empty: none
}

// readings returns the ways to read what was typed, in the order in which they
// are tried.
func (a *Auto) readings(typed radius.Secret) []reading {
	whole := reading{password: typed}
	switch {
	case a.Only:
		return []reading{{factor: string(typed)}}
	case a.PasswordLength > 0:
		runes := []rune(string(typed))
		n := min(a.PasswordLength, len(runes))
		return []reading{{radius.Secret(runes[:n]), string(runes[n:])}}
	}
	delimiter := a.Delimiter
	if delimiter == "" {
		delimiter = ","
	}
	if i := strings.LastIndex(string(typed), delimiter); i >= 0 {
		if factor := string(typed[i+len(delimiter):]); prompt.IsAnswer(factor) {
			return []reading{{typed[:i], factor}}
		}
	}
	switch a.Concat {
	case ConcatAllowed:
		return append([]reading{whole}, concatenated(typed, 1)...)
	case ConcatExpected:
		return append(concatenated(typed, 0), whole)
	default:
		return []reading{whole}
	}
}

// concatenated returns the ways to split digits off the end, leaving a password
// of at least so many bytes.
func concatenated(typed radius.Secret, least int) []reading {
	digits := len(typed) - len(strings.TrimRight(string(typed), "0123456789"))
	var list []reading
	for n := minPasscode; n <= min(digits, maxPasscode, len(typed)-least); n++ {
		at := len(typed) - n
		list = append(list, reading{typed[:at], string(typed[at:])})
	}
	return list
}

// factors returns what is started when nothing is appended.
func (a *Auto) factors() []duo.Factor {
	if a.Factors == nil {
		return []duo.Factor{duo.FactorPush, duo.FactorPhone}
	}
	var list []duo.Factor
	for _, f := range a.Factors {
		if f == duo.FactorAuto {
			list = append(list, duo.FactorPush, duo.FactorPhone)
		} else {
			list = append(list, f)
		}
	}
	return list
}
