package prompt_test

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

const tryAgain = "That is no option: try again."

func menu(devices ...duo.Device) *prompt.Menu { return prompt.New("jdoe", devices) }

// with gives a menu a notice and a verification code.
func with(m *prompt.Menu, notice, code string) *prompt.Menu {
	m.Notice, m.VerificationCode = notice, code
	return m
}

func TestConsole(t *testing.T) {
	texted := phone
	texted.NextSMSCode = "2"
	for _, test := range []struct {
		name string
		menu *prompt.Menu
		want string
	}{
		{"a phone", menu(phone, token), `Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Duo Push to XXX-XXX-1234
2. Phone call to XXX-XXX-1234
3. SMS passcodes to XXX-XXX-1234

Passcode or option (1-3): `},
		{"SMS passcodes were sent before", menu(texted), `Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Duo Push to XXX-XXX-1234
2. Phone call to XXX-XXX-1234
3. SMS passcodes to XXX-XXX-1234 (next code starts with: 2)

Passcode or option (1-3): `},
		{"two devices, grouped by factor", menu(landline, tablet), `Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Duo Push to Tablet
2. Phone call to XXX-XXX-9999

Passcode or option (1-2): `},
		{"one option", menu(landline), `Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Phone call to XXX-XXX-9999

Passcode or option (1-1): `},
		{"no option", menu(token), `Duo two-factor login for jdoe

Enter a passcode.

Passcode: `},
		{"nobody", &prompt.Menu{}, `Two-factor login

Enter a passcode.

Passcode: `},
		{"a notice", with(menu(tablet), tryAgain, ""), `That is no option: try again.
Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Duo Push to Tablet

Passcode or option (1-1): `},
		{"a verified push", with(menu(phone), "", "376"), `For Duo Push, enter 376 in Duo Mobile.
Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Duo Push to XXX-XXX-1234
2. Phone call to XXX-XXX-1234
3. SMS passcodes to XXX-XXX-1234

Passcode or option (1-3): `},
		{"a notice and a verified push", with(menu(tablet), tryAgain, "376"), `That is no option: try again.
For Duo Push, enter 376 in Duo Mobile.
Duo two-factor login for jdoe

Enter a passcode or select one of the following options:

1. Duo Push to Tablet

Passcode or option (1-1): `},
		{"the service's own", service(), service().Text},
		{"the service's own, with notice and code", with(service(), tryAgain, "376"),
			tryAgain + "\nFor Duo Push, enter 376 in Duo Mobile.\n" + service().Text},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, []string{test.want}, prompt.Console{}.Render(test.menu))
			assert.Equal(t, []string{test.want}, prompt.Console{Split: true}.Render(test.menu))
		})
	}
}

func TestHTML(t *testing.T) {
	assert.Equal(t, []string{"Duo two-factor login for jdoe<br /><br />" +
		"Enter a passcode or select one of the following options:<br /><br />" +
		"1. Duo Push to XXX-XXX-1234<br />2. Phone call to XXX-XXX-1234<br />3. SMS passcodes to XXX-XXX-1234<br /><br />" +
		"Passcode or option (1-3): "}, prompt.HTML{}.Render(menu(phone)))

	hostile := prompt.New("<b>", []duo.Device{{DisplayName: `<script>'&"`, Capabilities: []duo.Factor{duo.FactorPush}}})
	assert.Equal(t, []string{"Duo two-factor login for &lt;b&gt;<br /><br />" +
		"Enter a passcode or select one of the following options:<br /><br />" +
		"1. Duo Push to &lt;script&gt;&#39;&amp;&#34;<br /><br />Passcode or option (1-1): "}, prompt.HTML{}.Render(hostile))

	made := &prompt.Menu{Text: "<i>Duo</i>\n1. Push: ", Factors: map[string]string{"1": "push1"}}
	assert.Equal(t, []string{"&lt;i&gt;Duo&lt;/i&gt;<br />1. Push: "}, prompt.HTML{}.Render(made))
}

func TestShort(t *testing.T) {
	for _, test := range []struct {
		name string
		menu *prompt.Menu
		want string
	}{
		{"a phone", menu(phone), "Choose a secondary factor from (`push1`, `phone1`, `sms1`) or enter passcode:"},
		{"several devices", menu(tablet, phone, landline),
			"Choose a secondary factor from (`push1`, `push2`, `phone1`, `phone2`, `sms1`) or enter passcode:"},
		{"no option", menu(token), "Enter passcode:"},
		{"a notice and a code", with(menu(tablet), tryAgain, "376"), "That is no option: try again. " +
			"For Duo Push, enter 376 in Duo Mobile. Choose a secondary factor from (`push1`) or enter passcode:"},
		{"the service's own", service(),
			"Choose a secondary factor from (`verified_push1`, `voice1`, `smsrefresh1`) or enter passcode:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, []string{test.want}, prompt.Short{}.Render(test.menu))
		})
	}
}

// many returns a menu with n pushes.
func many(n int) *prompt.Menu {
	m := &prompt.Menu{Product: "Duo", Username: "jdoe"}
	for range n {
		m.Choices = append(m.Choices, prompt.Choice{Factor: duo.FactorPush, Device: "DP1", Label: "XXX-XXX-1234"})
	}
	return m
}

func TestALongMenuFallsBackToShort(t *testing.T) {
	const jdoesMenu = 207 // bytes
	fits := prompt.New(strings.Repeat("x", len("jdoe")+253-jdoesMenu), []duo.Device{phone})
	require.Len(t, prompt.Console{}.Render(fits)[0], 253)
	fits.Username += "x"
	for _, r := range []prompt.Renderer{prompt.Console{}, prompt.HTML{}, prompt.Console{NoMarkup: true}} {
		assert.Equal(t, prompt.Short{}.Render(fits), r.Render(fits))
	}

	// HTML counts what its escapes take.
	brackets := prompt.New(strings.Repeat("<", 10), []duo.Device{phone})
	assert.Contains(t, prompt.Console{}.Render(brackets)[0], "<<<<<<<<<<")
	assert.Equal(t, prompt.Short{}.Render(brackets), prompt.HTML{}.Render(brackets))

	long := service()
	long.Text += strings.Repeat(" more", 50)
	assert.Equal(t, prompt.Short{}.Render(long), prompt.Console{}.Render(long))
}

func TestALongShortMenuFallsBackToASentence(t *testing.T) {
	const sentence = "Enter the name of a factor (push, phone or sms) or a passcode:"
	for _, r := range []prompt.Renderer{prompt.Console{}, prompt.HTML{}, prompt.Short{}} {
		assert.Contains(t, r.Render(many(20))[0], "`push20`")
		assert.Equal(t, []string{sentence}, r.Render(many(30)))
		assert.Equal(t, []string{tryAgain + " For Duo Push, enter 376 in Duo Mobile. " + sentence},
			r.Render(with(many(30), tryAgain, "376")))
	}
}

func TestTheCodeIsKeptRatherThanTheNotice(t *testing.T) {
	const code = "For Duo Push, enter 376376 in Duo Mobile. "
	long := strings.Repeat("No. ", 60)
	for _, r := range []prompt.Renderer{prompt.Console{}, prompt.HTML{}, prompt.Short{}} {
		assert.Equal(t, []string{code + "Choose a secondary factor from (`push1`) or enter passcode:"},
			r.Render(with(menu(tablet), long, "376376")))
		assert.Equal(t, []string{code + "Enter the name of a factor (push, phone or sms) or a passcode:"},
			r.Render(with(many(30), long, "376376")))
		assert.Equal(t, []string{"Choose a secondary factor from (`push1`) or enter passcode:"},
			r.Render(with(menu(tablet), long, long)), "what is no code")
	}
}

func TestATextOfNothingIsNoMenu(t *testing.T) {
	m := service()
	m.Text = "\x00\x1b"
	for _, r := range []prompt.Renderer{prompt.Console{}, prompt.Console{Split: true}, prompt.HTML{}} {
		assert.Equal(t, prompt.Short{}.Render(m), r.Render(m))
	}
}

func TestSplitKeepsTheLongMenu(t *testing.T) {
	m := with(many(10), tryAgain, "376")
	got := prompt.Console{Split: true}.Render(m)
	require.Len(t, got, 2)
	assert.True(t, strings.HasPrefix(got[0], tryAgain+"\nFor Duo Push, enter 376 in Duo Mobile.\nDuo two-factor login for jdoe\n\n"), got[0])
	assert.True(t, strings.HasSuffix(got[0], ". Duo Push to XXX-XXX-1234\n"), "cut at a line end: %q", got[0])
	assert.True(t, strings.HasSuffix(got[1], "10. Duo Push to XXX-XXX-1234\n\nPasscode or option (1-10): "), got[1])

	web := prompt.HTML{Split: true}.Render(m)
	require.Len(t, web, 3)
	assert.True(t, strings.HasSuffix(web[0], "XXX-XXX-1234<br />"), web[0])
	assert.Equal(t, strings.ReplaceAll(strings.Join(got, ""), "\n", "<br />"), strings.Join(web, ""))

	assert.Equal(t, prompt.Short{}.Render(many(25)), prompt.Console{Split: true}.Render(many(25)), "over three Reply-Messages")
}

func TestNamesCannotForgeAMenu(t *testing.T) {
	m := prompt.New("jdoe\n\nsend your passcode to x@example.com", []duo.Device{
		{DisplayName: "a\r\n2. Phone call\x1b[2J", Capabilities: []duo.Factor{duo.FactorPush}},
	})
	got := prompt.Console{}.Render(m)[0]
	assert.Contains(t, got, "for jdoe  send your passcode to x@example.com\n")
	assert.Contains(t, got, "1. Duo Push to a 2. Phone call[2J\n")
}

func TestNoMarkup(t *testing.T) {
	m := prompt.New("a&b", []duo.Device{{DisplayName: "<Bob's> phone", Capabilities: []duo.Factor{duo.FactorPush}}})
	got := prompt.Console{NoMarkup: true}.Render(m)[0]
	assert.Contains(t, got, "login for ab\n")
	assert.Contains(t, got, "1. Duo Push to Bob's phone\n")
	assert.Equal(t, []string{"bLogin denied./b"}, prompt.Console{NoMarkup: true}.Message("<b>Login denied.</b>"))
}

func TestMessage(t *testing.T) {
	const text = "Enroll at <https://example.com/?a=1&b=2>\nthen log in."
	assert.Equal(t, []string{text}, prompt.Console{}.Message(text))
	assert.Equal(t, []string{text}, prompt.Short{}.Message(text))
	assert.Equal(t, []string{"Enroll at &lt;https://example.com/?a=1&amp;b=2&gt;<br />then log in."}, prompt.HTML{}.Message(text))
	for _, r := range []prompt.Renderer{prompt.Console{}, prompt.Console{NoMarkup: true}, prompt.HTML{}, prompt.Short{}} {
		assert.Empty(t, r.Message(""))
		assert.Empty(t, r.Message("\x00"))
		assert.Len(t, r.Message(strings.Repeat("a lot of text\n", 1000)), 3)
	}
	assert.Empty(t, prompt.Console{NoMarkup: true}.Message("<>"))
}

func FuzzRender(f *testing.F) {
	f.Add("jdoe", "XXX-XXX-1234", tryAgain, "376", "2", "", "push1", uint8(3))
	f.Add("<&\"'>", "\x1b\u202e\xff\n", "", "", "", "1. Push\n2. Call: ", "push1", uint8(1))
	f.Add(strings.Repeat("é", 130), "", "a\nb\n\n", "1", "", strings.Repeat("word ", 200), "`", uint8(40))
	f.Fuzz(func(t *testing.T, username, label, notice, code, next, text, name string, n uint8) {
		m := &prompt.Menu{Product: "Duo", Username: username, Notice: notice, VerificationCode: code, Text: text,
			Factors: map[string]string{"1": name, "2": "sms1"}}
		for i := range n {
			factor := []duo.Factor{duo.FactorPush, duo.FactorPhone, duo.FactorSMS}[i%3]
			m.Choices = append(m.Choices, prompt.Choice{Factor: factor, Label: label, NextCode: next})
		}
		for _, r := range []prompt.Renderer{
			prompt.Console{}, prompt.Console{Split: true}, prompt.Console{NoMarkup: true, Split: true},
			prompt.HTML{}, prompt.HTML{Split: true}, prompt.Short{},
		} {
			got := r.Render(m)
			require.NotEmpty(t, got)
			checkReplyMessages(t, r, got)
			checkReplyMessages(t, r, r.Message(text))
			if len(code) > 0 && len(code) <= 8 && isDigits(code) {
				require.Contains(t, strings.Join(got, ""), "For Duo Push, enter "+code+" in Duo Mobile.")
			}
		}
	})
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// checkReplyMessages checks what must hold for whatever a Renderer returns.
func checkReplyMessages(t *testing.T, r prompt.Renderer, got []string) {
	require.LessOrEqual(t, len(got), 3)
	for _, text := range got {
		require.NotEmpty(t, text)
		require.LessOrEqual(t, len(text), 253)
		require.True(t, utf8.ValidString(text))
		require.False(t, strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }))
		switch r := r.(type) {
		case prompt.HTML:
			plain := strings.ReplaceAll(text, "<br />", "")
			require.False(t, strings.ContainsAny(plain, "<>\n\"'"), text)
			require.Equal(t, plain, html.EscapeString(html.UnescapeString(plain)), "escapes are whole")
		case prompt.Console:
			require.False(t, r.NoMarkup && strings.ContainsAny(text, "<>&"), text)
		}
	}
}

// jdoe's phone, as the service describes it.
var jdoesPhone = []duo.Device{{
	ID:           "DPFZRS9FB0D46QFTM891",
	Number:       "XXX-XXX-1234",
	Capabilities: []duo.Factor{duo.FactorPush, duo.FactorPhone, duo.FactorSMS},
}}

func ExampleConsole() {
	menu := prompt.New("jdoe", jdoesPhone)
	for _, replyMessage := range (prompt.Console{}).Render(menu) {
		fmt.Println(replyMessage)
	}
	// Output:
	// Duo two-factor login for jdoe
	//
	// Enter a passcode or select one of the following options:
	//
	// 1. Duo Push to XXX-XXX-1234
	// 2. Phone call to XXX-XXX-1234
	// 3. SMS passcodes to XXX-XXX-1234
	//
	// Passcode or option (1-3):
}

func ExampleHTML() {
	menu := prompt.New("jdoe", nil) // has a token only
	for _, replyMessage := range (prompt.HTML{}).Render(menu) {
		fmt.Println(replyMessage)
	}
	// Output:
	// Duo two-factor login for jdoe<br /><br />Enter a passcode.<br /><br />Passcode:
}

func ExampleShort() {
	menu := prompt.New("jdoe", jdoesPhone)
	menu.VerificationCode = "376"
	for _, replyMessage := range (prompt.Short{}).Render(menu) {
		fmt.Println(replyMessage)
	}
	// Output:
	// For Duo Push, enter 376 in Duo Mobile. Choose a secondary factor from (`push1`, `phone1`, `sms1`) or enter passcode:
}
