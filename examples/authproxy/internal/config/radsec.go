package config

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net/netip"
	"strings"
)

// radsecFiles are what TLS needs on either side.
var radsecFiles = []string{"radsec_ca_file", "radsec_cert_file", "radsec_key_file"}

// checkCertificate checks that a file begins with a certificate.
func checkCertificate(_ string, content []byte) error {
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			return nil
		}
	}
	return errors.New("it holds no certificate in PEM form")
}

// checkPrivateKey checks a file with a private key, but for what fits the
// certificate.
func checkPrivateKey(path string, content []byte) error {
	if err := private(path); err != nil {
		return err
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
			return errors.New("the private key has a password; take it away with: openssl pkey -in FILE -out NEW")
		}
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return nil
		}
	}
	return errors.New("it holds no private key in PEM form")
}

var dnsNameForm = match(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?)*$`)

// checkDNSName refuses wildcards and addresses: neither names one device.
func checkDNSName(s string) error {
	if _, err := netip.ParseAddr(s); err == nil {
		return errors.New("an address")
	}
	return dnsNameForm(s)
}

// Certificate returns the certificate of a section with radsec_cert_file.
func (s *Section) Certificate() (tls.Certificate, error) {
	return tls.X509KeyPair(s.values["radsec_cert_file"].content, s.values["radsec_key_file"].content)
}

// radsec checks what a server section needs to listen for TLS.
func (l *loader) radsec(s *Section) {
	l.needs(s, "radsec_port", append(radsecFiles[:3:3], "radius_name_1")...)
	if s.Set("radsec_port") {
		l.certificateFits(s)
	}
	owner := map[string]string{}
	for _, n := range s.Numbers("radius_name") {
		key := s.Numbered("radius_name", n)
		name := strings.ToLower(s.Text(key))
		if other := owner[name]; other != "" {
			l.problem(s.values[key].line, s.Name, key, "%s belongs to %s already", name, other)
		}
		owner[name] = key
	}
}

// overTLS checks what a client section needs to ask over TLS.
func (l *loader) overTLS(s *Section) {
	if s.Word("transport") == "tls" {
		l.needs(s, "transport", radsecFiles...)
		l.certificateFits(s)
		return
	}
	for _, name := range append(radsecFiles[:3:3], "radsec_name") {
		if s.Set(name) {
			l.problem(s.values[name].line, s.Name, name, "requires transport=tls, which is not set")
		}
	}
}

// needs says which keys are missing for a key, and which of them are set without
// it. A name with a number stands for any number.
func (l *loader) needs(s *Section, key string, names ...string) {
	for _, name := range names {
		base, _ := splitNumber(name)
		numbers := s.Numbers(base)
		switch {
		case s.Set(key) && len(numbers) == 0 && !l.told(s, &Key{Name: base}):
			l.problem(s.values[key].line, s.Name, key, "requires %s, which is not set", name)
		case !s.Set(key) && len(numbers) > 0 && !l.told(s, &Key{Name: key}):
			first := s.Numbered(base, numbers[0])
			l.problem(s.values[first].line, s.Name, first, "requires %s, which is not set", key)
		}
	}
}

// certificateFits says why the certificate and the key cannot be used together.
func (l *loader) certificateFits(s *Section) {
	if !s.Set("radsec_cert_file") || !s.Set("radsec_key_file") {
		return
	}
	if _, err := s.Certificate(); err != nil {
		l.problem(s.values["radsec_key_file"].line, s.Name, "radsec_key_file", "does not go with radsec_cert_file: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
}
