package config

import (
	"fmt"
	"slices"
	"strings"
)

// decisive are the keys that decide who gets in: where they have no effect, the
// file does not say what its author meant.
var decisive = []string{"failmode", "client", "security_group_dn", "ldap_filter", "exempt_username", "force_message_authenticator"}

// unknownKey says what is to be made of a key that the section does not have.
func (l *loader) unknownKey(s *Section, r rawKey, name string) {
	if key := s.kind.key(name); key != nil && key.Numbering == Indexed {
		pair := ""
		if other := map[string]string{"radius_ip": "radius_secret_1", "radius_secret": "radius_ip_1"}[name]; other != "" {
			pair = ", which goes with " + other
		}
		l.problem(r.line, s.Name, r.name, "has no number; write %s_1=...%s", name, pair)
		return
	}
	if owners := ownersOf(name); owners != "" {
		text := belongs + owners + " and has no effect here"
		if base, _ := splitNumber(name); slices.Contains(decisive, base) {
			l.problem(r.line, s.Name, r.name, "%s", text)
			return
		}
		l.warning(r.line, s.Name, r.name, text)
		return
	}
	if name == "type" {
		l.warning(r.line, s.Name, r.name, "has no effect here")
		return
	}
	near := didYouMean(r.name, s.kind.names())
	if near == "" || s.kind.Role == RoleMain { // nothing there decides who gets in
		l.warning(r.line, s.Name, r.name, "unknown key, which has no effect"+near)
		return
	}
	l.problem(r.line, s.Name, r.name, "unknown key%s", near)
}

// belongs is how texts about misplaced keys begin, and missing how those about
// keys that are not there do.
const belongs, missing = "belongs to ", "is missing"

// ownersOf names the kinds of sections that have a key, or returns "".
func ownersOf(name string) string {
	var owners []string
	servers := 0
	for i := range Sections {
		if Sections[i].find(name) != nil {
			owners = append(owners, "["+Sections[i].Name+"]")
			if Sections[i].Role == RoleServer {
				servers++
			}
		}
	}
	if servers > 2 {
		owners = append(owners[:len(owners)-servers], "a server section such as ["+Challenge+"]")
	}
	return strings.Join(owners, " or ")
}

// misplaced says of keys that are missing where they stand instead.
func (l *loader) misplaced() {
	for i, p := range l.problems {
		if !strings.HasPrefix(p.Text, missing) {
			continue
		}
		for _, other := range slices.Concat(l.file.Warnings, l.problems) {
			if other.Key == p.Key && strings.HasPrefix(other.Text, belongs) {
				l.problems[i].Text += fmt.Sprintf("; it stands in [%s], line %d", other.Section, other.Line)
				break
			}
		}
	}
}
