package radiusauth

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// defaultQuestion is for an Access-Challenge without a text: what is shown to
// the user must not be empty.
const defaultQuestion = "Enter your response:"

// answer makes what primary.Authenticator promises of a server's reply.
func (s *server) answer(l *login, request, reply *radius.Packet) (*primary.Result, error) {
	attributes := s.passThrough(l, request, reply)
	switch reply.Code {
	case radius.CodeAccessAccept:
		return &primary.Result{Attributes: attributes}, nil
	case radius.CodeAccessChallenge:
		text := s.text(reply)
		if text == "" {
			text = defaultQuestion
		}
		return nil, &primary.Challenge{
			Message:    text,
			State:      joinState(s.address, reply.Get(rfc2865.State_Type)),
			Attributes: attributes,
		}
	default: // radius.Exchanger takes no other than these three
		return nil, &primary.Rejection{
			Message:    s.text(reply),
			Reason:     s.reason(reply),
			Attributes: attributes,
		}
	}
}

// passThrough returns the reply's attributes that go on to the NAS, in clear.
func (s *server) passThrough(l *login, request, reply *radius.Packet) radius.Attributes {
	attributes, err := radius.DecryptKeys(filter(reply.Attributes, func(k radius.AttributeType) bool {
		if k == replyMessage && reply.Code != radius.CodeAccessAccept {
			return false // it is the Message
		}
		return s.chosen(k) || l.protocol == msCHAP && replyOfMSCHAP(k)
	}), s.Secret, request.Authenticator)
	if err != nil {
		s.log.Warn("RADIUS server sent attributes that cannot be used", "server", s.address, "error", err)
	}
	first := slices.IndexFunc(attributes, isReplyMessage)
	if first < 0 {
		return attributes
	}
	return slices.Insert(slices.DeleteFunc(attributes, isReplyMessage), first, s.replyMessages(reply)...)
}

func isReplyMessage(a *radius.AVP) bool { return a.Type == replyMessage.Type }

// replyMessages returns the reply's texts as attributes again.
func (s *server) replyMessages(reply *radius.Packet) []*radius.AVP {
	var out []*radius.AVP
	for _, text := range s.texts(reply) {
		for len(text) > 0 {
			piece := cut(text)
			out = append(out, &radius.AVP{Type: replyMessage.Type, Attribute: radius.Attribute(piece)})
			text = text[len(piece):]
		}
	}
	return out
}

// chosen reports whether attributes of the kind are to go on to the NAS.
func (s *server) chosen(k radius.AttributeType) bool {
	return !neverPassedThrough(k) && (s.auth.PassThroughAll || slices.Contains(s.auth.PassThrough, k))
}

// cut returns as much of the text as an attribute has room for, in whole runes.
func cut(text string) string {
	if len(text) <= radius.MaxAttribute {
		return text
	}
	end := radius.MaxAttribute
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

// text returns what the reply says to the user.
func (s *server) text(reply *radius.Packet) string {
	return strings.TrimSpace(strings.Join(s.texts(reply), "\n"))
}

// texts returns the Reply-Messages. One that fills its attribute goes on in the
// next.
func (s *server) texts(reply *radius.Packet) []string {
	var texts []string
	var text []byte
	end := func() {
		if len(text) > 0 {
			texts = append(texts, s.clean(text))
			text = nil
		}
	}
	for _, a := range reply.Attributes {
		if isReplyMessage(a) {
			text = append(text, a.Attribute...)
			if len(a.Attribute) < radius.MaxAttribute {
				end()
			}
		}
	}
	end()
	return texts
}

// clean returns a text of the server as UTF-8 without control characters.
func (s *server) clean(text []byte) string {
	if s.Encoding != nil && !utf8.Valid(text) {
		if decoded, err := s.Encoding.NewDecoder().Bytes(text); err == nil {
			text = decoded
		}
	}
	return clean.Text(string(text))
}

// reason tells the operator which server refused the user and what it said.
func (s *server) reason(reply *radius.Packet) string {
	reason := s.address + " refused the user"
	if text := s.text(reply); text != "" {
		reason += fmt.Sprintf(": %q", text)
	}
	if why := msCHAPReason(reply); why != "" {
		reason += ": " + why
	}
	return reason
}

// msCHAPReason explains the MS-CHAP-Error of a reply ("\x01E=691 R=1 C=... V=3"),
// if there is one.
func msCHAPReason(reply *radius.Packet) string {
	value, _ := radius.AttributeType{Vendor: vendorMicrosoft, Type: msCHAPError}.Lookup(reply.Attributes)
	text := string(value)
	_, rest, _ := strings.Cut(text, "E=")
	code := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	if code == "" {
		return ""
	}
	meaning, known := msCHAPErrors[code]
	if !known {
		meaning = "unknown"
	}
	return fmt.Sprintf("MS-CHAP error %s (%s)", code, meaning)
}

// msCHAPErrors are the codes of RFC 2759 section 6.
var msCHAPErrors = map[string]string{
	"646": "not at this time",
	"647": "account disabled",
	"648": "password expired",
	"649": "no dial-in permission",
	"691": "wrong name or password",
	"709": "the password could not be changed",
}
