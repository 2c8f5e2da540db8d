package config

import "strings"

func (l *loader) warning(line int, section, key, text string) {
	l.file.Warnings = append(l.file.Warnings, Problem{Line: line, Section: section, Key: key, Text: text})
}

// advise warns of settings for which there are better ones.
func (l *loader) advise() {
	m := l.file.Main
	if on, _, _ := m.Syslog("log_syslog"); !on && !m.Bool("log_file") && !m.Bool("log_stdout") {
		l.warning(m.values["log_file"].line, m.Name, "log_file", "nothing is logged: set log_file, log_stdout or log_syslog to true")
	}
	for _, c := range l.file.Clients {
		switch {
		case c.Kind() == AD && c.Word("transport") == "clear" && c.Word("auth_type") == "plain":
			l.warning(c.Line, c.Name, "transport", "passwords cross the network readably: set it to starttls or ldaps")
		case c.Kind() == RADIUS && !c.Bool("force_message_authenticator"):
			l.warning(c.Line, c.Name, "force_message_authenticator", "a server's replies can be forged until it has sent a Message-Authenticator (CVE-2024-3596): "+
				"set it to true if the servers send one, as FreeRADIUS does since 3.2.5")
		}
	}
}

// lookalike warns of a value that seems to hold what other readers take away.
func (l *loader) lookalike(section string, r rawKey) {
	v := r.value
	if strings.Contains(v, " ;") || strings.Contains(v, " #") {
		l.warning(r.line, section, r.name, "what stands behind ; or # is a part of the value: a comment stands on a line of its own")
	}
	if n := len(v); n > 1 && (v[0] == '"' || v[0] == '\'') && v[0] == v[n-1] {
		l.warning(r.line, section, r.name, "the quotes are a part of the value")
	}
}
