package ldaptest

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/hex"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Entry is an entry of a Fake directory.
type Entry struct {
	DN         string
	Password   string // empty: nobody can bind as it
	Attributes map[string][]string
}

// Answer is a directory's answer to a bind.
type Answer struct {
	Code    uint16
	Text    string
	Control []byte // nil, or the value of a password policy control
}

// PolicyError is the value of a password policy control with an error
// (draft-behera-ldap-password-policy).
func PolicyError(code byte) []byte { return []byte{0x30, 3, 0x81, 1, code} }

// PolicyGrace is the value of a password policy control with grace logins left.
func PolicyGrace(left byte) []byte { return []byte{0x30, 5, 0xa0, 3, 0x81, 1, left} }

// Fake is a small LDAP directory in this process. It knows simple binds,
// searches and StartTLS, and NTLM binds if NTLM is set. The zero value is empty. Set the fields before use.
type Fake struct {
	Entries []Entry

	// TLS is for StartTLS, and for LDAPS where Implicit is set. Nil: none.
	TLS      *tls.Config
	Implicit bool

	// OnBind may answer binds. Nil, or ok false: the entries' passwords count.
	OnBind func(name, password string) (answer Answer, ok bool)

	// RefuseBinds is the result code of binds of a kind that the directory does
	// not know. Zero: authMethodNotSupported.
	RefuseBinds uint16

	// NTLM makes the directory know NTLM binds. OnNTLM, unless nil, is told what
	// the clients said in them.
	NTLM   bool
	OnNTLM func(NTLM)

	// OnSearch may fail searches with a result code other than 0.
	OnSearch func(base, filter string) (code uint16)

	// Down refuses connections, Hung accepts them and answers nothing.
	Down, Hung atomic.Bool

	// Dialed counts the connections made, Open those that are open, Binds the
	// simple binds that arrived and Searches the searches.
	Dialed, Open, Binds, Searches atomic.Int64

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Dial makes a connection that exists only in memory, for use with
// testing/synctest.
func (f *Fake) Dial(_ context.Context, network, address string) (net.Conn, error) {
	if f.Down.Load() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError(address + " is down")}
	}
	client, server := net.Pipe()
	go f.Serve(server)
	return client, nil
}

// Listen makes the directory answer on a TCP port of 127.0.0.1 until the test
// ends, and returns its address.
func (f *Fake) Listen(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = l.Close()
		f.CloseConns()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.Serve(c)
		}
	}()
	return l.Addr().String()
}

// CloseConns cuts all connections, as a restart does.
func (f *Fake) CloseConns() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

func (f *Fake) track(c net.Conn, open bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !open {
		delete(f.conns, c)
		f.Open.Add(-1)
		return
	}
	if f.conns == nil {
		f.conns = map[net.Conn]bool{}
	}
	f.conns[c] = true
	f.Dialed.Add(1)
	f.Open.Add(1)
}

// Serve answers on one connection until it ends.
func (f *Fake) Serve(c net.Conn) {
	f.track(c, true)
	defer f.track(c, false)
	defer func() { _ = c.Close() }()
	s := &session{fake: f, conn: c}
	if f.Implicit {
		s.conn = tls.Server(c, f.TLS)
	}
	for {
		p, err := ber.ReadPacket(s.conn)
		if err != nil || len(p.Children) < 2 || !s.handle(p) {
			return
		}
	}
}

// session is one connection.
type session struct {
	fake  *Fake
	conn  net.Conn
	bound bool
}

func (s *session) handle(p *ber.Packet) bool {
	if s.fake.Hung.Load() {
		return true
	}
	id, _ := p.Children[0].Value.(int64)
	op := p.Children[1]
	switch op.Tag {
	case ldap.ApplicationBindRequest:
		return s.bind(id, op)
	case ldap.ApplicationSearchRequest:
		return s.search(id, op)
	case ldap.ApplicationExtendedRequest:
		if s.fake.TLS == nil {
			return s.result(id, ldap.ApplicationExtendedResponse,
				Answer{Code: ldap.LDAPResultProtocolError, Text: "unsupported extended operation"})
		}
		ok := s.result(id, ldap.ApplicationExtendedResponse, Answer{})
		s.conn = tls.Server(s.conn, s.fake.TLS)
		return ok
	}
	return false // unbind, or what this directory does not know
}

func (s *session) bind(id int64, op *ber.Packet) bool {
	s.fake.Binds.Add(1)
	s.bound = false
	answer := Answer{Code: cmp.Or(s.fake.RefuseBinds, ldap.LDAPResultAuthMethodNotSupported)}
	if len(op.Children) == 3 && s.fake.NTLM && op.Children[2].Tag >= tagNegotiate {
		return s.bindNTLM(id, op.Children[2])
	}
	if len(op.Children) == 3 && op.Children[2].Tag == 0 {
		name, password := text(op.Children[1]), text(op.Children[2])
		answer = s.fake.bind(name, password)
	}
	s.bound = answer.Code == ldap.LDAPResultSuccess
	return s.result(id, ldap.ApplicationBindResponse, answer)
}

func (f *Fake) bind(name, password string) Answer {
	if f.OnBind != nil {
		if answer, ok := f.OnBind(name, password); ok {
			return answer
		}
	}
	for _, e := range f.Entries {
		if strings.EqualFold(e.DN, name) && e.Password != "" && e.Password == password {
			return Answer{}
		}
	}
	return Answer{Code: ldap.LDAPResultInvalidCredentials}
}

// text is the content of a primitive element.
func text(p *ber.Packet) string { return p.Data.String() }

func (s *session) search(id int64, op *ber.Packet) bool {
	s.fake.Searches.Add(1)
	if len(op.Children) < 8 || !s.bound {
		return s.result(id, ldap.ApplicationSearchResultDone, Answer{Code: ldap.LDAPResultInsufficientAccessRights})
	}
	base := text(op.Children[0])
	scope, _ := op.Children[1].Value.(int64)
	limit, _ := op.Children[3].Value.(int64)
	filter := op.Children[6]
	if f := s.fake.OnSearch; f != nil {
		written, _ := ldap.DecompileFilter(filter)
		if code := f(base, written); code != 0 {
			return s.result(id, ldap.ApplicationSearchResultDone, Answer{Code: code})
		}
	}
	answer, found := s.fake.find(base, scope, filter)
	if limit > 0 && int64(len(found)) > limit {
		found, answer.Code = found[:limit], ldap.LDAPResultSizeLimitExceeded
	}
	for _, e := range found {
		if !s.entry(id, e) {
			return false
		}
	}
	return s.reference(id) && s.result(id, ldap.ApplicationSearchResultDone, answer)
}

func (f *Fake) find(base string, scope int64, filter *ber.Packet) (Answer, []Entry) {
	if sid, ok := strings.CutPrefix(base, "<SID="); ok {
		octets, _ := hex.DecodeString(strings.TrimSuffix(sid, ">"))
		for _, e := range f.Entries {
			if slices.Contains(e.Attributes["objectSid"], string(octets)) {
				base = e.DN
			}
		}
	}
	exists := false
	var found []Entry
	for _, e := range f.Entries {
		same := strings.EqualFold(e.DN, base)
		below := strings.HasSuffix(strings.ToLower(e.DN), ","+strings.ToLower(base))
		exists = exists || same || below
		child := below && !strings.Contains(e.DN[:len(e.DN)-len(base)-1], ",")
		if inScope := map[int64]bool{ldap.ScopeBaseObject: same, ldap.ScopeSingleLevel: child, ldap.ScopeWholeSubtree: same || below}[scope]; inScope && f.matches(e, filter) {
			found = append(found, e)
		}
	}
	if !exists {
		return Answer{Code: ldap.LDAPResultNoSuchObject}, nil
	}
	return Answer{}, found
}

// matches evaluates a filter as loosely as real directories do: without regard
// to case and spaces at the ends.
func (f *Fake) matches(e Entry, filter *ber.Packet) bool {
	switch filter.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(filter.Children, func(p *ber.Packet) bool { return !f.matches(e, p) })
	case ldap.FilterOr:
		return slices.ContainsFunc(filter.Children, func(p *ber.Packet) bool { return f.matches(e, p) })
	case ldap.FilterNot:
		return !f.matches(e, filter.Children[0])
	case ldap.FilterPresent:
		name := text(filter)
		return strings.EqualFold(name, "objectClass") || len(e.values(name)) > 0
	case ldap.FilterEqualityMatch:
		return e.has(text(filter.Children[0]), text(filter.Children[1]))
	case ldap.FilterExtensibleMatch:
		return f.inChain(e, text(filter.Children[2]), map[string]bool{})
	}
	return false
}

func (e Entry) values(attr string) []string {
	for name, values := range e.Attributes {
		if strings.EqualFold(name, attr) {
			return values
		}
	}
	return nil
}

func (e Entry) has(attr, value string) bool {
	return slices.ContainsFunc(e.values(attr), func(v string) bool {
		return strings.EqualFold(strings.TrimSpace(v), strings.TrimSpace(value))
	})
}

// inChain is Active Directory's matching rule 1.2.840.113556.1.4.1941 on member.
func (f *Fake) inChain(group Entry, member string, seen map[string]bool) bool {
	if group.has("member", member) {
		return true
	}
	seen[group.DN] = true
	for _, e := range f.Entries {
		if !seen[e.DN] && group.has("member", e.DN) && f.inChain(e, member, seen) {
			return true
		}
	}
	return false
}

func (s *session) entry(id int64, e Entry) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(e.DN))
	attrs := ber.NewSequence("")
	for name, values := range e.Attributes {
		attr, set := ber.NewSequence(""), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for _, v := range values {
			set.AppendChild(octets(v))
		}
		attr.AppendChild(octets(name))
		attr.AppendChild(set)
		attrs.AppendChild(attr)
	}
	op.AppendChild(attrs)
	return s.send(id, op, nil)
}

// reference sends a referral to another naming context, as Active Directory
// does after every search at the domain's root.
func (s *session) reference(id int64) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	op.AppendChild(octets("ldap://other.invalid/CN=Configuration"))
	return s.send(id, op, nil)
}

func (s *session) result(id int64, tag ber.Tag, a Answer) bool { return s.answer(id, tag, a, "") }

func (s *session) answer(id int64, tag ber.Tag, a Answer, matched string) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(a.Code), ""))
	op.AppendChild(octets(matched))
	op.AppendChild(octets(a.Text))
	return s.send(id, op, a.Control)
}

func (s *session) send(id int64, op *ber.Packet, policy []byte) bool {
	message := ber.NewSequence("")
	message.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, cmp.Or(id, 1), ""))
	message.AppendChild(op)
	if policy != nil {
		control := ber.NewSequence("")
		control.AppendChild(octets(ldap.ControlTypeBeheraPasswordPolicy))
		control.AppendChild(octets(string(policy)))
		controls := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "")
		controls.AppendChild(control)
		message.AppendChild(controls)
	}
	_, err := s.conn.Write(message.Bytes())
	return err == nil
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}
