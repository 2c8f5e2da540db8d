package ldapauth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// user is an entry that may log in if the password is right.
type user struct {
	dn      string
	name    string // in the username attribute, as the directory spells it
	account string // sAMAccountName, for NTLM
	groups  []string
	reply   radius.Attributes
}

// result is what is known of a user whose password is right.
func (u *user) result() *primary.Result {
	return &primary.Result{Username: u.name, Groups: u.groups, Attributes: u.reply}
}

// find looks the user up and checks everything but the password.
func (d *directory) find(c *conn, username string) (*user, error) {
	if err := names.Check(username); err != nil {
		return nil, rejectf("the user name is refused: %v", err)
	}
	name, err := d.bareName(c, username)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, rejectf("%q names no user", username)
	}
	attr := d.userAttr
	if strings.Contains(name, "@") {
		attr = d.atAttr
	}
	entry, err := d.search(c, attr, name)
	if err != nil {
		return nil, err
	}
	u := &user{dn: entry.DN, account: entry.GetEqualFoldAttributeValue("sAMAccountName")}
	if u.name = accountName(entry, d.userAttr); u.name == "" {
		return nil, failf("%q has no %s that the service account may read, by which the user is known", u.dn, d.userAttr)
	}
	if d.ReportGroups {
		u.groups = entry.GetEqualFoldAttributeValues("memberOf")
		u.groups = u.groups[:min(len(u.groups), maxGroups)]
	}
	if d.Bind == NTLM && u.account == "" {
		f := failf("%q has no sAMAccountName that the service account may read, which NTLM needs", u.dn)
		f.hint = primary.FieldErrorf("set {Bind} to {Simple}")
		return nil, f
	}
	m := &membership{dir: d, conn: c, entry: entry}
	if err := m.permit(); err != nil {
		return nil, err
	}
	u.reply, err = m.replyAttributes()
	return u, err
}

// accountName returns the one name of an entry: the value of the attribute, or of
// several the one in the DN, or else the first in order.
func accountName(entry *ldap.Entry, attr string) string {
	values := slices.Sorted(slices.Values(entry.GetEqualFoldAttributeValues(attr)))
	if len(values) == 0 {
		return ""
	}
	if dn, err := ldap.ParseDN(entry.DN); err == nil && len(dn.RDNs) > 0 {
		for _, part := range dn.RDNs[0].Attributes {
			if strings.EqualFold(part.Type, attr) && slices.Contains(values, part.Value) {
				return part.Value
			}
		}
	}
	return values[0]
}

// userFilter is the filter for the users that have name in attr.
func (d *directory) userFilter(attr, name string) string {
	equal := "(" + attr + "=" + ldap.EscapeFilter(name) + ")"
	if d.filter == "" {
		return equal
	}
	return "(&" + equal + d.filter + ")"
}

// search returns the one entry that has name in attr.
func (d *directory) search(c *conn, attr, name string) (*ldap.Entry, error) {
	c.step = fmt.Sprintf("search below %q", d.BaseDN)
	// Two, because one of two must not be let in by chance. The directory's
	// referrals are left alone: they lead to other domains.
	request := d.newSearch(d.BaseDN, ldap.ScopeWholeSubtree, d.userFilter(attr, name), d.attributes...)
	request.SizeLimit, request.EnforceSizeLimit = 2, true
	result, err := c.Search(request)
	if result != nil && len(result.Entries) > 1 {
		one, other := result.Entries[0].DN, result.Entries[1].DN
		d.log.Warn("more than one LDAP entry has the name", "attribute", attr, "name", name,
			"dn", clean.Line(one), "other", clean.Line(other))
		return nil, rejectf("%q and %q both have %s %q", one, other, attr, name)
	}
	if err != nil {
		return nil, d.explain(c.step, err)
	}
	if len(result.Entries) == 0 {
		return nil, rejectf("no entry below %q matches %s", d.BaseDN, d.userFilter(attr, name))
	}
	entry := result.Entries[0]
	if !hasName(entry.GetEqualFoldAttributeValues(attr), name) {
		return nil, rejectf("%q was found for the name %q, but its %s is spelled otherwise, "+
			"or the service account may not read it", entry.DN, name, attr)
	}
	return entry, nil
}

// hasName reports whether name is among values but for upper and lower case.
func hasName(values []string, name string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return names.Equal(v, name) })
}

// newSearch asks for the attributes, or for none.
func (d *directory) newSearch(base string, scope int, filter string, attributes ...string) *ldap.SearchRequest {
	if len(attributes) == 0 {
		attributes = []string{"1.1"} // RFC 4511 section 4.5.1.8
	}
	seconds := int(math.Ceil(d.timeout().Seconds()))
	return ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, seconds, false, filter, attributes, nil)
}

// bindUser checks the password.
func (d *directory) bindUser(c *conn, u *user, password radius.Secret) error {
	c.step = fmt.Sprintf("bind as %q", u.dn)
	name := u.dn
	if d.Bind == NTLM {
		name = u.account
	}
	controls, err := d.bind(c, name, password)
	var answer *ldap.Error
	switch {
	case err == nil && mustChange(controls):
		return &primary.Rejection{
			Message: mustChangeText, Reason: u.dn + ": the password must be changed first", MustChange: d.mustChange(u, byOwner),
		}
	case err == nil:
		d.logGrace(u, controls)
		return nil
	case errors.As(err, &answer) && refusesUser(answer.ResultCode):
		message, reason := verdict(answer, controls)
		rejection := &primary.Rejection{Message: message, Reason: clean.Line(u.dn + ": " + reason)}
		if code, ok := adCode(answer.Err.Error()); ok && (code == adExpired || code == adMustChange) {
			rejection.MustChange = d.mustChange(u, byUnicodePwd)
		}
		return rejection
	}
	return d.explain(c.step, err)
}

// bindNobody does what a bind with a wrong password does, for a name that is not
// there: how long a login takes must not tell whether it is. The password is not
// the user's, which belongs nowhere else.
func (d *directory) bindNobody(c *conn) error {
	c.step = "bind as nobody"
	nobody := rand.Text()
	name := ldap.EscapeDN(d.userAttr) + "=" + nobody + "," + d.BaseDN
	if d.Bind == NTLM {
		name = nobody
	}
	_, err := d.bind(c, name, radius.Secret(rand.Text()))
	var answer *ldap.Error
	if errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork {
		return nil
	}
	return err
}

func (d *directory) logGrace(u *user, controls []ldap.Control) {
	if p := policyControl(controls); p != nil && p.Grace >= 0 {
		d.log.Info("the password has expired, grace logins are left", "dn", clean.Line(u.dn), "left", p.Grace)
	}
}

// rejectf makes a Rejection without a text for the user.
func rejectf(format string, args ...any) *primary.Rejection {
	return &primary.Rejection{Reason: fmt.Sprintf(format, args...)}
}
