package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// serviceWords say which keys of a server section to look at when the service
// cannot be asked.
type serviceWords struct{ section, main *config.Section }

// err is err with the keys, or err itself if it is not about them.
func (w serviceWords) err(err error) error {
	if err == nil {
		return nil
	}
	hint := w.hint(err)
	if hint == "" {
		return err
	}
	return &wordedError{err.Error() + ": " + hint, w.section, err}
}

func (w serviceWords) hint(err error) string {
	var refusal *duo.Error
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case duo.CodeBadIntegration, duo.CodeForbidden:
			return "see " + keyAt(w.section, "ikey") + " and " + keyAt(w.section, "api_host")
		case duo.CodeBadSignature:
			return "see " + keyAt(w.section, "skey") + " and " + keyAt(w.section, "api_host")
		}
	}
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	proxy := cmp.Or(w.section.Text("http_proxy_host"), w.main.Text("http_proxy_host"))
	switch {
	case errors.As(err, &authority) && w.main.Set("http_ca_certs_file"):
		return "see " + keyAt(w.main, "http_ca_certs_file")
	case errors.As(err, &authority):
		return "if a proxy on the way opens TLS, set http_ca_certs_file in [main] to its CA"
	case errors.As(err, &name):
		return "see " + keyAt(w.section, "api_host")
	case !errors.As(err, &dns) && !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, context.DeadlineExceeded):
		return ""
	case proxy != "" && w.section.Set("http_proxy_host"):
		return "see " + keyAt(w.section, "http_proxy_host")
	case proxy != "":
		return "see " + keyAt(w.main, "http_proxy_host")
	default:
		return "see " + keyAt(w.section, "api_host") + "; where a proxy is needed, set http_proxy_host"
	}
}

// keyAt is a key with its line.
func keyAt(s *config.Section, key string) string {
	if !s.Set(key) {
		return key
	}
	return fmt.Sprintf("%s (line %d)", key, s.LineOf(key))
}

// unprefixed is the text of an error without the names of packages at its
// beginning, and without what is said already.
func unprefixed(err error, said ...string) string {
	text := err.Error()
	for again := true; again; {
		again = false
		for _, prefix := range append(said, "ldapauth", "radiusauth", "radius", "redisstore", "duo") {
			if rest, found := strings.CutPrefix(text, prefix+": "); found {
				text, again = rest, true
			}
		}
	}
	return text
}
