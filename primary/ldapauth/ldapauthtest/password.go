package ldapauthtest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// modify knows one thing: the change of unicodePwd ([MS-ADTS] 3.1.1.3.1.5), that
// is a delete of the old and an add of the new value.
func (s *session) modify(op *ber.Packet) Result {
	values := map[int64]string{}
	if len(op.Children) == 2 {
		for _, c := range op.Children[1].Children {
			if len(c.Children) != 2 || len(c.Children[1].Children) != 2 || len(c.Children[1].Children[1].Children) != 1 ||
				!strings.EqualFold(text(c.Children[1].Children[0]), "unicodePwd") {
				return Result{Code: ldap.LDAPResultInsufficientAccessRights}
			}
			kind, _ := c.Children[0].Value.(int64)
			values[kind] = narrow([]byte(text(c.Children[1].Children[1].Children[0])))
		}
	}
	before, hasOld := unquote(values[ldap.DeleteAttribute])
	after, hasNew := unquote(values[ldap.AddAttribute])
	switch {
	case !s.dir.ActiveDirectory, !s.bound, len(values) != 2, !hasOld, !hasNew:
		return Result{Code: ldap.LDAPResultInsufficientAccessRights, Message: "00000005: SecErr: DSID-031A11ED, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0"}
	case !s.secure:
		return Result{Code: ldap.LDAPResultUnwillingToPerform, Message: "0000001F: SvcErr: DSID-031A12D2, problem 5003 (WILL_NOT_PERFORM), data 0"}
	}
	return s.change(text(op.Children[0]), before, after)
}

func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

// modifyPassword is the extended operation of RFC 3062, for one's own password.
func (s *session) modifyPassword(op *ber.Packet) Result {
	var fields [3]string // identity, old, new
	if len(op.Children) > 1 {
		value, err := ber.DecodePacketErr(op.Children[1].Data.Bytes())
		if err != nil {
			return Result{Code: ldap.LDAPResultProtocolError}
		}
		for _, c := range value.Children {
			if int(c.Tag) < len(fields) {
				fields[c.Tag] = text(c)
			}
		}
	}
	switch {
	case !s.bound || s.dn == "" || fields[0] != "" && !strings.EqualFold(fields[0], s.dn):
		return Result{Code: ldap.LDAPResultInsufficientAccessRights}
	case !s.secure:
		return Result{Code: ldap.LDAPResultConfidentialityRequired}
	}
	r := s.change(s.dn, fields[1], fields[2])
	s.changes = s.changes && r.Code != ldap.LDAPResultSuccess
	return r
}

// change sets a password if the old one is right and the policy permits.
func (s *session) change(dn, before, after string) Result {
	d := s.dir
	d.Changes.Add(1)
	if d.OnChange != nil {
		if given := d.OnChange(dn, before, after); given != nil {
			return *given
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.Entries, func(e Entry) bool { return strings.EqualFold(e.DN, dn) })
	switch {
	case i < 0:
		return Result{Code: ldap.LDAPResultNoSuchObject}
	case before == "" || d.Entries[i].Password != before:
		if d.ActiveDirectory {
			return Result{Code: ldap.LDAPResultConstraintViolation, Message: "00000056: AtrErr: DSID-03190F80, #1: problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)"}
		}
		return Result{Code: ldap.LDAPResultUnwillingToPerform, Message: "unwilling to verify old password"}
	case after == "" || utf8.RuneCountInString(after) < d.minLength(d.Entries[i]):
		if d.ActiveDirectory {
			return Result{Code: ldap.LDAPResultConstraintViolation, Message: "0000052D: AtrErr: DSID-031910F0, #1: problem 1005 (CONSTRAINT_ATT_TYPE), data 0, Att 9005a (unicodePwd)"}
		}
		return Result{Code: ldap.LDAPResultConstraintViolation, Message: "Password is too short for policy", Policy: policyError(byte(ldap.BeheraPasswordTooShort))}
	}
	d.Entries[i].Password, d.Entries[i].MustChange = after, false
	return Result{}
}

// minLength is how long a password of the entry must be.
func (d *Directory) minLength(user Entry) (n int) {
	for _, e := range d.Entries {
		values := e.values("pwdMinLength")
		if d.ActiveDirectory {
			values = e.values("minPwdLength")
		}
		governs := d.ActiveDirectory && below(user.DN, e.DN) || !d.ActiveDirectory && user.has("pwdPolicySubentry", e.DN)
		if governs && len(values) > 0 {
			n, _ = strconv.Atoi(values[0])
		}
	}
	return n
}
