package config

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// How long a shared secret should be (RFC 6158 section 2.3 and common advice).
const shortSecret, weakSecret = 16, 22

// maxPatience is what a NAS waits at most before it gives up, as a rule.
const maxPatience = 30 * time.Second

func (l *loader) warning(line int, section, key, text string) {
	l.file.Warnings = append(l.file.Warnings, Problem{Line: line, Section: section, Key: key, Text: text})
}

// warnKey warns of a key's value, unless that is a problem already.
func (l *loader) warnKey(s *Section, key, text string) {
	if l.refused(s, key) {
		return
	}
	l.warning(s.LineOf(key), s.Name, key, text)
}

// refused reports whether there is a problem with one of some keys, so that
// nothing is known of its value.
func (l *loader) refused(s *Section, keys ...string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool {
		name, _ := splitSecret(p.Key)
		return p.Section == s.Name && slices.Contains(keys, name)
	})
}

// advise warns of settings for which there are better ones.
func (l *loader) advise() {
	m := l.file.Main
	if on, _, _ := m.Syslog("log_syslog"); !on && !m.Bool("log_file") && !m.Bool("log_stdout") {
		l.warnKey(m, "log_file", "nothing is logged; set log_file, log_stdout or log_syslog to true")
	}
	l.advisePage(m)
	for _, c := range l.file.Clients {
		switch {
		case c.Kind() == AD && c.Word("transport") == "clear":
			l.warnKey(c, "transport", "passwords are sent in clear text, or as a hash that can be guessed; set transport to starttls or ldaps")
		case c.Kind() == RADIUS && c.Word("transport") != "tls" && c.Signed("force_message_authenticator") != "true":
			l.warnKey(c, "force_message_authenticator", "replies can be forged while unsigned ones are accepted (CVE-2024-3596); "+
				"set it to true if the servers sign, as FreeRADIUS does since 3.2.5")
		}
		if c.Kind() == RADIUS && c.Word("transport") != "tls" {
			for _, n := range c.Numbers("secret") {
				l.weakSecret(c, c.Numbered("secret", n))
			}
		}
	}
	for _, s := range l.file.Servers {
		l.adviseServer(s)
	}
}

func (l *loader) adviseServer(s *Section) {
	for _, n := range s.Numbers("radius_secret") {
		l.weakSecret(s, s.Numbered("radius_secret", n))
	}
	for _, n := range s.Numbers("radius_ip") {
		l.wideNetwork(s, s.Numbered("radius_ip", n))
		if s.Client == nil && s.SignedBy(n) != "true" && !l.refused(s, "client") && !loopback(s, n) {
			l.warnKey(s, s.Numbered("radius_ip", n), "there is no first factor, so anybody who can forge this source address can send pushes; set force_message_authenticator=true")
		}
	}
	timeout := s.Seconds("api_timeout")
	if mode := s.Word("failmode"); !l.refused(s, "failmode") && mode != "secure" && (timeout == 0 || timeout > maxPatience) {
		l.warnKey(s, "api_timeout", "the device gives up before the service counts as out of reach, so failmode="+mode+" lets nobody in; set api_timeout to 10")
	}
	l.keysOfService(s)
}

// loopback reports whether the devices of a number are this machine, whose
// addresses come from nowhere else.
func loopback(s *Section, number int) bool {
	return !slices.ContainsFunc(s.Prefixes(s.Numbered("radius_ip", number)), func(p netip.Prefix) bool { return !p.Addr().IsLoopback() })
}

// SignedBy returns force_message_authenticator for the devices of a number.
func (s *Section) SignedBy(number int) string {
	if name := s.Numbered("radius_message_authenticator", number); s.Set(name) {
		return s.Signed(name)
	}
	return s.Signed("force_message_authenticator")
}

// placeholder is what documentation writes in the place of a secret.
var placeholder = regexp.MustCompile(`(?i)^(testing123|secret|radius_?secret(_?1)?|thisisaradiussecret|password|changeme|your.*|x+|\*+)$`)

func (l *loader) weakSecret(s *Section, name string) {
	switch secret := s.Secret(name); {
	case placeholder.MatchString(string(secret)):
		l.warnKey(s, name, "this shared secret is the documentation's example; anybody can guess it")
	case len(secret) < shortSecret:
		l.warnKey(s, name, fmt.Sprintf("the shared secret has %d characters and can be guessed from one packet; use 22 random ones, at least %d", len(secret), shortSecret))
	case len(secret) < weakSecret:
		l.warnKey(s, name, fmt.Sprintf("the shared secret has %d characters; %d random ones are better", len(secret), weakSecret))
	}
}

// wideNetwork warns of networks that are wider than a site's own.
func (l *loader) wideNetwork(s *Section, name string) {
	for _, p := range s.Prefixes(name) {
		widest := 32
		if p.Addr().Is4() {
			widest = 16
		}
		if p.Bits() < widest && !p.Addr().IsLoopback() {
			l.warnKey(s, name, fmt.Sprintf("%s is a very wide network; list the devices", p))
			return
		}
	}
}

var (
	ikeyForm    = regexp.MustCompile(`^DI[A-Z0-9]{18}$`)
	apiHostForm = regexp.MustCompile(`^api-[0-9a-z]+\.duo(security|federal)\.com$`)
)

// keysOfService warns of what the service does not give out. Test services exist,
// so it is no error.
func (l *loader) keysOfService(s *Section) {
	if !ikeyForm.MatchString(s.Text("ikey")) {
		l.warnKey(s, "ikey", "an integration key has 20 letters and digits and begins with DI; copy it anew")
	}
	if n := len(s.Secret("skey")); n != 40 {
		l.warnKey(s, "skey", fmt.Sprintf("a secret key has 40 characters, and this one has %d; copy it anew", n))
	}
	if host, _ := splitHost(s.Text("api_host")); !apiHostForm.MatchString(strings.ToLower(host)) {
		l.warnKey(s, "api_host", "an API host has the form api-XXXXXXXX.duosecurity.com; copy it anew")
	}
}

// readable warns of a file with secrets that everybody on this machine can read.
func (l *loader) readable() {
	info, err := os.Stat(l.file.Path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o004 == 0 {
		return
	}
	l.warning(0, "", "", fmt.Sprintf("everybody on this machine can read the secrets in this file; run chmod 640 %s", l.file.Path))
}

// withoutEffect warns of keys and values that are accepted and change nothing.
func (l *loader) withoutEffect(s *Section, key *Key, r rawKey) {
	switch {
	case key.Name == "cipher_list":
		l.warning(r.line, s.Name, r.name, "has no effect: the ciphers are those of Go")
	case key.Name == "fips_mode" && s.Bool("fips_mode"):
		l.warning(r.line, s.Name, r.name, "has no effect: RADIUS itself is made of MD5, which is no FIPS algorithm")
	case key.Name == "minimum_tls_version" && (strings.HasSuffix(r.value, "1.0") || strings.HasSuffix(r.value, "1.1")):
		l.warning(r.line, s.Name, r.name, "TLS before 1.2 is not spoken; 1.2 is used")
	case key.Name == "pass_through_attr_names":
		if _, unknown := parseAttributes(r.value); len(unknown) > 0 {
			l.warning(r.line, s.Name, r.name, fmt.Sprintf("not known and left out: %s; a vendor's attribute can be written by number, as in 26.3076.85", strings.Join(unknown, ", ")))
		}
	}
}

// lookalike warns of a value that seems to contain what other readers take away.
func (l *loader) lookalike(section string, r rawKey) {
	v := r.value
	if strings.Contains(v, " ;") || strings.Contains(v, " #") {
		l.warning(r.line, section, r.name, "text after ; or # is part of the value; put comments on their own line")
	}
	if n := len(v); n > 1 && (v[0] == '"' || v[0] == '\'') && v[0] == v[n-1] {
		l.warning(r.line, section, r.name, "the quotes are part of the value")
	}
}
