package ldapauth

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// user is an entry that may log in if the password is right.
type user struct {
	dn      string
	account string // sAMAccountName, for NTLM
	reply   radius.Attributes
}

// find looks the user up and checks everything but the password.
func (d *directory) find(c *conn, username string) (*user, error) {
	name := splitDomain(username)
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, rejectf("%q is no user name", username)
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
	if d.Bind == NTLM && u.account == "" {
		return nil, failf("%q has no sAMAccountName that the service account may read, "+
			"which NTLM needs: set Bind to Simple", u.dn)
	}
	m := &membership{dir: d, conn: c, entry: entry}
	if err := m.permit(); err != nil {
		return nil, err
	}
	u.reply, err = m.replyAttributes()
	return u, err
}

// splitDomain returns the name in DOMAIN\name.
func splitDomain(username string) string {
	if _, name, found := strings.Cut(username, `\`); found {
		return name
	}
	return username
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

// hasName reports whether name is among values but for upper and lower case. The
// length keeps out letters of other scripts that fold to the same.
func hasName(values []string, name string) bool {
	for _, v := range values {
		if len(v) == len(name) && strings.EqualFold(v, name) {
			return true
		}
	}
	return false
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
		return &primary.Rejection{Message: mustChangeText, Reason: u.dn + ": the password must be changed first"}
	case err == nil:
		d.logGrace(u, controls)
		return nil
	case errors.As(err, &answer) && refusesUser(answer.ResultCode):
		message, reason := verdict(answer, controls)
		return &primary.Rejection{Message: message, Reason: clean.Line(u.dn + ": " + reason)}
	}
	return d.explain(c.step, err)
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
