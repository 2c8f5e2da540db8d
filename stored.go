package radmfa

import (
	"encoding/binary"
	"errors"
	"iter"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// The stored form of a session is a list of fields: a number, a length, and
// that many bytes. A field that is zero is left out. A reader skips a field that
// it does not know from optional on, and refuses the session for any other: so a
// later version may add fields that an older one can do without, and nodes of
// both can share a Store while they are upgraded.
const (
	fieldAt = iota + 1
	fieldID
	fieldDevice
	fieldTyped
	fieldAccount
	fieldServiceName
	fieldFactor // repeated
	fieldFailMode
	fieldRememberFor
	fieldClientIP
	fieldHostname
	fieldType
	fieldDisplayUsername
	fieldPushInfo
	fieldAttribute // repeated
	fieldPrimaryState
	fieldAppended
	fieldMenu
	fieldAttempts
	fieldFallback
	fieldAnnounced
	fieldCodeExpires
	fieldPushed
	fieldTxID
	fieldStarted
	fieldAnswer
	fieldOwner
	fieldDecision
	fieldOldPassword
	fieldNewPassword
	fieldChangeState

	optional = 128
)

// The fields of a menu.
const (
	menuUsername = iota + 1
	menuProduct
	menuNoPasscode
	menuChoice // repeated: factor, device, label, next code
	menuNotice
	menuCode
	menuText
	menuOption // repeated: what is typed, the service's name
)

// The fields of a decision.
const (
	decisionResult  = iota + 1
	decisionMessage // repeated
	decisionState
	decisionAttribute // repeated
	decisionReason
	decisionFactor
	decisionStatus
	decisionFailedOpen

	decisionCause = optional
	decisionSaid  = optional + 1
)

// errOtherVersion says that a session has a field this version must not ignore,
// or none of the form it knows.
var errOtherVersion = errors.New("radmfa: the session was stored by another version")

// fields is a list of fields that is being written.
type fields []byte

func (f *fields) text(number byte, value string) {
	if value != "" {
		*f = append(binary.AppendUvarint(append(*f, number), uint64(len(value))), value...)
	}
}

func (f *fields) number(number byte, value uint64) {
	if value != 0 {
		var b [binary.MaxVarintLen64]byte
		size := binary.PutUvarint(b[:], value)
		*f = append(append(*f, number, byte(size)), b[:size]...)
	}
}

func (f *fields) flag(number byte, value bool) {
	if value {
		f.number(number, 1)
	}
}

func (f *fields) time(number byte, value time.Time) {
	if !value.IsZero() {
		f.number(number, uint64(value.UnixNano()))
	}
}

// nested writes one field that holds others, even if there are none.
func (f *fields) nested(number byte, write func()) {
	*f = append(*f, number)
	start := len(*f)
	write()
	var b [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(b[:], uint64(len(*f)-start))
	*f = slices.Insert(*f, start, b[:size]...)
}

// list writes texts as one field, empty ones too.
func (f *fields) list(number byte, values ...string) {
	f.nested(number, func() {
		for _, v := range values {
			*f = append(binary.AppendUvarint(*f, uint64(len(v))), v...)
		}
	})
}

func (f *fields) attributes(number byte, list radius.Attributes) {
	for _, a := range list {
		*f = append(binary.AppendUvarint(append(*f, number), uint64(1+len(a.Attribute))), byte(a.Type))
		*f = append(*f, a.Attribute...)
	}
}

// appendTo appends the stored form to f.
func (ses *session) appendTo(f fields) fields {
	f.number(fieldAt, uint64(ses.at))
	f.text(fieldID, ses.id)
	f.text(fieldDevice, ses.device)
	f.text(fieldTyped, ses.typed)
	f.text(fieldAccount, ses.account)
	f.policy(&ses.policy)
	f.attributes(fieldAttribute, ses.attributes)
	f.text(fieldPrimaryState, string(ses.primaryState))
	f.text(fieldAppended, ses.appended)
	f.menu(ses.menu)
	f.number(fieldAttempts, uint64(ses.attempts))
	f.flag(fieldFallback, ses.fallback)
	f.text(fieldAnnounced, ses.announced)
	f.time(fieldCodeExpires, ses.codeExpires)
	f.time(fieldPushed, ses.pushed)
	f.text(fieldTxID, ses.txID)
	f.text(fieldStarted, string(ses.factor))
	f.text(fieldAnswer, string(ses.answer))
	f.text(fieldOwner, ses.owner)
	f.decision(ses.decision)
	f.text(fieldOldPassword, string(ses.oldPassword))
	f.text(fieldNewPassword, string(ses.newPassword))
	f.text(fieldChangeState, string(ses.changeState))
	return f
}

func (f *fields) policy(p *Policy) {
	f.text(fieldServiceName, p.Username)
	for _, factor := range p.Factors {
		f.text(fieldFactor, string(factor))
	}
	f.number(fieldFailMode, uint64(p.FailMode))
	f.number(fieldRememberFor, uint64(p.RememberFor))
	if p.ClientIP.IsValid() {
		f.text(fieldClientIP, string(p.ClientIP.AsSlice()))
	}
	f.text(fieldHostname, p.Hostname)
	f.text(fieldType, p.Type)
	f.text(fieldDisplayUsername, p.DisplayUsername)
	f.text(fieldPushInfo, p.PushInfo.Encode())
}

func (f *fields) menu(m *prompt.Menu) {
	if m == nil {
		return
	}
	f.nested(fieldMenu, func() {
		f.text(menuUsername, m.Username)
		f.text(menuProduct, m.Product)
		f.flag(menuNoPasscode, m.NoPasscode)
		for _, c := range m.Choices {
			f.list(menuChoice, string(c.Factor), c.Device, c.Label, c.NextCode)
		}
		f.text(menuNotice, m.Notice)
		f.text(menuCode, m.VerificationCode)
		f.text(menuText, m.Text)
		if len(m.Factors) > 0 {
			for _, option := range slices.Sorted(maps.Keys(m.Factors)) {
				f.list(menuOption, option, m.Factors[option])
			}
		}
	})
}

func (f *fields) decision(d *decision) {
	if d == nil {
		return
	}
	f.nested(fieldDecision, func() {
		f.text(decisionResult, string(d.Result))
		for _, m := range d.Messages {
			f.text(decisionMessage, m)
		}
		f.text(decisionState, d.State)
		f.attributes(decisionAttribute, d.Attributes)
		f.text(decisionReason, d.reason)
		f.text(decisionFactor, string(d.factor))
		f.text(decisionStatus, string(d.status))
		f.flag(decisionFailedOpen, d.failedOpen)
		f.text(decisionCause, string(d.cause))
		f.text(decisionSaid, d.said)
	})
}

// each yields the fields of a stored form. The number 0 says that the rest is
// not of the form.
func each(stored string) iter.Seq2[byte, string] {
	return func(yield func(byte, string) bool) {
		for stored != "" {
			number, rest := stored[0], stored[1:]
			value, rest, ok := cutText(rest)
			if !ok {
				yield(0, "")
				return
			}
			if !yield(number, value) {
				return
			}
			stored = rest
		}
	}
}

// cutText cuts a text with its length before it off s.
func cutText(s string) (text, rest string, ok bool) {
	length, n := uvarint(s)
	if n <= 0 || length > uint64(len(s)-n) {
		return "", "", false
	}
	return s[n : n+int(length)], s[n+int(length):], true
}

// uvarint is binary.Uvarint for a string.
func uvarint(s string) (value uint64, size int) {
	for i := range min(len(s), binary.MaxVarintLen64) {
		value |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return value, i + 1
		}
	}
	return 0, 0
}

func toNumber(value string) uint64 {
	n, _ := uvarint(value)
	return n
}

func toTime(value string) time.Time { return time.Unix(0, int64(toNumber(value))) }

// toList reads what fields.list wrote. A missing text is empty.
func toList(value string, into ...*string) {
	for _, text := range into {
		*text, value, _ = cutText(value)
	}
}

func appendAttribute(list *radius.Attributes, value string) bool {
	if value == "" {
		return false
	}
	list.Add(radius.Type(value[0]), radius.Attribute(value[1:]))
	return true
}

// decodeSession reads the stored form.
func decodeSession(stored string) (*session, error) {
	ses := &session{}
	for number, value := range each(stored) {
		if !ses.read(number, value) && number < optional {
			return nil, errOtherVersion
		}
	}
	if ses.id == "" || ses.typed == "" {
		return nil, errOtherVersion
	}
	return ses, nil
}

func (ses *session) read(number byte, value string) (known bool) {
	switch number {
	case fieldAt:
		ses.at = step(toNumber(value))
	case fieldID:
		ses.id = value
	case fieldDevice:
		ses.device = value
	case fieldTyped:
		ses.typed = value
	case fieldAccount:
		ses.account = value
	case fieldAttribute:
		return appendAttribute(&ses.attributes, value)
	case fieldPrimaryState:
		ses.primaryState = []byte(value)
	case fieldAppended:
		ses.appended = value
	case fieldMenu:
		ses.menu, known = decodeMenu(value)
		return known
	case fieldAttempts:
		ses.attempts = int(toNumber(value))
	case fieldFallback:
		ses.fallback = true
	case fieldAnnounced:
		ses.announced = value
	case fieldCodeExpires:
		ses.codeExpires = toTime(value)
	case fieldPushed:
		ses.pushed = toTime(value)
	case fieldTxID:
		ses.txID = value
	case fieldStarted:
		ses.factor = duo.Factor(value)
	case fieldAnswer:
		ses.answer = []byte(value)
	case fieldOwner:
		ses.owner = value
	case fieldDecision:
		ses.decision, known = decodeDecision(value)
		return known
	case fieldOldPassword:
		ses.oldPassword = radius.Secret(value)
	case fieldNewPassword:
		ses.newPassword = radius.Secret(value)
	case fieldChangeState:
		ses.changeState = []byte(value)
	default:
		return ses.policy.read(number, value)
	}
	return true
}

func (p *Policy) read(number byte, value string) (known bool) {
	switch number {
	case fieldServiceName:
		p.Username = value
	case fieldFactor:
		p.Factors = append(p.Factors, duo.Factor(value))
	case fieldFailMode:
		p.FailMode = FailMode(toNumber(value))
	case fieldRememberFor:
		p.RememberFor = time.Duration(toNumber(value))
	case fieldClientIP:
		p.ClientIP, _ = netip.AddrFromSlice([]byte(value))
	case fieldHostname:
		p.Hostname = value
	case fieldType:
		p.Type = value
	case fieldDisplayUsername:
		p.DisplayUsername = value
	case fieldPushInfo:
		p.PushInfo, _ = url.ParseQuery(value)
	default:
		return false
	}
	return true
}

func decodeMenu(stored string) (*prompt.Menu, bool) {
	m := &prompt.Menu{}
	for number, value := range each(stored) {
		switch number {
		case menuUsername:
			m.Username = value
		case menuProduct:
			m.Product = value
		case menuNoPasscode:
			m.NoPasscode = true
		case menuChoice:
			var c prompt.Choice
			var factor string
			toList(value, &factor, &c.Device, &c.Label, &c.NextCode)
			c.Factor = duo.Factor(factor)
			if m.Choices == nil {
				m.Choices = make([]prompt.Choice, 0, 4)
			}
			m.Choices = append(m.Choices, c)
		case menuNotice:
			m.Notice = value
		case menuCode:
			m.VerificationCode = value
		case menuText:
			m.Text = value
		case menuOption:
			if m.Factors == nil {
				m.Factors = make(map[string]string)
			}
			var option, name string
			toList(value, &option, &name)
			m.Factors[option] = name
		default:
			if number < optional {
				return nil, false
			}
		}
	}
	return m, true
}

func decodeDecision(stored string) (*decision, bool) {
	d := &decision{}
	for number, value := range each(stored) {
		switch number {
		case decisionResult:
			d.Result = Result(value)
		case decisionMessage:
			d.Messages = append(d.Messages, value)
		case decisionState:
			d.State = value
		case decisionAttribute:
			if !appendAttribute(&d.Attributes, value) {
				return nil, false
			}
		case decisionReason:
			d.reason = value
		case decisionFactor:
			d.factor = duo.Factor(value)
		case decisionStatus:
			d.status = duo.Status(value)
		case decisionFailedOpen:
			d.failedOpen = true
		case decisionCause:
			d.cause = Cause(value)
		case decisionSaid:
			d.said = value
		default:
			if number < optional {
				return nil, false
			}
		}
	}
	return d, true
}
