// Package prompt turns the ways a user can prove the second factor into the text
// of an Access-Challenge, and what the user types into a choice.
//
// A [Menu] is made by [New] from the user's devices. A [Renderer] ([Console],
// [HTML] or [Short]) writes it as Reply-Messages (RFC 2865 section 5.18), and
// [Menu.Parse] reads the answer:
//
//	Duo two-factor login for jdoe
//
//	Enter a passcode or select one of the following options:
//
//	1. Duo Push to XXX-XXX-1234
//	2. Phone call to XXX-XXX-1234
//	3. SMS passcodes to XXX-XXX-1234
//
//	Passcode or option (1-3):
//
// The service may have made a menu of its own, a text and a map from what can be
// typed to its names of factors. A Menu with both shows that text, and the map
// decides.
//
// Names, messages and codes come from outside and lose their control characters
// on the way to a Reply-Message.
package prompt

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/radmfa/radmfa/duo"
)

// Menu is what one user can choose from. Rendering and parsing do not change it
// and may run at the same time.
type Menu struct {
	// Product is what the second factor is called in the first line and in the
	// names of the options. Empty: it is not named.
	Product string

	// Username is shown in the first line. Empty: the line names nobody.
	Username string

	// Texts are the texts of the menu, and the words that can be typed. Nil: the
	// defaults.
	Texts Texts

	// Choices are the options 1, 2, ... in order. A menu without any asks for a
	// passcode.
	Choices []Choice

	// NoPasscode says that a passcode is not accepted.
	NoPasscode bool

	// Notice is a sentence to show above the menu, such as why it is shown again.
	// Empty: none.
	Notice string

	// VerificationCode is the code of a verified push, which the user has to type
	// into Duo Mobile. A line above the menu shows it. Empty: none.
	VerificationCode string

	// Text is the service's own menu, shown instead of ours. Factors says what can
	// be typed: "1", "2", ... or "default", each with the service's name of a
	// factor, such as "push1". Without Text they are not used; a Text without
	// Factors is only shown.
	Text    string
	Factors map[string]string
}

// Choice is one option of a Menu.
type Choice struct {
	// Factor is duo.FactorPush, FactorPhone or FactorSMS.
	Factor duo.Factor

	// Device is the id of the device.
	Device string

	// Label is what the user knows the device by.
	Label string

	// NextCode is what the SMS passcode to use next starts with. Empty: none was
	// sent, or the service does not say.
	NextCode string
}

// maxChoices bounds a menu: more can neither be shown nor stored.
const maxChoices = 99

// New returns the menu of a user of Duo: all pushes, then the calls, then the SMS
// passcodes, each on the devices that can do them, in their order, at most 99 in
// all. A device is labelled with its masked number, else with its display name.
func New(username string, devices []duo.Device) *Menu {
	m := &Menu{Username: username, Product: "Duo", Choices: make([]Choice, 0, min(3*len(devices), maxChoices))}
	for _, factor := range []duo.Factor{duo.FactorPush, duo.FactorPhone, duo.FactorSMS} {
		for i := range devices {
			d := &devices[i]
			if !d.Can(factor) {
				continue
			}
			if len(m.Choices) == maxChoices {
				return m
			}
			c := Choice{
				Factor: factor,
				Device: d.ID,
				Label:  clip(cmp.Or(d.Number, d.DisplayName, d.Name, defaultLabel)),
			}
			if factor == duo.FactorSMS {
				c.NextCode = d.NextSMSCode
			}
			m.Choices = append(m.Choices, c)
		}
	}
	return m
}

// defaultLabel is for a device that has no name.
const defaultLabel = "your device"

// maxLabel is how many bytes of a device's name are shown.
const maxLabel = 200

func clip(label string) string {
	if len(label) <= maxLabel {
		return label
	}
	end := maxLabel
	for !utf8.RuneStart(label[end]) {
		end--
	}
	return label[:end]
}

// fromService reports whether the menu is one the service made.
func (m *Menu) fromService() bool { return m.Text != "" && len(m.Factors) > 0 }

// names returns what the options are called, in their order: push1, push2,
// phone1 and so on.
func (m *Menu) names() []string {
	if m.fromService() {
		return m.serviceNames()
	}
	names := make([]string, len(m.Choices))
	for i, c := range m.Choices {
		names[i] = string(c.Factor) + strconv.Itoa(m.place(i))
	}
	return names
}

// place returns which of the options with the same factor one is: 1, 2 and so on.
func (m *Menu) place(option int) int {
	n := 1
	for _, c := range m.Choices[:option] {
		if c.Factor == m.Choices[option].Factor {
			n++
		}
	}
	return n
}

// serviceNames returns the names behind the numbers. "default" is no option of
// its own.
func (m *Menu) serviceNames() []string {
	byNumber := map[int]string{}
	for key, name := range m.Factors {
		if n, err := strconv.Atoi(key); err == nil {
			byNumber[n] = name
		}
	}
	names := make([]string, 0, len(byNumber))
	for _, n := range slices.Sorted(maps.Keys(byNumber)) {
		names = append(names, byNumber[n])
	}
	return names
}
