package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/radius"
)

// Kind is a kind of value.
type Kind struct {
	// Expect says what is expected, as the end of "expected ...".
	Expect string

	secret bool
	file   bool // the value is the path of a file
	hidden bool // a wrong value may hold a secret: only what check says is told
	check  func(value string) error

	// content checks what the file holds. Its error is shown, and has no secret.
	content func(path string, content []byte) error
}

// The kinds of values. What they accept, the accessors of Section can read.
var (
	text    = Kind{Expect: "text"}
	secret  = Kind{Expect: "text, or ${NAME} for an environment variable", secret: true}
	boolean = Kind{Expect: "true or false", check: func(s string) error { _, err := parseBool(s); return err }}
	port    = integer(1, 65535)
	ikey    = Kind{Expect: "an integration key, which is letters and digits", check: match(`^[A-Za-z0-9]+$`)}
	limit   = Kind{Expect: "a number of seconds, 0 for no limit", check: func(s string) error { _, err := parseSeconds(s); return err }}
	seconds = Kind{Expect: "a number of seconds over 0", check: func(s string) error {
		if d, err := parseSeconds(s); err != nil || d == 0 {
			return errors.New("no number of seconds over 0")
		}
		return nil
	}}
	address     = Kind{Expect: "an IP address", check: func(s string) error { _, err := netip.ParseAddr(s); return err }}
	dn          = Kind{Expect: "a DN such as CN=Users,DC=example,DC=com", check: directory(func(a *ldapauth.Authenticator, s string) { a.BaseDN = s })}
	groupDN     = Kind{Expect: "a DN such as CN=VPN,DC=example,DC=com", check: directory(func(a *ldapauth.Authenticator, s string) { a.Groups = []string{s} })}
	filter      = Kind{Expect: "an LDAP filter such as (objectClass=person)", check: directory(func(a *ldapauth.Authenticator, s string) { a.Filter = s })}
	ldapName    = Kind{Expect: "the name of an LDAP attribute", check: directory(func(a *ldapauth.Authenticator, s string) { a.UsernameAttribute = s })}
	clients     = Kind{Expect: "an IP address, a network (192.0.2.0/24, 192.0.2.0/255.255.255.0) or a range (192.0.2.1-192.0.2.9)", check: func(s string) error { _, err := parsePrefixes(s); return err }}
	host        = Kind{Expect: "a host name or IP address", check: checkHost}
	bareHost    = Kind{Expect: "a host name or IP address, without port", check: checkBareHost}
	apiHost     = Kind{Expect: "a host name such as api-XXXXXXXX.duosecurity.com, with :port or without", check: checkHost}
	listen      = Kind{Expect: "an address and port such as 127.0.0.1:9090", check: checkListen}
	attribute   = Kind{Expect: "the name or number of a RADIUS attribute, such as Calling-Station-Id or 26.25461.7", check: func(s string) error { _, err := parseAttribute(s); return err }}
	attrs       = Kind{Expect: "names of RADIUS attributes, separated by commas", check: func(string) error { return nil }}
	signed      = enum("true", "auto", "false", "yes", "no", "on", "off", "1", "0")
	codec       = Kind{Expect: "a character set such as utf-8, latin-1 or cp1252", check: func(s string) error { _, err := parseCodec(s); return err }}
	facility    = Kind{Expect: "a syslog facility such as daemon, auth or local0", check: func(s string) error { return enum(Facilities...).check(parseFacility(s)) }}
	factors     = Kind{Expect: "some of auto, push, phone and passcode, separated by commas", check: checkFactors}
	syslogTo    = Kind{Expect: "true, false, or a syslog server such as udp://192.0.2.1:514", check: func(s string) error { _, _, _, err := parseSyslog(s); return err }}
	tlsVersion  = Kind{Expect: "a version of TLS such as 1.2", check: match(`(?i)^(tls ?v?)?1\.[0-3]$`)}
	certificate = Kind{Expect: "the path of a PEM file with a certificate", file: true, content: checkCertificate}
	privateKey  = Kind{Expect: "the path of a PEM file with a private key", file: true, content: checkPrivateKey}
	dnsName     = Kind{Expect: "a DNS name such as vpn1.example.com", check: checkDNSName}
	otpKeys     = Kind{Expect: "the path of a file of keys", file: true, content: checkKeys}
	textFile    = Kind{Expect: "the path of a file of texts", file: true, content: checkTexts}
	authority   = Kind{Expect: "the path of a PEM file with CA certificates", file: true, check: checkCertificates}
)

// directory checks a value as the field of an Authenticator.
func directory(set func(a *ldapauth.Authenticator, value string)) func(string) error {
	return func(s string) error {
		a := &ldapauth.Authenticator{Hosts: []string{"localhost"}, BaseDN: "dc=example"}
		set(a, s)
		return a.Validate()
	}
}

func integer(least, most int) Kind {
	expect := fmt.Sprintf("a whole number from %d to %d", least, most)
	if most == math.MaxInt {
		expect = fmt.Sprintf("a whole number, %d or more", least)
	}
	return Kind{Expect: expect, check: func(s string) error {
		if n, err := strconv.Atoi(s); err != nil || n < least || n > most {
			return errors.New("out of range")
		}
		return nil
	}}
}

// enum is one of some words, in any case.
func enum(words ...string) Kind {
	return Kind{Expect: strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1], check: func(s string) error {
		if !slices.Contains(words, strings.ToLower(s)) {
			return errors.New("unknown word")
		}
		return nil
	}}
}

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "1":
		return true, nil
	case "false", "no", "off", "0":
		return false, nil
	}
	return false, errors.New("neither true nor false")
}

// parseSeconds takes up to a day: more is a mistake in the unit.
func parseSeconds(s string) (time.Duration, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n >= 0 && n <= 86400) {
		return 0, errors.New("no number of seconds")
	}
	return time.Duration(n * float64(time.Second)), nil
}

func checkHost(s string) error {
	host, portNumber := splitHost(s)
	if portNumber != "" {
		return errors.Join(checkBareHost(host), port.check(portNumber))
	}
	return checkBareHost(host)
}

var hostName = match(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

func checkBareHost(s string) error {
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return nil
	}
	return hostName(s)
}

// match checks that a value is of some form.
func match(pattern string) func(string) error {
	form := regexp.MustCompile(pattern)
	return func(s string) error {
		if !form.MatchString(s) {
			return errors.New("of another form")
		}
		return nil
	}
}

// splitHost returns the parts of host:port; the port may be missing.
func splitHost(s string) (host, portNumber string) {
	if h, p, err := net.SplitHostPort(s); err == nil {
		return h, p
	}
	return strings.Trim(s, "[]"), ""
}

func checkListen(s string) error {
	host, p, err := net.SplitHostPort(s)
	if err != nil {
		return err
	}
	if host != "" && host != "localhost" {
		if _, err := netip.ParseAddr(host); err != nil {
			return err
		}
	}
	return integer(0, 65535).check(p)
}

// paloAlto is a word for PaloAlto-Client-Source-IP.
const paloAlto = "paloalto"

func parseAttribute(s string) (radius.AttributeType, error) {
	if strings.EqualFold(s, paloAlto) {
		return radius.AttributeType{Vendor: 25461, Type: 7}, nil
	}
	return radius.ParseAttributeType(s)
}

// parseAttributes returns the types that the names of a list mean, and the names
// that are not known.
func parseAttributes(s string) (types []radius.AttributeType, unknown []string) {
	for _, name := range splitList(s) {
		t, err := radius.ParseAttributeType(name)
		if err != nil {
			unknown = append(unknown, name)
			continue
		}
		types = append(types, t)
	}
	return types, unknown
}

// splitList splits at commas and drops what is blank.
func splitList(s string) []string {
	var list []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			list = append(list, item)
		}
	}
	return list
}

func checkFactors(s string) error {
	for _, f := range splitList(s) {
		if err := enum("auto", "push", "phone", "passcode").check(f); err != nil {
			return err
		}
	}
	return nil
}

// parseSyslog reads log_syslog: whether, and which server. The local one has no
// network.
func parseSyslog(s string) (on bool, network, address string, err error) {
	if on, err := parseBool(s); err == nil {
		return on, "", "", nil
	}
	network, address = "udp", s
	if before, after, found := strings.Cut(s, "://"); found {
		network, address = strings.ToLower(before), after
	}
	host, portNumber := splitHost(address)
	if portNumber == "" {
		portNumber = "514"
	}
	if network != "udp" && network != "tcp" || checkHost(net.JoinHostPort(host, portNumber)) != nil || host == "" {
		return false, "", "", errors.New("no syslog server")
	}
	return true, network, net.JoinHostPort(host, portNumber), nil
}

// parseFacility takes the prefix off LOG_LOCAL0.
func parseFacility(s string) string { return strings.TrimPrefix(strings.ToLower(s), "log_") }

func checkCertificates(path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return errors.New("it holds no certificate")
	}
	return nil
}
