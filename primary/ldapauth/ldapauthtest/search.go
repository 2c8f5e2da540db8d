package ldapauthtest

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// Active Directory's matching rules.
const (
	ruleBitAnd  = "1.2.840.113556.1.4.803"
	ruleInChain = "1.2.840.113556.1.4.1941"
)

func (s *session) search(id int64, op *ber.Packet) bool {
	s.dir.Searches.Add(1)
	if len(op.Children) < 8 || !s.bound || s.changes {
		return s.result(id, ldap.ApplicationSearchResultDone, Result{Code: ldap.LDAPResultInsufficientAccessRights})
	}
	base := text(op.Children[0])
	scope, _ := op.Children[1].Value.(int64)
	limit, _ := op.Children[3].Value.(int64)
	filter := op.Children[6]
	if f := s.dir.OnSearch; f != nil {
		written, _ := ldap.DecompileFilter(filter)
		if given := f(base, written); given != nil {
			return s.result(id, ldap.ApplicationSearchResultDone, *given)
		}
	}
	r, found := s.dir.find(base, scope, filter)
	if limit > 0 && int64(len(found)) > limit {
		found, r.Code = found[:limit], ldap.LDAPResultSizeLimitExceeded
	}
	for _, e := range found {
		if !s.entry(id, e, op.Children[7]) {
			return false
		}
	}
	return s.reference(id) && s.result(id, ldap.ApplicationSearchResultDone, r)
}

func (d *Directory) find(base string, scope int64, filter *ber.Packet) (Result, []Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sid, ok := strings.CutPrefix(base, "<SID="); ok {
		octets, _ := hex.DecodeString(strings.TrimSuffix(sid, ">"))
		for _, e := range d.Entries {
			if slices.Contains(e.Attributes["objectSid"], string(octets)) {
				base = e.DN
			}
		}
	}
	exists := false
	var found []Entry
	for _, e := range d.Entries {
		same, under := strings.EqualFold(e.DN, base), below(e.DN, base)
		exists = exists || same || under
		child := under && !strings.Contains(e.DN[:len(e.DN)-len(base)-1], ",")
		inScope := map[int64]bool{
			ldap.ScopeBaseObject: same, ldap.ScopeSingleLevel: child, ldap.ScopeWholeSubtree: same || under,
		}[scope]
		if inScope && d.matches(e, filter) {
			found = append(found, e)
		}
	}
	if !exists {
		return Result{Code: ldap.LDAPResultNoSuchObject}, nil
	}
	return Result{}, found
}

// below reports whether an entry is below another.
func below(dn, base string) bool {
	return strings.HasSuffix(strings.ToLower(dn), ","+strings.ToLower(base))
}

// matches evaluates a filter as loosely as real directories do: without regard
// to case and spaces at the ends. What it does not know matches nothing.
func (d *Directory) matches(e Entry, filter *ber.Packet) bool {
	compare := func(fits func(int) bool) bool {
		want := text(filter.Children[1])
		return slices.ContainsFunc(e.values(text(filter.Children[0])), func(v string) bool { return fits(order(v, want)) })
	}
	switch filter.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(filter.Children, func(p *ber.Packet) bool { return !d.matches(e, p) })
	case ldap.FilterOr:
		return slices.ContainsFunc(filter.Children, func(p *ber.Packet) bool { return d.matches(e, p) })
	case ldap.FilterNot:
		return !d.matches(e, filter.Children[0])
	case ldap.FilterPresent:
		name := text(filter)
		return strings.EqualFold(name, "objectClass") || len(e.values(name)) > 0
	case ldap.FilterEqualityMatch, ldap.FilterApproxMatch:
		return e.has(text(filter.Children[0]), text(filter.Children[1]))
	case ldap.FilterGreaterOrEqual:
		return compare(func(c int) bool { return c >= 0 })
	case ldap.FilterLessOrEqual:
		return compare(func(c int) bool { return c <= 0 })
	case ldap.FilterSubstrings:
		return slices.ContainsFunc(e.values(text(filter.Children[0])), func(v string) bool { return contains(v, filter.Children[1].Children) })
	case ldap.FilterExtensibleMatch:
		return d.matchesRule(e, filter.Children)
	}
	return false
}

// order compares numbers as numbers, and else texts without regard to case.
func order(a, b string) int {
	m, errM := strconv.ParseInt(a, 10, 64)
	n, errN := strconv.ParseInt(b, 10, 64)
	if errM == nil && errN == nil {
		return cmp.Compare(m, n)
	}
	return cmp.Compare(strings.ToLower(a), strings.ToLower(b))
}

// contains reports whether a value has the parts of a substring filter, in order.
func contains(value string, parts []*ber.Packet) bool {
	value = strings.ToLower(value)
	for _, p := range parts {
		part := strings.ToLower(text(p))
		switch i := strings.Index(value, part); {
		case p.Tag == ldap.FilterSubstringsFinal:
			return strings.HasSuffix(value, part)
		case i < 0, p.Tag == ldap.FilterSubstringsInitial && i > 0:
			return false
		default:
			value = value[i+len(part):]
		}
	}
	return true
}

// matchesRule evaluates an extensible match.
func (d *Directory) matchesRule(e Entry, parts []*ber.Packet) bool {
	var rule, attr, want string
	for _, p := range parts {
		switch p.Tag {
		case ldap.MatchingRuleAssertionMatchingRule:
			rule = text(p)
		case ldap.MatchingRuleAssertionType:
			attr = text(p)
		case ldap.MatchingRuleAssertionMatchValue:
			want = text(p)
		}
	}
	switch {
	case rule == ruleInChain && strings.EqualFold(attr, "member"):
		return d.inChain(e, want, map[string]bool{})
	case rule == ruleBitAnd:
		mask, err := strconv.ParseInt(want, 10, 64)
		return err == nil && slices.ContainsFunc(e.values(attr), func(v string) bool {
			n, err := strconv.ParseInt(v, 10, 64)
			return err == nil && n&mask == mask
		})
	}
	return false
}

// inChain follows membership through groups within groups.
func (d *Directory) inChain(group Entry, member string, seen map[string]bool) bool {
	if group.has("member", member) {
		return true
	}
	seen[group.DN] = true
	for _, e := range d.Entries {
		if !seen[e.DN] && group.has("member", e.DN) && d.inChain(e, member, seen) {
			return true
		}
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

// entry sends an entry with the attributes that are asked for (RFC 4511 section
// 4.5.1.8).
func (s *session) entry(id int64, e Entry, selection *ber.Packet) bool {
	wants := func(name string) bool {
		return len(selection.Children) == 0 || slices.ContainsFunc(selection.Children, func(p *ber.Packet) bool {
			return text(p) == "*" || strings.EqualFold(text(p), name)
		})
	}
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	op.AppendChild(octets(e.DN))
	attrs := ber.NewSequence("")
	for name, values := range e.Attributes {
		if !wants(name) {
			continue
		}
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

// reference sends a reference to another naming context, as Active Directory
// does after every search at the domain's root.
func (s *session) reference(id int64) bool {
	op := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "")
	op.AppendChild(octets("ldap://other.invalid/CN=Configuration"))
	return s.send(id, op, nil)
}
