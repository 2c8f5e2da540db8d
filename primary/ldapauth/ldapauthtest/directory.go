package ldapauthtest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Directory is a small LDAP directory in this process. The zero value is empty.
// Set the fields before use, except those of atomic types.
type Directory struct {
	// Entries are what can be found, bound as and changed. A change of a password
	// is written here.
	Entries []Entry

	// TLS is for StartTLS, and for LDAPS where that is set. Nil: no TLS. See
	// NewTLS.
	TLS   *tls.Config
	LDAPS bool

	// ActiveDirectory makes it behave as one: a bind may name userPrincipalName
	// or DOMAIN\sAMAccountName, refusals have Windows' codes, and passwords are
	// changed in unicodePwd. Else it behaves as OpenLDAP does with a password
	// policy.
	ActiveDirectory bool

	// OnBind, OnSearch and OnChange may give the result of an operation. Nil, or
	// a nil result: the entries decide. They may be called concurrently.
	OnBind   func(name, password string) *Result
	OnSearch func(base, filter string) *Result
	OnChange func(dn, oldPassword, newPassword string) *Result

	// OnNTLM, unless nil, makes the directory know NTLM binds, and is told what
	// the clients said in them.
	OnNTLM func(domain, user, workstation string)

	// Down refuses connections, Hung accepts them and answers nothing.
	Down, Hung atomic.Bool

	// Dialed counts the connections made, Open those that are open. Binds (simple
	// ones), Searches and Changes (of passwords) count what has arrived.
	Dialed, Open, Binds, Searches, Changes atomic.Int64

	mu    sync.Mutex // also for the passwords in Entries
	conns map[net.Conn]bool
}

// Entry is an entry of a Directory.
type Entry struct {
	DN string

	// Password lets it bind. Empty: nobody can bind as it.
	Password string

	// MustChange says that the password must be changed before anything else.
	MustChange bool

	// Attributes are found by their names in any case. Nothing is computed:
	// memberOf is there only where it is written. A new password must have at
	// least as many characters as minPwdLength of an entry above says with
	// ActiveDirectory, or else pwdMinLength of the entry that pwdPolicySubentry
	// names.
	Attributes map[string][]string
}

// Result is the result of an operation (RFC 4511 section 4.1.9). The zero value
// is success.
type Result struct {
	Code    uint16
	Message string // for diagnosis

	// Policy is the value of a password policy control in BER
	// (draft-behera-ldap-password-policy section 6.2). Nil: there is no control.
	Policy []byte
}

// Dial makes a connection that exists only in memory, whatever the address. It
// serves for ldapauth's DialContext.
func (d *Directory) Dial(_ context.Context, network, address string) (net.Conn, error) {
	if d.Down.Load() {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New(address + " is down")}
	}
	client, server := net.Pipe()
	go d.serve(server)
	return client, nil
}

// Listen makes the directory answer on a TCP port of 127.0.0.1 until the test
// ends, and returns its address.
func (d *Directory) Listen(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = l.Close()
		d.CloseConns()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if d.Down.Load() {
				_ = c.Close()
				continue
			}
			go d.serve(c)
		}
	}()
	return l.Addr().String()
}

// CloseConns cuts all connections, as a restart does.
func (d *Directory) CloseConns() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		_ = c.Close()
	}
}

func (d *Directory) track(c net.Conn, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !open {
		delete(d.conns, c)
		d.Open.Add(-1)
		return
	}
	if d.conns == nil {
		d.conns = map[net.Conn]bool{}
	}
	d.conns[c] = true
	d.Dialed.Add(1)
	d.Open.Add(1)
}

// serve answers on one connection until it ends.
func (d *Directory) serve(c net.Conn) {
	d.track(c, true)
	defer d.track(c, false)
	defer func() { _ = c.Close() }()
	s := &session{dir: d, conn: c}
	if d.LDAPS {
		s.conn, s.secure = tls.Server(c, d.TLS), true
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
	dir     *Directory
	conn    net.Conn
	secure  bool
	bound   bool
	dn      string // of the entry that is bound; empty: not one of Entries
	changes bool   // nothing but a change of the password is permitted
}

// handle answers one request, and reports whether the connection goes on.
func (s *session) handle(p *ber.Packet) bool {
	if s.dir.Hung.Load() {
		return true
	}
	id, _ := p.Children[0].Value.(int64)
	op := p.Children[1]
	switch op.Tag {
	case ldap.ApplicationBindRequest:
		return s.bind(id, op)
	case ldap.ApplicationSearchRequest:
		return s.search(id, op)
	case ldap.ApplicationModifyRequest:
		return s.result(id, ldap.ApplicationModifyResponse, s.modify(op))
	case ldap.ApplicationExtendedRequest:
		return s.extended(id, op)
	}
	return false // unbind, or what this directory does not know
}

func (s *session) extended(id int64, op *ber.Packet) bool {
	const startTLS, modifyPassword = "1.3.6.1.4.1.1466.20037", "1.3.6.1.4.1.4203.1.11.1"
	r := Result{Code: ldap.LDAPResultProtocolError, Message: "unsupported extended operation"}
	if len(op.Children) == 0 {
		return s.result(id, ldap.ApplicationExtendedResponse, r)
	}
	switch name := text(op.Children[0]); {
	case name == startTLS && s.dir.TLS != nil && !s.secure:
		ok := s.result(id, ldap.ApplicationExtendedResponse, Result{})
		s.conn, s.secure = tls.Server(s.conn, s.dir.TLS), true
		return ok
	case name == modifyPassword && !s.dir.ActiveDirectory:
		r = s.modifyPassword(op)
	}
	return s.result(id, ldap.ApplicationExtendedResponse, r)
}

// text is the content of a primitive element.
func text(p *ber.Packet) string { return p.Data.String() }

func (s *session) result(id int64, tag ber.Tag, r Result) bool { return s.answer(id, tag, r, "") }

func (s *session) answer(id int64, tag ber.Tag, r Result, matched string) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	op.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(r.Code), ""))
	op.AppendChild(octets(matched))
	op.AppendChild(octets(r.Message))
	return s.send(id, op, r.Policy)
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
