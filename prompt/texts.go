package prompt

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/radmfa/radmfa/duo"
)

// Texts are the texts that a user can see, by their ids, in the user's language.
// Those that are missing are the defaults, which DefaultTexts has. %s in a text is
// a name, a number or an address, in the order of the default. The texts that the
// service sends are in the language set there.
//
// The ids "words.push", "words.phone" and "words.sms" are words, separated by
// commas, that the user may type for a factor, beside push, phone and sms. The
// short form of the menu shows the first of them.
//
// Texts must not be changed once they are in use.
type Texts map[string]string

// defaults is the one table of all texts. Those of the first part are this
// package's, the others those of the Server and of first factors.
var defaults = Texts{
	"menu.title":            "Two-factor login",
	"menu.title.product":    "%s two-factor login",
	"menu.title.user":       "%s for %s",
	"menu.passcode":         "Enter a passcode.",
	"menu.passcode.ask":     "Passcode: ",
	"menu.options":          "Enter a passcode or select one of the following options:",
	"menu.options.ask":      "Passcode or option (1-%s): ",
	"menu.options.only":     "Select one of the following options:",
	"menu.options.only.ask": "Option (1-%s): ",
	"menu.push":             "Push to %s",
	"menu.push.product":     "%s Push to %s",
	"menu.phone":            "Phone call to %s",
	"menu.sms":              "SMS passcodes to %s",
	"menu.sms.next":         " (next code starts with: %s)",
	"menu.device":           defaultLabel,
	"menu.code":             "For Duo Push, enter %s in Duo Mobile.",
	"menu.short":            "Choose a secondary factor from (%s) or enter passcode:",
	"menu.short.passcode":   "Enter passcode:",
	"menu.short.only":       "Choose a secondary factor from (%s):",
	"menu.shortest":         "Enter the name of a factor (push, phone or sms) or a passcode:",
	"words.push":            "",
	"words.phone":           "",
	"words.sms":             "",
	"login.first-factor":    "The login cannot be checked at the moment. Please try again later.",
	"login.second-factor":   "Two-factor authentication is not available at the moment. Please try again later.",
	"login.expired":         "This login has expired. Please log in again.",
	"login.no-option":       "That is not one of the options.",
	"login.not-in-time":     "The login was not confirmed in time. Please log in again.",
	"login.new-code":        "The code has expired. Please use the new one.",
	"login.too-many-pushes": "Too many login requests were sent to your phone. Please wait a minute and try again.",
	"login.too-many-codes":  "Too many wrong passcodes. Please use another factor, or try again later.",
	"login.append-passcode": "Please append a passcode or the name of a factor to your password, and log in again.",
	"login.too-many-tries":  "Too many invalid answers. Please log in again.",
	"login.enroll-first":    "Please finish your enrollment, then log in again.",
	"login.enroll-at":       "Please enroll at %s",
	"login.no-factor":       "None of your second factors may be used for this login.",
	"login.enter-code":      "Enter %s in Duo Mobile, then press Enter: ",
	"password.expired":      "Your password has expired. Change it and log in again.",
	"password.must-change":  "You must change your password before you can log in here.",
	"password.ask":          "Your password must be changed. Enter a new password: ",
	"password.ask-again":    "Enter a new password: ",
	"password.repeat":       "Enter the new password again: ",
	"password.differs":      "The two passwords are not the same.",
	"password.refused":      "The new password was refused.",
	"password.too-short":    "The new password is too short.",
	"password.too-simple":   "The new password is too simple.",
	"password.used-before":  "The new password was used before.",
	"password.too-young":    "Your password was changed too recently to be changed again.",
	"password.may-not":      "You may not change your password. Please ask your administrator.",
	"password.length":       "It must have at least %s characters.",
	"password.complex":      "It must have three of: capital letters, small letters, digits, other characters; and nothing of your name.",
	"password.history":      "It must not be one of your last %s passwords.",
	"password.changed":      "Your password has been changed.",
	"password.not-changed":  "Your password has not been changed. Please log in again, or ask your administrator.",
	"password.unsure":       "Your password may not have been changed. Please log in again, with the new password or else with the old one.",
	"account.disabled":      "Your account is disabled.",
	"account.expired":       "Your account has expired.",
	"account.hours":         "You may not log in at this time.",
	"account.workstation":   "You may not log in from here.",
	"radius.question":       "Enter your response:",
	"totp.ask":              "Enter the code that your authenticator app shows: ",
	"totp.wrong":            "This code is wrong, or was used already. Please log in again with the next one.",
}

// ids finds the id of a default.
var ids = func() map[string]string {
	m := make(map[string]string, len(defaults))
	for id, text := range defaults {
		if text != "" {
			m[text] = id
		}
	}
	return m
}()

// DefaultTexts returns a copy of the defaults, with every id there is.
func DefaultTexts() Texts { return maps.Clone(defaults) }

// Validate checks that every id is known and that each text has as many %s as its
// default.
func (t Texts) Validate() error {
	for _, id := range slices.Sorted(maps.Keys(t)) {
		def, known := defaults[id]
		switch {
		case !known:
			return fmt.Errorf("prompt: there is no text %q", id)
		case strings.Count(t[id], "%s") != strings.Count(def, "%s"):
			return fmt.Errorf("prompt: the text %q must contain %%s as often as %q", id, def)
		}
	}
	return nil
}

// Text returns the text of an id, with args in place of each %s.
func (t Texts) Text(id string, args ...string) string {
	if len(args) == 0 {
		return t.text(id)
	}
	var b strings.Builder
	t.write(&b, id, args...)
	return b.String()
}

func (t Texts) text(id string) string {
	if text, ok := t[id]; ok {
		return text
	}
	return defaults[id]
}

// write writes what Text returns.
func (t Texts) write(b *strings.Builder, id string, args ...string) {
	text := t.text(id)
	for _, arg := range args { // what an argument contains is never replaced
		before, after, found := strings.Cut(text, "%s")
		b.WriteString(before)
		text = after
		if found {
			b.WriteString(arg)
		}
	}
	b.WriteString(text)
}

// Translate returns the text in place of a default, as a first factor or a second
// factor may send it. Other texts stay as they are.
func (t Texts) Translate(text string) string {
	if len(t) == 0 {
		return text
	}
	if id, ok := ids[text]; ok {
		return t.Text(id)
	}
	return text
}

// words returns what may be typed for a factor beside its name.
func (t Texts) words(f duo.Factor) []string {
	var words []string
	for word := range strings.SplitSeq(t["words."+string(f)], ",") {
		if word = strings.ToLower(strings.Join(strings.Fields(word), "")); word != "" {
			words = append(words, word)
		}
	}
	return words
}

// factorName turns a word that was typed for a factor into the factor's name, with
// the number behind it.
func (t Texts) factorName(typed string) string {
	if len(t) == 0 {
		return typed
	}
	word := strings.TrimRight(typed, "0123456789")
	for _, f := range []duo.Factor{duo.FactorPush, duo.FactorPhone, duo.FactorSMS} {
		if slices.Contains(t.words(f), strings.ToLower(word)) {
			return string(f) + typed[len(word):]
		}
	}
	return typed
}

// shownName turns a factor's name into the first word for it.
func (t Texts) shownName(name string) string {
	factor := strings.TrimRight(name, "0123456789")
	if words := t.words(duo.Factor(factor)); len(words) > 0 {
		return words[0] + name[len(factor):]
	}
	return name
}
