package radiusauth

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// The ports of RADIUS authentication (RFC 2865 section 3) and RADIUS over TLS (RFC
// 6614 section 2.1).
const (
	defaultPort    = "1812"
	defaultTLSPort = "2083"
)

// defaultTLSSecret is that of RFC 6614 section 2.3.
const defaultTLSSecret radius.Secret = "radsec"

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
	port, secret := defaultPort, a.Secret
	if config.TLS != nil {
		port, secret = defaultTLSPort, defaultTLSSecret
	}
	address, err := withPort(config.Address, port)
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
	if config.TLS != nil {
		if s.pool, err = newPool(config.TLS, address); err != nil {
			return nil, err
		}
	}
	s.Secret = cmp.Or(s.Secret, secret)
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

// newPool returns where the connections to a server are kept.
func newPool(config *tls.Config, address string) (*radius.TLSPool, error) {
	switch {
	case config.RootCAs == nil && !config.InsecureSkipVerify:
		return nil, errors.New("TLS has no RootCAs: set it to the authorities that issue the servers' certificates")
	case len(config.Certificates) == 0 && config.GetClientCertificate == nil:
		return nil, errors.New("TLS has no certificate, which RADIUS over TLS demands of clients")
	}
	config = config.Clone()
	if config.ServerName == "" { // the address that is connected to may be one of the name's
		config.ServerName, _, _ = net.SplitHostPort(address)
	}
	return &radius.TLSPool{Config: config}, nil
}

// withPort returns "host:port" for a host or an IP address with or without port.
func withPort(address, defaultPort string) (string, error) {
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
