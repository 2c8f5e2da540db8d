package prompt

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/radmfa/radmfa/duo"
)

// ErrInvalid says that an answer is a typing error: no option, no factor and no
// passcode. The user is asked again, and the service is not.
var ErrInvalid = errors.New("prompt: the answer is no option, factor or passcode of this menu")

// yubiKeyLen is the length of a YubiKey's one-time password, all letters.
const yubiKeyLen = 44

// Selection is what a user has chosen. Factor, Device, Passcode and Prompt are
// the parameters of the same names of the service's auth call; those that do not
// go with Factor are empty.
type Selection struct {
	// Factor is duo.FactorPush, FactorPhone, FactorSMS or FactorPasscode, or
	// FactorPrompt in a menu the service made.
	Factor duo.Factor

	// Device is the id of the device for a push, a call or SMS passcodes.
	Device string

	// Passcode is the passcode without blanks.
	Passcode duo.Secret

	// Prompt is the service's name of an option, or, where it has no name for
	// what was typed, just that. A passcode is such a case, hence the type.
	Prompt duo.Secret

	// Kind is what the selection does: Factor itself, and for FactorPrompt the
	// push, call, SMS or passcode behind it. It is FactorPrompt when the
	// service's name of the option is not known here.
	Kind duo.Factor
}

// Parse reads what the user typed. Blanks and the case of letters do not matter.
//
//   - The number of an option: that option.
//   - push, phone, sms: the first option of that factor; push2 the second.
//   - Other digits: a passcode, also written "123 456". A lone digit is none: it
//     is an option or a typing error.
//   - 44 letters: a YubiKey's passcode.
//   - Anything else, and nothing at all: ErrInvalid.
//
// In a menu the service made, Factors says first what the answer means; push2 is
// its second push there too, whatever the service calls it. A passcode goes to the
// service as it is, and so does a factor that the menu does not list at all.
// Anything else is ErrInvalid here too.
//
// Errors do not repeat the answer, which may be a secret.
func (m *Menu) Parse(answer string) (Selection, error) {
	fields := strings.Fields(answer)
	typed := strings.Join(fields, "")
	if len(fields) > 1 && isDigits(typed) && len(typed) < 6 {
		return Selection{}, ErrInvalid // "1 2" is neither option 12 nor a passcode
	}
	typed = m.Texts.factorName(typed)
	if m.fromService() {
		return m.parseService(typed)
	}
	if i, ok := m.option(strings.ToLower(typed)); ok {
		c := m.Choices[i]
		return Selection{Factor: c.Factor, Device: c.Device, Kind: c.Factor}, nil
	}
	if isPasscode(typed) && !m.NoPasscode {
		return Selection{Factor: duo.FactorPasscode, Passcode: duo.Secret(typed), Kind: duo.FactorPasscode}, nil
	}
	return Selection{}, ErrInvalid
}

// option finds the choice that a number, a name ("push2") or a bare factor means.
func (m *Menu) option(word string) (int, bool) {
	for i, c := range m.Choices {
		if word == strconv.Itoa(i+1) {
			return i, true
		}
		if number, ok := strings.CutPrefix(word, string(c.Factor)); ok && cmp.Or(number, "1") == strconv.Itoa(m.place(i)) {
			return i, true
		}
	}
	return 0, false
}

func (m *Menu) parseService(typed string) (Selection, error) {
	word := strings.ToLower(typed)
	name, listed := m.Factors[typed], false
	if name == "" {
		name, listed = m.serviceName(word)
	}
	switch kind := kindOf(word); {
	case name != "":
		return Selection{Factor: duo.FactorPrompt, Prompt: duo.Secret(name), Kind: kindOf(name)}, nil
	case kind != duo.FactorPrompt && !listed:
		return Selection{Factor: duo.FactorPrompt, Prompt: duo.Secret(word), Kind: kind}, nil
	case isPasscode(typed):
		return Selection{Factor: duo.FactorPrompt, Prompt: duo.Secret(typed), Kind: duo.FactorPasscode}, nil
	}
	return Selection{}, ErrInvalid
}

// serviceName finds the service's name of what was typed: that name itself, or
// the one of the same kind and number, as verified_push1 for push. Listed says
// whether there are any of the kind.
func (m *Menu) serviceName(word string) (name string, listed bool) {
	kind, number := kindOf(word), numberOf(word)
	for _, n := range m.Factors {
		lower := strings.ToLower(n)
		if lower == word {
			return n, true
		}
		if kind != duo.FactorPrompt && kindOf(lower) == kind {
			listed = true
			if numberOf(lower) == number {
				name = n
			}
		}
	}
	return name, listed
}

// numberOf returns the number behind a name; a bare name is the first.
func numberOf(name string) string {
	number := name[len(strings.TrimRight(name, "0123456789")):]
	return cmp.Or(number, "1")
}

// kindOf returns what the service's name of an option does, with or without a
// number behind it, and FactorPrompt for a name that is not known.
func kindOf(name string) duo.Factor {
	switch strings.TrimRight(name, "0123456789") {
	case "push", "verified_push":
		return duo.FactorPush
	case "phone", "voice":
		return duo.FactorPhone
	case "sms", "smsrefresh":
		return duo.FactorSMS
	}
	return duo.FactorPrompt
}

// IsAnswer reports whether s has the form of an answer to some menu: a number, the
// name of a factor, or a passcode.
func IsAnswer(s string) bool {
	typed := strings.Join(strings.Fields(s), "")
	return typed != "" && (isDigits(typed) || isPasscode(typed) || kindOf(strings.ToLower(typed)) != duo.FactorPrompt)
}

// isPasscode reports whether s looks like a passcode: two digits or more, or what
// a YubiKey types.
func isPasscode(s string) bool {
	return len(s) > 1 && isDigits(s) || len(s) == yubiKeyLen && isLetters(s)
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func isLetters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' })
}
