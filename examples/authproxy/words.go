package main

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/primary"
)

// words say what a section of the file calls the fields of the library, and the
// values for them.
type words struct {
	section *config.Section
	keys    map[string]string // by field
	values  map[string]string // by name

	// hint says which keys an error is about that names no field. Nil: none.
	hint func(err error) string
}

// word is what InWords asks for: a key with its line, or a value.
func (w *words) word(field string) string {
	if value := w.values[field]; value != "" {
		return value
	}
	if key := w.keys[field]; key != "" {
		return keyAt(w.section, key)
	}
	return ""
}

// err is an error in these words, or err itself if it names no field.
func (w *words) err(err error) error {
	if err == nil {
		return nil
	}
	text := primary.InWords(err, w.word)
	if w.hint != nil {
		if hint := w.hint(err); hint != "" {
			text += ": " + hint
		}
	}
	if text == err.Error() {
		return err
	}
	return &wordedError{text, w.section, err}
}

// wordedError is an error in the words of the file.
type wordedError struct {
	text    string
	section *config.Section // that the keys belong to
	error
}

func (e *wordedError) Error() string { return e.text }
func (e *wordedError) Unwrap() error { return e.error }

// problem makes a problem of a file of an error about one of its sections.
func problem(file *config.File, s *config.Section, err error) config.Problem {
	var worded *wordedError
	if errors.As(err, &worded) && worded.text == err.Error() { // there is no other
		s = worded.section
	}
	return config.Problem{File: file.Path, Line: s.Line, Section: s.Name, Text: unprefixed(err)}
}

// mainProblem is a problem of a key of [main].
func mainProblem(file *config.File, key, text string) error {
	return config.Problems{{File: file.Path, Line: file.Main.LineOf(key), Section: config.Main, Key: key, Text: text}}
}

// logger is a logger that says errors in these words.
func (w *words) logger(l *slog.Logger) *slog.Logger {
	return slog.New(wordedHandler{l.Handler(), w})
}

// wordedHandler is the handler of such a logger.
type wordedHandler struct {
	slog.Handler
	words *words
}

func (h wordedHandler) Handle(ctx context.Context, r slog.Record) error {
	said := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		said.AddAttrs(h.say(a))
		return true
	})
	return h.Handler.Handle(ctx, said)
}

func (h wordedHandler) say(a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		return slog.Any(a.Key, h.words.err(err))
	}
	return a
}

func (h wordedHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	said := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		said[i] = h.say(a)
	}
	return wordedHandler{h.Handler.WithAttrs(said), h.words}
}

func (h wordedHandler) WithGroup(name string) slog.Handler {
	return wordedHandler{h.Handler.WithGroup(name), h.words}
}

// directoryWords are those of an [ad_client].
func directoryWords(c *config.Section) *words {
	user := "service_account_username"
	if c.Word("auth_type") == "plain" && c.Set("bind_dn") {
		user = "bind_dn"
	}
	return &words{
		section: c,
		keys: map[string]string{
			"Hosts": "host", "Transport": "transport", "Bind": "auth_type", "TLSConfig.RootCAs": "ssl_ca_certs_file",
			"ServiceUser": user, "ServicePassword": "service_account_password",
			"BaseDN": "search_dn", "Groups": "security_group_dn", "AllowPasswordChange": "password_change", "Filter": "ldap_filter", "Timeout": "timeout",
		},
		values: map[string]string{"Simple": "plain", "NTLM": "ntlm2", "StartTLS": "starttls", "LDAPS": "ldaps"},
	}
}

// upstreamWords are those of a [radius_client].
func upstreamWords(c *config.Section) *words {
	return &words{section: c, hint: upstreamHint(c), keys: map[string]string{
		"Servers": "host", "Secret": "secret", "Interval": "retry_wait", "Tries": "retries", "PassThrough": "pass_through_attr_names",
	}}
}

// upstreamHint is for certificates of servers that are asked over TLS.
func upstreamHint(c *config.Section) func(error) string {
	return func(err error) string {
		var authority x509.UnknownAuthorityError
		var name x509.HostnameError
		switch {
		case errors.As(err, &authority):
			return "see " + keyAt(c, "radsec_ca_file")
		case errors.As(err, &name):
			return "see " + keyAt(c, "host") + " and " + keyAt(c, "radsec_name")
		default:
			return ""
		}
	}
}
