package config

import (
	"net"
	"net/netip"
	"slices"
	"strings"
)

// relations checks what concerns more than one value.
func (l *loader) relations() {
	if len(l.file.Servers) == 0 && !l.serverRefused() {
		if len(l.file.Unserved) > 0 {
			l.problem(0, "", "", "there is nothing to serve here, since %s cannot be: add [%s]", strings.Join(l.file.Unserved, ", "), Challenge)
		} else {
			l.problem(0, "", "", "there is no server section: add [%s]", Challenge)
		}
	}
	for _, s := range l.file.Clients {
		switch s.Kind() {
		case AD:
			l.serviceAccount(s)
			l.passwordChange(s)
			l.hostPorts(s, "host", "port")
		case RADIUS:
			l.pairs(s, "port", "host")
			l.pairs(s, "radsec_name", "host")
			l.secrets(s)
			l.overTLS(s)
		}
	}
	for _, s := range l.file.Servers {
		l.pairs(s, "radius_ip", "radius_secret")
		l.pairs(s, "radius_secret", "radius_ip")
		l.twice(s)
		l.radsec(s)
		l.client(s)
		l.hostPorts(s, "api_host", "api_port")
		l.fallback(s)
	}
	l.ports()
	l.cluster(l.file.Main)
	l.statusPage(l.file.Main)
}

// serverRefused reports whether there is a server section that cannot be used, so
// that none need be called missing.
func (l *loader) serverRefused() bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool {
		return p.Key == "" && strings.Contains(p.Section, "server")
	})
}

// serviceAccount: a name is needed, and a DN counts only with plain binds.
func (l *loader) serviceAccount(s *Section) {
	if s.Set("service_account_username") || s.Set("bind_dn") && s.Word("auth_type") == "plain" {
		return
	}
	l.problem(s.Line, s.Name, "service_account_username", missing+": expected the name of an account that may search the directory")
}

// passwordChange: new passwords cross the network only under TLS.
func (l *loader) passwordChange(s *Section) {
	if s.Bool("password_change") && s.Word("transport") == "clear" {
		l.problem(s.values["password_change"].line, s.Name, "password_change", "passwords are changed only over TLS: set transport to starttls or ldaps")
	}
}

// hostPorts says which hosts name another port than the key for the port does.
func (l *loader) hostPorts(s *Section, host, port string) {
	for _, n := range s.Numbers(host) {
		name := s.Numbered(host, n)
		if _, given := splitHost(s.Text(name)); given != "" && s.Set(port) && given != s.Text(port) {
			l.problem(s.values[port].line, s.Name, port, "%s names another port: keep one of them", name)
		}
	}
}

// pairs says which numbers one key of a pair has and the other has not.
func (l *loader) pairs(s *Section, has, lacks string) {
	other := s.Numbers(lacks)
	for _, number := range s.Numbers(has) {
		name, missing := s.Numbered(has, number), s.Numbered(lacks, number)
		if slices.Contains(other, number) || l.told(s, &Key{Name: missing}) || missing == lacks+"_1" && len(other) == 0 && s.requires(s.key(lacks)) {
			continue
		}
		l.problem(s.values[name].line, s.Name, name, "requires %s, which is not set", missing)
	}
}

// secrets says which secret has no host.
func (l *loader) secrets(s *Section) {
	hosts := s.Numbers("host")
	for _, n := range s.Numbers("secret") {
		if n > 1 && !slices.Contains(hosts, n) {
			l.problem(s.values[s.Numbered("secret", n)].line, s.Name, s.Numbered("secret", n), "requires %s, which is not set", s.Numbered("host", n))
		}
	}
}

// twice says which networks have two secrets.
func (l *loader) twice(s *Section) {
	owner := map[netip.Prefix]string{}
	for _, n := range s.Numbers("radius_ip") {
		name := s.Numbered("radius_ip", n)
		for _, prefix := range s.Prefixes(name) {
			if other := owner[prefix]; other != "" {
				l.problem(s.values[name].line, s.Name, name, "%s belongs to %s already", prefix, other)
				break
			}
			owner[prefix] = name
		}
	}
}

// client finds the section that checks the first factor.
func (l *loader) client(s *Section) {
	name := strings.ToLower(s.Text("client"))
	line := s.values["client"].line
	var names []string
	var found *Section
	for _, c := range l.file.Clients {
		names = append(names, c.Name)
		if c.Name == name || name == "" && len(l.file.Clients) == 1 {
			found = c
		}
	}
	switch {
	case s.Kind() == SecondOnly && (name == "" || found != nil && found.Kind() == NoPrimary):
		return // there is no first factor, whatever clients others have
	case s.Kind() == SecondOnly:
		l.problem(line, s.Name, "client", "there is no first factor here: set it to a [%s] section, or take the line out", NoPrimary)
	case found != nil && found.Kind() != NoPrimary:
		s.Client = found
	case found != nil: // no first factor is wanted
	case name != "":
		l.problem(line, s.Name, "client", "there is no section [%s]%s", name, didYouMean(name, names))
	case len(names) > 1:
		l.problem(s.Line, s.Name, "client", missing+": expected one of %s", strings.Join(names, ", "))
	default:
		l.problem(s.Line, s.Name, "client", "there is no client section: add [%s], [%s] or [%s]", AD, RADIUS, NoPrimary)
	}
}

// ports says which sections want the same port of the same address.
func (l *loader) ports() {
	for i, s := range l.file.Servers {
		udp, tls := s.Listens(l.file.Main)
		for _, earlier := range l.file.Servers[:i] {
			otherUDP, otherTLS := earlier.Listens(l.file.Main)
			if l.clash(s, "port", udp, otherUDP, earlier) || l.clash(s, "radsec_port", tls, otherTLS, earlier) {
				break
			}
		}
	}
}

// clash says that an address of a section is that of an earlier one.
func (l *loader) clash(s *Section, key, address, other string, earlier *Section) bool {
	host, portNumber, _ := net.SplitHostPort(address)
	otherHost, otherPort, _ := net.SplitHostPort(other)
	if address == "" || portNumber != otherPort || host != otherHost && host != "" && otherHost != "" {
		return false
	}
	l.problem(max(s.Line, s.values[key].line), s.Name, key, "port %s is already used by [%s]; each server section needs its own", portNumber, earlier.Name)
	return true
}
