package prompt

import (
	"strconv"
	"strings"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/clean"
)

// A Renderer writes the texts for users in the form their client shows best.
// What it returns are the Reply-Message attributes in order, each 1 to 253 bytes
// of UTF-8. A Renderer is safe for concurrent use.
type Renderer interface {
	// Render writes a menu. It returns at least one Reply-Message.
	Render(m *Menu) []string

	// Message writes any other text, such as the service's reason for a refusal
	// or how to enroll. An empty text gives no Reply-Message.
	Message(text string) []string
}

// maxMessages keeps a reply below 1,024 bytes, more than which some clients
// (pam_radius) refuse.
const maxMessages = 3

// Console writes plain text, its lines separated by LF. A menu over 253 bytes
// falls back to Short. A message is split as Split does it, into three
// Reply-Messages at most; what is beyond them is left out.
type Console struct {
	// Split sends a menu over 253 bytes in up to three Reply-Messages instead,
	// split as Split does it, and falls back to Short only beyond that. Some
	// clients (pam_radius) show only the first.
	Split bool

	// NoMarkup leaves out the characters <, > and & wherever they come from, for
	// clients (ocserv) that put a text into XML as it is. A URL that holds an &
	// does not survive it.
	NoMarkup bool
}

// Render implements Renderer.
func (c Console) Render(m *Menu) []string { return c.encoding().menu(m, c.Split) }

// Message implements Renderer.
func (c Console) Message(text string) []string { return c.encoding().message(text) }

func (c Console) encoding() encoding {
	if c.NoMarkup {
		return noMarkup
	}
	return plain
}

// HTML writes for clients that put the text into a web page: the text of
// Console, escaped, each line break as <br />. Lengths count after that. A menu
// over 253 bytes falls back to Short; a message is split as that of Console.
type HTML struct {
	// Split is as in Console.
	Split bool
}

// Render implements Renderer.
func (h HTML) Render(m *Menu) []string { return escaped.menu(m, h.Split) }

// Message implements Renderer.
func (h HTML) Message(text string) []string { return escaped.message(text) }

// Short writes the menu as one line with the names of the factors only, in
// plain text. When even that is over 253 bytes, a fixed sentence asks for a
// factor or a passcode. The notice and the verification code stand before it as
// long as they fit, the code rather than the notice. A message is written as by
// Console.
type Short struct{}

// Render implements Renderer.
func (Short) Render(m *Menu) []string { return []string{plain.short(m)} }

// Message implements Renderer.
func (Short) Message(text string) []string { return plain.message(text) }

// menu writes the long form if it fits, and if there is one: a text the service
// made may consist of nothing that can be shown.
func (e encoding) menu(m *Menu, split bool) []string {
	limit := 1
	if split {
		limit = maxMessages
	}
	if pieces := e.split(m.long()); len(pieces) > 0 && len(pieces) <= limit {
		return pieces
	}
	return []string{e.short(m)}
}

// short writes the best short form that fits: above all the code is shown, then
// the notice, then the list of factors.
func (e encoding) short(m *Menu) string {
	code, notice := m.codeLine(), clean.Line(m.Notice)
	for _, above := range [][]string{{notice, code}, {code}} {
		for _, ask := range []string{m.shortLine(), m.Texts.Text("menu.shortest")} {
			if text := e.encode(sentences(append(above, ask))); len(text) <= maxMessage {
				return text
			}
		}
	}
	if text := e.encode(m.shortLine()); len(text) <= maxMessage {
		return text
	}
	if text := e.encode(m.Texts.Text("menu.shortest")); len(text) <= maxMessage {
		return text
	}
	return e.encode(defaults["menu.shortest"])
}

func (e encoding) message(text string) []string {
	pieces := e.split(clean.Text(text))
	return pieces[:min(len(pieces), maxMessages)]
}

// long returns the text of Console.
func (m *Menu) long() string {
	var b strings.Builder
	b.Grow(2 * maxMessage)
	for _, line := range []string{strings.TrimRight(clean.Text(m.Notice), "\n"), m.codeLine()} {
		if line != "" {
			b.WriteString(line)
			b.WriteByte('\n')
		}
	}
	if m.Text != "" {
		b.WriteString(clean.Text(m.Text))
		return b.String()
	}
	m.title(&b)
	if len(m.Choices) == 0 {
		b.WriteString("\n\n" + m.Texts.Text("menu.passcode") + "\n\n" + m.Texts.Text("menu.passcode.ask"))
		return b.String()
	}
	options := "menu.options"
	if m.NoPasscode {
		options = "menu.options.only"
	}
	b.WriteString("\n\n")
	b.WriteString(m.Texts.Text(options))
	b.WriteString("\n\n")
	for i := range m.Choices {
		b.WriteString(strconv.Itoa(i + 1))
		b.WriteString(". ")
		m.line(&b, &m.Choices[i])
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	m.Texts.write(&b, options+".ask", strconv.Itoa(len(m.Choices)))
	return b.String()
}

func (m *Menu) title(b *strings.Builder) {
	title := m.Texts.Text("menu.title")
	if m.Product != "" {
		title = m.Texts.Text("menu.title.product", clean.Line(m.Product))
	}
	if m.Username == "" {
		b.WriteString(title)
		return
	}
	m.Texts.write(b, "menu.title.user", title, clean.Line(m.Username))
}

func (m *Menu) shortLine() string {
	names := m.names()
	if len(names) == 0 {
		return m.Texts.Text("menu.short.passcode")
	}
	for i, name := range names {
		names[i] = "`" + clean.Line(m.Texts.shownName(name)) + "`"
	}
	if m.NoPasscode {
		return m.Texts.Text("menu.short.only", strings.Join(names, ", "))
	}
	return m.Texts.Text("menu.short", strings.Join(names, ", "))
}

func (m *Menu) codeLine() string {
	if m.VerificationCode == "" {
		return ""
	}
	return m.Texts.Text("menu.code", clean.Line(m.VerificationCode))
}

// line writes an option.
func (m *Menu) line(b *strings.Builder, c *Choice) {
	label := clean.Line(m.Texts.Translate(c.Label))
	switch {
	case c.Factor == duo.FactorPush && m.Product != "":
		m.Texts.write(b, "menu.push.product", clean.Line(m.Product), label)
	case c.Factor == duo.FactorPush, c.Factor == duo.FactorPhone, c.Factor == duo.FactorSMS:
		m.Texts.write(b, "menu."+string(c.Factor), label)
	default:
		b.WriteString(string(c.Factor) + " " + label)
	}
	if c.Factor == duo.FactorSMS && c.NextCode != "" {
		m.Texts.write(b, "menu.sms.next", clean.Line(c.NextCode))
	}
}

// sentences joins those of the texts that are not empty.
func sentences(texts []string) string {
	var b strings.Builder
	for _, text := range texts {
		if text != "" && b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(text)
	}
	return b.String()
}
