package ldapauth

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

const (
	// inChain is Active Directory's matching rule that follows membership
	// through nested groups (LDAP_MATCHING_RULE_IN_CHAIN).
	inChain = "1.2.840.113556.1.4.1941"

	// Bounds for groups within groups on other directories.
	maxNesting = 16
	maxGroups  = 1000
	perFilter  = 50 // DNs in one filter
)

// membership answers which groups an entry is in. It searches as the service
// account and remembers what costs several searches.
type membership struct {
	dir   *directory
	conn  *conn
	entry *ldap.Entry

	filter string          // finds a group that the entry is in
	outer  map[string]bool // keys of the groups around; nil: not yet known
}

// permit checks the entry against allowed and denied groups.
func (m *membership) permit() error {
	for _, g := range m.dir.denied {
		in, err := m.in(g)
		if err != nil {
			return err
		}
		if in {
			return rejectf("%q is in the denied group %q", m.entry.DN, g.dn)
		}
	}
	// A group that cannot be looked up does not keep out the members of others.
	var failed error
	for _, g := range m.dir.allowed {
		in, err := m.in(g)
		if in {
			return nil
		}
		if failed == nil {
			failed = err
		}
	}
	if failed != nil || len(m.dir.allowed) == 0 {
		return failed
	}
	return rejectf("%q is in none of the allowed groups", m.entry.DN)
}

// in reports whether the entry is in g. memberOf, where the directory has it,
// often tells without asking again; that g is not there proves nothing.
func (m *membership) in(g group) (bool, error) {
	for _, dn := range m.entry.GetEqualFoldAttributeValues("memberOf") {
		if key(dn) == g.key {
			return true, nil
		}
	}
	if err := m.setFilter(); err != nil {
		return false, err
	}
	found, err := m.search(g.dn, ldap.ScopeBaseObject, m.filter)
	if err != nil || len(found) > 0 {
		return len(found) > 0, err
	}
	if !m.dir.NestedGroups || m.sid() != nil {
		return false, nil
	}
	if err := m.setOuter(); err != nil {
		return false, err
	}
	return m.outer[g.key], nil
}

// search returns the DNs of the entries that match.
func (m *membership) search(base string, scope int, filter string) ([]string, error) {
	m.conn.step = fmt.Sprintf("search for groups at %q", base)
	result, err := m.conn.Search(m.dir.newSearch(base, scope, filter))
	if err != nil {
		return nil, m.dir.explain(m.conn.step, err)
	}
	var dns []string
	for _, e := range result.Entries {
		dns = append(dns, e.DN)
	}
	return dns, nil
}

// sid returns the entry's objectSid, which all users of an Active Directory
// have, or nil.
func (m *membership) sid() []byte {
	if sid := m.entry.GetEqualFoldRawAttributeValues("objectSid"); len(sid) > 0 && validSID(sid[0]) {
		return sid[0]
	}
	return nil
}

// validSID reports whether b is a SID ([MS-DTYP] 2.4.2.2): a revision, the
// number of sub-authorities, an authority of 6 octets, sub-authorities of 4.
func validSID(b []byte) bool {
	return len(b) >= 12 && len(b) == 8+4*int(b[1])
}

// primarySID returns the SID of the user's primary group, or nil: the user's own
// with primaryGroupID as its last sub-authority.
func (m *membership) primarySID() []byte {
	rid, err := strconv.ParseUint(m.entry.GetEqualFoldAttributeValue("primaryGroupID"), 10, 32)
	sid := slices.Clone(m.sid())
	if err != nil || sid == nil {
		return nil
	}
	binary.LittleEndian.PutUint32(sid[len(sid)-4:], uint32(rid))
	return sid
}

// setFilter makes the filter that finds a group with the entry among its
// members, on Active Directory nested ones if they count.
func (m *membership) setFilter() error {
	if m.filter != "" {
		return nil
	}
	nested := m.dir.NestedGroups && m.sid() != nil
	var b strings.Builder
	b.WriteString("(|" + memberOf(m.entry.DN, nested))
	if sid := m.primarySID(); sid != nil {
		fmt.Fprintf(&b, "(objectSid=%s)", escapeOctets(sid))
		if nested {
			dns, err := m.search("<SID="+hex.EncodeToString(sid)+">", ldap.ScopeBaseObject, "(objectClass=*)")
			if err != nil {
				return err
			}
			for _, dn := range dns {
				b.WriteString(memberOf(dn, nested))
			}
		}
	}
	for _, attr := range [][2]string{{"uid", "memberUid"}, {"gidNumber", "gidNumber"}} {
		for _, v := range m.entry.GetEqualFoldAttributeValues(attr[0]) {
			fmt.Fprintf(&b, "(&(objectClass=posixGroup)(%s=%s))", attr[1], ldap.EscapeFilter(v))
		}
	}
	b.WriteString(")")
	m.filter = b.String()
	return nil
}

// memberOf is the part of a filter that finds the groups with dn as a member.
func memberOf(dn string, nested bool) string {
	dn = ldap.EscapeFilter(dn)
	if nested {
		return "(member:" + inChain + ":=" + dn + ")"
	}
	return "(member=" + dn + ")(uniqueMember=" + dn + ")"
}

func escapeOctets(b []byte) string {
	var s strings.Builder
	for _, c := range b {
		fmt.Fprintf(&s, `\%02x`, c)
	}
	return s.String()
}

// setOuter collects all groups around the entry, level by level. Each is visited
// once, so groups that contain each other do no harm.
func (m *membership) setOuter() error {
	if m.outer != nil {
		return nil
	}
	seen := map[string]bool{}
	level, err := m.search(m.dir.groupBase, ldap.ScopeWholeSubtree, m.filter)
	for depth := 0; err == nil && len(level) > 0; depth++ {
		var fresh []string
		for _, dn := range level {
			if k := key(dn); !seen[k] {
				seen[k] = true
				fresh = append(fresh, dn)
			}
		}
		if depth == maxNesting || len(seen) > maxGroups {
			return failf("%q is in groups nested more than %d deep, or more than %d of them",
				m.entry.DN, maxNesting, maxGroups)
		}
		level, err = m.groupsAround(fresh)
	}
	if err == nil {
		m.outer = seen
	}
	return err
}

// groupsAround returns the groups of which one of dns is a direct member.
func (m *membership) groupsAround(dns []string) ([]string, error) {
	var out []string
	for some := range slices.Chunk(dns, perFilter) {
		var b strings.Builder
		for _, dn := range some {
			b.WriteString(memberOf(dn, false))
		}
		found, err := m.search(m.dir.groupBase, ldap.ScopeWholeSubtree, "(|"+b.String()+")")
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}
