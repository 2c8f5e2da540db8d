package radmfa

import (
	"errors"
	"strings"
	"unicode/utf8"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// Reply is the answer to a Request.
type Reply struct {
	// Result is ResultAccepted, ResultRejected, ResultChallenged (ask the user
	// for the answer to Messages, and send it with State) or ResultIgnored
	// (answer nothing; the caller may ask again, or ask another node).
	Result Result

	// Messages is the text for the user, in pieces of 1 to 253 bytes that each
	// fit a Reply-Message (RFC 2865 section 5.18). Joined, they are the text.
	Messages []string

	// State identifies the challenge. It is a secret between server and NAS.
	State string

	// Attributes are the RADIUS attributes of the reply, keys in clear
	// (radius.DecryptKeys).
	Attributes radius.Attributes
}

// decision is a Reply and what the operator should know about it.
type decision struct {
	Reply
	loginID    string // of the login that it decides
	account    string
	cause      Cause
	reason     string
	factor     duo.Factor
	status     duo.Status
	said       string // by the service; without secrets
	failedOpen bool
	repeated   bool // made for an earlier request
	err        error
}

// outcome is the decision for requests that share it.
func (l *login) outcome() decision {
	d := l.decision
	if !d.repeated {
		d.loginID, d.account = l.ses.id, l.ses.name()
	}
	return d
}

// accept lets the user in, after the password is changed where it must be. The
// text is shown to the user; the reason is logged.
func (l *login) accept(cause Cause, text, reason string) step {
	if l.ses.mustChange() {
		l.ses.attempts, l.notice = 0, ""
		return atAskPassword
	}
	return l.decide(ResultAccepted, cause, text, reason, l.ses.attributes)
}

// reject denies the login. The text is shown to the user; the reason is logged.
func (l *login) reject(cause Cause, text, reason string) step {
	return l.decide(ResultRejected, cause, text, reason, nil)
}

// fail rejects because something does not work.
func (l *login) fail(cause Cause, reason string, err error) step {
	l.reject(cause, textNoSecondFactor, reason)
	l.decision.err = err
	return decided
}

// ignore leaves the request without a reply, so that the NAS asks again or asks
// another server.
func (l *login) ignore(reason string, err error) step {
	l.decision = decision{Reply: Reply{Result: ResultIgnored}, reason: reason, err: err}
	return decided
}

func (l *login) decide(result Result, cause Cause, text, reason string, attributes radius.Attributes) step {
	d := decision{Reply: Reply{Result: result, Messages: l.message(text)}, cause: cause, reason: reason}
	d.Attributes, d.Messages = l.ownMessages(attributes, d.Messages)
	l.decision = d
	return decided
}

// because adds to a challenge why the user is asked again.
func (l *login) because(cause Cause, reason string) {
	if l.decision.Result == ResultChallenged {
		l.decision.cause, l.decision.reason = cause, reason
	}
}

// quote adds to the decision what the service said in a stage.
func (l *login) quote(s *span) step {
	l.decision.factor, l.decision.status, l.decision.said = s.factor, s.status, l.public(s.message)
	return decided
}

// ownMessages takes the Reply-Messages of a first factor out of its attributes,
// so that the Renderer escapes them like every other text.
func (l *login) ownMessages(attributes radius.Attributes, messages []string) (radius.Attributes, []string) {
	if _, ok := attributes.Lookup(rfc2865.ReplyMessage_Type); !ok {
		return attributes, messages
	}
	var rest radius.Attributes
	var text strings.Builder
	for _, a := range attributes {
		if a.Type == rfc2865.ReplyMessage_Type {
			text.Write(a.Attribute)
		} else {
			rest = append(rest, a)
		}
	}
	return rest, append(l.message(text.String()), messages...)
}

// message writes a text as Reply-Messages.
func (l *login) message(text string) []string {
	if text == "" {
		return nil
	}
	return sendable(l.server.renderer().Message(l.texts.Translate(text)))
}

// render writes a menu as Reply-Messages.
func (l *login) render(m *prompt.Menu) []string {
	shown := *m
	shown.Texts, shown.Notice, shown.Text = l.texts, l.texts.Translate(m.Notice), l.texts.Translate(m.Text)
	if messages := sendable(l.server.renderer().Render(&shown)); len(messages) > 0 {
		return messages
	}
	return prompt.Short{}.Render(&shown)
}

// maxMessage is the length of the longest Reply-Message in bytes.
const maxMessage = 253

// sendable returns what a Renderer wrote, made to fit where the Renderer breaks
// its contract.
func sendable(messages []string) []string {
	fits := true
	for _, m := range messages {
		fits = fits && m != "" && len(m) <= maxMessage && utf8.ValidString(m)
	}
	if fits {
		return messages
	}
	var list []string
	for _, m := range messages {
		list = append(list, prompt.Split(clean.Text(m))...)
	}
	return list
}

// errPanic is the error of a login that ended in a panic.
var errPanic = errors.New("radmfa: code called by the Server panicked")

// panicked is the decision after a panic. It avoids the Renderer and Texts, which
// may be what panicked.
func panicked(texts prompt.Texts) decision {
	return decision{
		Reply: Reply{Result: ResultRejected, Messages: prompt.Split(clean.Text(texts.Translate(textNoSecondFactor)))},
		cause: CauseInternal, reason: "the login ended in a panic", err: errPanic,
	}
}
