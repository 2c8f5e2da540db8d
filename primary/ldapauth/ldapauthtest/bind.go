package ldapauthtest

import (
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// policyError is the value of a password policy control with an error.
func policyError(code byte) []byte { return []byte{0x30, 3, 0x81, 1, code} }

func (s *session) bind(id int64, op *ber.Packet) bool {
	s.dir.Binds.Add(1)
	s.bound, s.changes, s.dn = false, false, ""
	r := Result{Code: ldap.LDAPResultAuthMethodNotSupported}
	switch {
	case len(op.Children) != 3:
	case op.Children[2].Tag == 0:
		r = s.bindSimple(text(op.Children[1]), text(op.Children[2]))
	case op.Children[2].Tag >= tagNegotiate && s.dir.OnNTLM != nil:
		return s.bindNTLM(id, op.Children[2])
	case s.dir.OnBind != nil:
		if given := s.dir.OnBind("", ""); given != nil {
			r = *given
		}
	}
	s.bound = r.Code == ldap.LDAPResultSuccess
	return s.result(id, ldap.ApplicationBindResponse, r)
}

// bindSimple decides a simple bind (RFC 4513 section 5.1).
func (s *session) bindSimple(name, password string) Result {
	d := s.dir
	if d.OnBind != nil {
		if given := d.OnBind(name, password); given != nil {
			return *given
		}
	}
	if name == "" && password == "" {
		return Result{} // anonymous
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.Entries, func(e Entry) bool { return d.names(e, name) })
	if i < 0 || d.Entries[i].Password == "" || d.Entries[i].Password != password {
		return d.refuse("52e")
	}
	e := d.Entries[i]
	switch {
	case !e.MustChange:
		s.dn = e.DN
		return Result{}
	case d.ActiveDirectory:
		return d.refuse("773")
	default:
		s.dn, s.changes = e.DN, true
		return Result{Policy: policyError(byte(ldap.BeheraChangeAfterReset))}
	}
}

// refuse is the result of a bind that Active Directory refuses with a code.
func (d *Directory) refuse(code string) Result {
	r := Result{Code: ldap.LDAPResultInvalidCredentials}
	if d.ActiveDirectory {
		r.Message = "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data " + code + ", v1db1"
	}
	return r
}

// names reports whether a bind may name the entry so.
func (d *Directory) names(e Entry, name string) bool {
	if strings.EqualFold(e.DN, name) {
		return true
	}
	if !d.ActiveDirectory {
		return false
	}
	_, account, found := strings.Cut(name, `\`)
	return e.has("userPrincipalName", name) || found && e.has("sAMAccountName", account)
}
