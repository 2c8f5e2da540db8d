package radiusauth

import (
	"cmp"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// defaultPort is the port of RADIUS authentication (RFC 2865 section 3).
const defaultPort = "1812"

// configure checks the fields once and makes the servers. Its error names the
// field to correct.
func (a *Authenticator) configure() error {
	a.once.Do(func() {
		a.err = a.setUp()
	})
	return a.err
}

func (a *Authenticator) setUp() error {
	switch {
	case len(a.Servers) == 0:
		return primary.FieldErrorf("radiusauth: {Servers} is empty: set it to the RADIUS servers to ask")
	case a.Interval < 0 || a.Tries < 0 || a.RefusedFor < 0:
		return primary.FieldErrorf("radiusauth: {Interval}, {Tries} and {RefusedFor} must not be negative")
	case len(a.NASIdentifier) > radius.MaxAttribute:
		return primary.FieldErrorf("radiusauth: {NASIdentifier} has %d bytes, an attribute has room for %d", len(a.NASIdentifier), radius.MaxAttribute)
	}
	for _, k := range a.RequestAttributes {
		if neverSentOn(k) {
			return primary.FieldErrorf("radiusauth: {RequestAttributes} holds %s, which cannot be sent on", k)
		}
	}
	for _, k := range a.PassThrough {
		if neverPassedThrough(k) {
			return primary.FieldErrorf("radiusauth: {PassThrough} holds %s, which cannot be sent on", k)
		}
	}
	for i, config := range a.Servers {
		s, err := a.newServer(config)
		if err != nil {
			return primary.FieldErrorf("radiusauth: {Servers}[%d]: %w", i, err)
		}
		if slices.ContainsFunc(a.servers, func(other *server) bool { return other.address == s.address }) {
			return primary.FieldErrorf("radiusauth: {Servers}: %s is there twice", s.address)
		}
		a.servers = append(a.servers, s)
	}
	return nil
}

func (a *Authenticator) newServer(config Server) (*server, error) {
	address, err := withPort(config.Address)
	if err != nil {
		return nil, err
	}
	s := &server{
		Server:  config,
		auth:    a,
		address: address,
		log:     a.Logger,
	}
	if host, port, _ := net.SplitHostPort(address); a.DialContext == nil {
		if _, err := netip.ParseAddr(host); err != nil {
			s.name = &name{host: host, port: port}
		}
	}
	s.Secret = cmp.Or(s.Secret, a.Secret)
	if s.Secret == "" {
		return nil, primary.FieldErrorf("%s has no {Secret}, and the Authenticator has none either", address)
	}
	if s.Encoding == nil {
		s.Encoding = a.Encoding
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	return s, nil
}

// withPort returns "host:port" for a host or an IP address with or without port.
func withPort(address string) (string, error) {
	if address == "" || strings.ContainsAny(address, "/ ") {
		return "", fmt.Errorf("the Address is %q, want a host name or IP address, perhaps with a port", address)
	}
	if _, err := netip.ParseAddr(address); err == nil { // also IPv6 without brackets
		return net.JoinHostPort(address, defaultPort), nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return net.JoinHostPort(strings.Trim(address, "[]"), defaultPort), nil
	}
	if host == "" || port == "" {
		return "", fmt.Errorf("the Address is %q, want a host name or IP address, perhaps with a port", address)
	}
	return net.JoinHostPort(host, port), nil
}
