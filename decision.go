package radmfa

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode/utf8"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// The texts for users that are ours; all others are the service's or the first
// factor's.
const (
	textNoFirstFactor  = "The login cannot be checked at the moment. Please try again later."
	textNoSecondFactor = "Two-factor authentication is not available at the moment. Please try again later."
	textExpired        = "This login has expired. Please log in again."
	textNoOption       = "That is not one of the options."
	textNotInTime      = "The login was not confirmed in time. Please log in again."
	textNewCode        = "The code has expired. Please use the new one."
	textTooManyPushes  = "Too many login requests were sent to your phone. Please wait a minute and try again."
	textAppendPasscode = "Please append a passcode or the name of a factor to your password, and log in again."
	textTooManyTries   = "Too many invalid answers. Please log in again."
	textEnrollFirst    = "Please finish your enrollment, then log in again."
)

// decision is what the NAS is told. Its exported fields are kept for requests
// that ask for the same.
type decision struct {
	Code       radius.Code
	Messages   []string          `json:",omitempty"` // each fits a Reply-Message
	State      string            `json:",omitempty"`
	Attributes radius.Attributes `json:",omitempty"`
	Reason     string            `json:",omitempty"` // for the operator
	Factor     duo.Factor        `json:",omitempty"`
	FailedOpen bool              `json:",omitempty"`

	repeated      bool // decided by an earlier request
	wrongPassword bool // it is the first factor that rejects
	err           error
}

// accept lets the user in. Text and reason: see reject.
func (l *login) accept(text, reason string, attributes radius.Attributes) decision {
	return decision{Code: radius.CodeAccessAccept, Messages: l.message(text), Reason: reason, Attributes: attributes}
}

// reject does not. The text is for the user, the reason for the operator.
func (l *login) reject(text, reason string) decision {
	return decision{Code: radius.CodeAccessReject, Messages: l.message(text), Reason: reason}
}

// fail rejects because something of ours does not work.
func (l *login) fail(reason string, err error) decision {
	d := l.reject(textNoSecondFactor, reason)
	d.err = err
	return d
}

// message writes a text as Reply-Messages.
func (l *login) message(text string) []string {
	return sendable(l.renderer().Message(text))
}

// render writes a menu as Reply-Messages.
func (l *login) render(m *prompt.Menu) []string {
	if messages := sendable(l.renderer().Render(m)); len(messages) > 0 {
		return messages
	}
	return prompt.Short{}.Render(m)
}

// sendable is what a Renderer wrote, made to fit where the Renderer breaks its
// contract.
func sendable(messages []string) []string {
	fits := func(m string) bool { return m != "" && len(m) <= maxMessage && utf8.ValidString(m) }
	var list []string
	for _, m := range messages {
		if fits(m) {
			list = append(list, m)
		} else {
			list = append(list, prompt.Split(clean.Text(m))...)
		}
	}
	return list
}

// maxMessage is the length of the longest Reply-Message in bytes.
const maxMessage = 253

// errPanic is the error of a login that ended in a panic.
var errPanic = errors.New("radmfa: code that the Server calls has panicked")

// broken is the decision where there is no other. It asks no Renderer, which may be
// what panics.
func (l *login) broken() decision {
	return decision{
		Code: radius.CodeAccessReject, Messages: []string{textNoSecondFactor},
		Reason: "the login was broken off", err: errPanic,
	}
}

// enrollText is what a user who must enroll is told: the service's text, and
// the address where that does not hold it.
func enrollText(p *duo.PreauthResponse) string {
	switch {
	case p.EnrollPortalURL == "" && p.StatusMessage == "":
		return textEnrollFirst
	case p.EnrollPortalURL == "" || strings.Contains(p.StatusMessage, p.EnrollPortalURL):
		return p.StatusMessage
	case p.StatusMessage == "":
		return "Please enroll at " + p.EnrollPortalURL
	default:
		return p.StatusMessage + "\n" + p.EnrollPortalURL
	}
}

// packet is the decision as a reply to request. It is an error when the reply is
// too long for one packet, as the attributes of a first factor can make it.
func (d *decision) packet(request *radius.Packet) (*radius.Packet, error) {
	p := request.Response(d.Code)
	attributes, err := radius.EncryptKeys(d.Attributes, radius.Secret(request.Secret), request.Authenticator)
	if err != nil {
		return nil, err
	}
	p.Attributes = attributes
	for _, m := range d.Messages {
		if err := rfc2865.ReplyMessage_AddString(p, m); err != nil {
			return nil, err
		}
	}
	if d.State != "" {
		if err := rfc2865.State_SetString(p, d.State); err != nil {
			return nil, err
		}
	}
	return p, radius.Fits(p, request)
}

// reply sends the decision. Log and OnEvent are told before, so that the events
// of a login are in order.
func (l *login) reply(w radius.ResponseWriter, d decision) {
	p, err := d.packet(l.packet)
	if err != nil {
		d = l.fail("the reply cannot be sent", err)
		if p, err = d.packet(l.packet); err != nil { // no room even for the text
			d.Messages, p = nil, l.packet.Response(d.Code)
		}
	}
	l.decided(&d)
	if err := w.Write(p); err != nil {
		l.warn("radmfa: the reply was not sent", err)
	}
}

func (l *login) warn(message string, err error) {
	l.logger().LogAttrs(context.WithoutCancel(l.ctx), slog.LevelWarn, message,
		slog.String("user", clean.Line(l.username)), slog.String("client", l.client), slog.Any("error", err))
}
