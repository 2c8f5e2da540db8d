package prompt_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

const yubiKey = "ccccccbchvthlivuitriujjifivbvtrjkjfirllluurj"

func choice(f duo.Factor, device string) prompt.Selection {
	return prompt.Selection{Factor: f, Device: device, Kind: f}
}

func passcode(code string) prompt.Selection {
	return prompt.Selection{Factor: duo.FactorPasscode, Passcode: duo.Secret(code), Kind: duo.FactorPasscode}
}

func fromService(name string, kind duo.Factor) prompt.Selection {
	return prompt.Selection{Factor: duo.FactorPrompt, Prompt: duo.Secret(name), Kind: kind}
}

// The zero Selection stands for ErrInvalid.
func checkAnswers(t *testing.T, m *prompt.Menu, answers map[string]prompt.Selection) {
	t.Helper()
	for answer, want := range answers {
		got, err := m.Parse(answer)
		assert.Equal(t, want, got, "%q", answer)
		if want == (prompt.Selection{}) {
			assert.ErrorIs(t, err, prompt.ErrInvalid, "%q", answer)
		} else {
			assert.NoError(t, err, "%q", answer)
		}
	}
}

func TestParse(t *testing.T) {
	// 1 push DP1, 2 push DP2, 3 phone DP1, 4 phone DP3, 5 sms DP1
	m := prompt.New("jdoe", []duo.Device{phone, tablet, token, landline})
	checkAnswers(t, m, map[string]prompt.Selection{
		// options
		"1":   choice(duo.FactorPush, "DP1"),
		"2":   choice(duo.FactorPush, "DP2"),
		"3":   choice(duo.FactorPhone, "DP1"),
		"4":   choice(duo.FactorPhone, "DP3"),
		"5":   choice(duo.FactorSMS, "DP1"),
		" 5 ": choice(duo.FactorSMS, "DP1"),
		"2\n": choice(duo.FactorPush, "DP2"),
		// factors
		"push":     choice(duo.FactorPush, "DP1"),
		"push1":    choice(duo.FactorPush, "DP1"),
		"push2":    choice(duo.FactorPush, "DP2"),
		" PuSh 2 ": choice(duo.FactorPush, "DP2"),
		"Phone":    choice(duo.FactorPhone, "DP1"),
		"PHONE2":   choice(duo.FactorPhone, "DP3"),
		"sms":      choice(duo.FactorSMS, "DP1"),
		"\tsms1":   choice(duo.FactorSMS, "DP1"),
		// passcodes
		"123456":             passcode("123456"),
		"2345678":            passcode("2345678"),
		"1234567890":         passcode("1234567890"),
		" 123 456 ":          passcode("123456"),
		"000001":             passcode("000001"),
		"12":                 passcode("12"),
		"01":                 passcode("01"),
		yubiKey:              passcode(yubiKey),
		" " + yubiKey + "\n": passcode(yubiKey),
		// typing errors
		"":                   {},
		"   ":                {},
		"0":                  {},
		"6":                  {},
		"9":                  {},
		"1 2":                {},
		"12 345":             {},
		"-1":                 {},
		"1.":                 {},
		"+1":                 {},
		"push0":              {},
		"push3":              {},
		"push01":             {},
		"push11":             {},
		"pushpush":           {},
		"push,phone":         {},
		"phone3":             {},
		"sms2":               {},
		"auto":               {},
		"passcode":           {},
		"pish":               {},
		"12345a":             {},
		"１２３４５６":             {},
		"123456\x00":         {},
		"\xff":               {},
		yubiKey[1:]:          {},
		yubiKey + "c":        {},
		yubiKey[1:] + "1":    {},
		yubiKey[2:] + "é":    {},
		yubiKey[1:] + "\x00": {},
	})
}

func TestParseTakesNoFactorThatTheUserHasNot(t *testing.T) {
	checkAnswers(t, prompt.New("jdoe", []duo.Device{landline}), map[string]prompt.Selection{
		"1":      choice(duo.FactorPhone, "DP3"),
		"phone":  choice(duo.FactorPhone, "DP3"),
		"push":   {},
		"push1":  {},
		"sms":    {},
		"2":      {},
		"123456": passcode("123456"),
	})
	checkAnswers(t, prompt.New("jdoe", []duo.Device{token}), map[string]prompt.Selection{
		"1":      {},
		"push":   {},
		"":       {},
		"123456": passcode("123456"),
		yubiKey:  passcode(yubiKey),
	})
}

func TestParseWithTwoDigitOptions(t *testing.T) {
	m := prompt.New("jdoe", []duo.Device{phone, phone, phone, phone})
	checkAnswers(t, m, map[string]prompt.Selection{
		"1":      choice(duo.FactorPush, "DP1"),
		"12":     choice(duo.FactorSMS, "DP1"),
		"1 2":    {},
		"13":     passcode("13"),
		"012":    passcode("012"),
		"120000": passcode("120000"),
		"push4":  choice(duo.FactorPush, "DP1"),
		"push5":  {},
	})
}

func TestParseOfTheServicesMenu(t *testing.T) {
	checkAnswers(t, service(), map[string]prompt.Selection{
		"1":              fromService("verified_push1", duo.FactorPush),
		" 2 ":            fromService("voice1", duo.FactorPhone),
		"3":              fromService("smsrefresh1", duo.FactorSMS),
		"Verified_Push1": fromService("verified_push1", duo.FactorPush),
		"SMSREFRESH1":    fromService("smsrefresh1", duo.FactorSMS),
		// the option of that kind and number, whatever the service calls it
		"push":   fromService("verified_push1", duo.FactorPush),
		"PUSH 1": fromService("verified_push1", duo.FactorPush),
		"phone":  fromService("voice1", duo.FactorPhone),
		"sms1":   fromService("smsrefresh1", duo.FactorSMS),
		// not in the map: as it is
		"123 456": fromService("123456", duo.FactorPasscode),
		"12":      fromService("12", duo.FactorPasscode),
		yubiKey:   fromService(yubiKey, duo.FactorPasscode),
		// typing errors
		"":       {},
		"0":      {},
		"4":      {},
		"1 2":    {},
		"pish":   {},
		"push!":  {},
		"push2":  {},
		"voice2": {},
		"auto":   {},
	})
	checkAnswers(t, &prompt.Menu{Text: "1. Call", Factors: map[string]string{"1": "phone1"}}, map[string]prompt.Selection{
		"push":  fromService("push", duo.FactorPush), // not listed at all: the service knows
		"push2": fromService("push2", duo.FactorPush),
	})
}

func TestParseOfNamesTheServiceMayAdd(t *testing.T) {
	m := &prompt.Menu{Text: "1. Wave", Factors: map[string]string{"1": "wave1", "2": "", "x": "push1"}}
	checkAnswers(t, m, map[string]prompt.Selection{
		"1":     fromService("wave1", duo.FactorPrompt),
		"WAVE1": fromService("wave1", duo.FactorPrompt),
		"x":     fromService("push1", duo.FactorPush),
		"2":     {},
		"":      {},
		"wave":  {},
	})
}

func TestATextAloneIsShown(t *testing.T) {
	m := prompt.New("jdoe", []duo.Device{phone})
	m.Text = "Code of your token: "
	assert.Equal(t, []string{"Code of your token: "}, prompt.Console{}.Render(m))
	checkAnswers(t, m, map[string]prompt.Selection{"1": choice(duo.FactorPush, "DP1"), "123456": passcode("123456")})
}

func TestAMapAloneIsNoMenu(t *testing.T) {
	m := prompt.New("jdoe", []duo.Device{phone})
	want := prompt.Console{}.Render(m)
	m.Factors = map[string]string{"1": "sms1"}
	assert.Equal(t, want, prompt.Console{}.Render(m))
	checkAnswers(t, m, map[string]prompt.Selection{"1": choice(duo.FactorPush, "DP1")})
}

func TestNoPasscode(t *testing.T) {
	m := prompt.New("jdoe", []duo.Device{landline})
	m.NoPasscode = true
	assert.Equal(t, []string{"Duo two-factor login for jdoe\n\nSelect one of the following options:\n\n" +
		"1. Phone call to XXX-XXX-9999\n\nOption (1-1): "}, prompt.Console{}.Render(m))
	assert.Equal(t, []string{"Choose a secondary factor from (`phone1`):"}, prompt.Short{}.Render(m))
	checkAnswers(t, m, map[string]prompt.Selection{"1": choice(duo.FactorPhone, "DP3"), "123456": {}, yubiKey: {}})
}

func TestIsAnswer(t *testing.T) {
	for _, s := range []string{"1", "push", "Phone2", " sms ", "123456", "123 456", yubiKey} {
		assert.True(t, prompt.IsAnswer(s), s)
	}
	for _, s := range []string{"", " ", "word", "12a", "push!", "auto2x"} {
		assert.False(t, prompt.IsAnswer(s), s)
	}
}

func TestASelectionPrintsNoPasscode(t *testing.T) {
	const code = "54615461"
	for _, m := range []*prompt.Menu{prompt.New("jdoe", nil), service()} {
		s, err := m.Parse(code)
		require.NoError(t, err)
		assert.Equal(t, code, string(s.Passcode)+string(s.Prompt))

		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb, s)
			fmt.Fprintf(&out, verb, &s)
		}
		encoded, err := json.Marshal(s)
		require.NoError(t, err)
		out.Write(encoded)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "selection", s)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "selection", s)
		assert.NotContains(t, out.String(), code)
		assert.NotContains(t, out.String(), fmt.Sprintf("%x", code))
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "1", "push2", " SMS ", "123 456", yubiKey, "\x00", "\xff", "default"} {
		f.Add(seed)
	}
	own := prompt.New("jdoe", []duo.Device{phone, tablet, token, landline})
	made := service()
	f.Fuzz(func(t *testing.T, answer string) {
		got, err := own.Parse(answer)
		again, _ := own.Parse("\t" + strings.ToUpper(answer) + " ")
		if err != nil {
			require.ErrorIs(t, err, prompt.ErrInvalid)
			require.Zero(t, got)
		} else if got.Factor != duo.FactorPasscode {
			require.Contains(t, own.Choices, prompt.Choice{Factor: got.Factor, Device: got.Device, Label: label(own, got)})
			require.Empty(t, got.Passcode)
			require.Equal(t, got, again, "neither case nor blanks matter")
		} else {
			require.Equal(t, strings.Join(strings.Fields(answer), ""), string(got.Passcode))
			require.Empty(t, got.Device)
		}

		got, err = made.Parse(answer)
		if err != nil {
			require.ErrorIs(t, err, prompt.ErrInvalid)
			return
		}
		require.Equal(t, duo.FactorPrompt, got.Factor)
		require.NotEmpty(t, got.Prompt)
		require.NotEqual(t, duo.FactorPrompt, got.Kind)
	})
}

func label(m *prompt.Menu, s prompt.Selection) string {
	for _, c := range m.Choices {
		if c.Factor == s.Factor && c.Device == s.Device {
			return c.Label
		}
	}
	return ""
}

func ExampleMenu_Parse() {
	menu := prompt.New("jdoe", []duo.Device{
		{ID: "DP1", Number: "XXX-XXX-1234", Capabilities: []duo.Factor{duo.FactorPush, duo.FactorPhone}},
		{ID: "DP2", DisplayName: "Tablet", Capabilities: []duo.Factor{duo.FactorPush}},
	})
	for _, answer := range []string{"1", "Push2", "phone", "123 456", "pish"} {
		selection, err := menu.Parse(answer)
		if err != nil {
			fmt.Println("ask again:", err)
			continue
		}
		fmt.Printf("%s %q\n", selection.Factor, selection.Device)
	}
	// Output:
	// push "DP1"
	// push "DP2"
	// phone "DP1"
	// passcode ""
	// ask again: prompt: the answer is no option, factor or passcode of this menu
}
