package config

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding"

	"github.com/radmfa/radmfa/radius"
)

// Section is a section whose values have been checked. The methods that return a
// value panic for keys that the section's kind does not have.
type Section struct {
	Name   string   // with number
	Line   int      // zero: it is not in the file
	Client *Section // of a server section; nil: the first factor is not checked

	kind   *SectionKind
	values map[string]value // by the key as in the file, without suffix
}

type value struct {
	text    radius.Secret // of a file with a secret: the secret
	content []byte        // of other files
	line    int
}

// Format implements fmt.Formatter: fmt would print the secrets.
func (s Section) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "[%s]", s.Name) }

// Kind returns the name of the section's kind.
func (s *Section) Kind() string { return s.kind.Name }

// Equal reports whether two sections say the same, their clients included. The
// content of the files that they name counts, their place in the file does not.
func (s *Section) Equal(other *Section) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.Name == other.Name && s.Client.Equal(other.Client) &&
		maps.EqualFunc(s.values, other.values, func(a, b value) bool {
			return a.text == b.text && bytes.Equal(a.content, b.content)
		})
}

// Set reports whether a key has a value other than its default.
func (s *Section) Set(name string) bool { _, ok := s.values[name]; return ok }

// LineOf returns the line of a key, or that of the section where it is not set.
func (s *Section) LineOf(name string) int {
	if v, ok := s.values[name]; ok {
		return v.line
	}
	return s.Line
}

// numbers returns the numbers with which a key is set, in order. A key without
// number counts as 1.
func (s *Section) numbers(key *Key) []int {
	var numbers []int
	for name := range s.values {
		if s.kind.find(name) != key {
			continue
		}
		_, number := splitNumber(name)
		numbers = append(numbers, max(number, 1))
	}
	slices.Sort(numbers)
	return numbers
}

// requires reports whether a key must be set.
func (s *Section) requires(key *Key) bool {
	return key.Required && (key.Unless == "" || len(s.Numbers(key.Unless)) == 0)
}

// Numbers returns the numbers with which a key is set, in order.
func (s *Section) Numbers(name string) []int { return s.numbers(s.key(name)) }

// Numbered returns the name of a key with a number.
func (s *Section) Numbered(name string, number int) string {
	if number == 1 && s.key(name).Numbering != Indexed {
		return name
	}
	return name + "_" + strconv.Itoa(number)
}

func (s *Section) key(name string) *Key {
	if key := s.kind.key(name); key != nil {
		return key
	}
	panic(fmt.Sprintf("config: [%s] has no key %s", s.kind.Name, name))
}

// Secret returns a value as it is. The name may have a number.
func (s *Section) Secret(name string) radius.Secret {
	if v, ok := s.values[name]; ok {
		return v.text
	}
	if key := s.kind.find(name); key != nil {
		return radius.Secret(key.Default)
	}
	return radius.Secret(s.key(name).Default) // panics
}

// Text returns a value that is no secret.
func (s *Section) Text(name string) string { return string(s.Secret(name)) }

// Word returns the value of an enumeration, in lower case.
func (s *Section) Word(name string) string { return strings.ToLower(s.Text(name)) }

// Bool returns whether a key is true.
func (s *Section) Bool(name string) bool { b, _ := parseBool(s.Text(name)); return b }

// Int returns a whole number, or 0 where there is neither value nor default.
func (s *Section) Int(name string) int { n, _ := strconv.Atoi(s.Text(name)); return n }

// Seconds returns a number of seconds.
func (s *Section) Seconds(name string) time.Duration { d, _ := parseSeconds(s.Text(name)); return d }

// Addr returns an address, or the zero Addr.
func (s *Section) Addr(name string) netip.Addr { a, _ := netip.ParseAddr(s.Text(name)); return a }

// Prefixes returns the networks of a radius_ip_N.
func (s *Section) Prefixes(name string) []netip.Prefix { p, _ := parsePrefixes(s.Text(name)); return p }

// Codec returns a character set, nil for UTF-8.
func (s *Section) Codec(name string) encoding.Encoding { e, _ := parseCodec(s.Text(name)); return e }

// Signed returns "true", "auto" or "false".
func (s *Section) Signed(name string) string {
	if on, err := parseBool(s.Text(name)); err == nil {
		return strconv.FormatBool(on)
	}
	return s.Word(name)
}

// TLS returns the oldest version of TLS, at least 1.2.
func (s *Section) TLS(name string) uint16 {
	if strings.HasSuffix(s.Text(name), "1.3") {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// Attribute returns a type of RADIUS attribute.
func (s *Section) Attribute(name string) radius.AttributeType {
	k, _ := parseAttribute(s.Text(name))
	return k
}

// Attributes returns types of RADIUS attributes, without those that are not known.
func (s *Section) Attributes(name string) []radius.AttributeType {
	kinds, _ := parseAttributes(s.Text(name))
	return kinds
}

// List returns the words of a list, in lower case.
func (s *Section) List(name string) []string { return splitList(s.Word(name)) }

// Certificates returns the authorities of a file, or nil where there is none.
func (s *Section) Certificates(name string) *x509.CertPool {
	v, ok := s.values[name]
	if !ok {
		return nil
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(v.content)
	return pool
}

// Syslog returns whether to log to syslog, and where: without network to the
// local one.
func (s *Section) Syslog(name string) (on bool, network, address string) {
	on, network, address, _ = parseSyslog(s.Text(name))
	return on, network, address
}

// Facility returns the facility of syslog, in lower case and without prefix.
func (s *Section) Facility(name string) string { return parseFacility(s.Text(name)) }

// APIHost returns the service's host:port.
func (s *Section) APIHost() string {
	host, portNumber := splitHost(s.Text("api_host"))
	return net.JoinHostPort(host, cmp.Or(portNumber, s.Text("api_port"), "443"))
}

// Hosts returns what a numbered key for a host lists, each with its own port or else
// with that of the key port, where this is set.
func (s *Section) Hosts(name, port string) []string {
	var hosts []string
	for _, n := range s.Numbers(name) {
		host, portNumber := splitHost(s.Text(s.Numbered(name, n)))
		if portNumber = cmp.Or(portNumber, s.Text(port)); portNumber != "" {
			host = net.JoinHostPort(host, portNumber)
		}
		hosts = append(hosts, host)
	}
	return hosts
}

// Listens returns the addresses that a server section listens on, for datagrams
// and for TLS. Either may be empty.
func (s *Section) Listens(main *Section) (udp, tls string) {
	host := cmp.Or(s.Text("interface"), main.Text("interface"))
	if len(s.Numbers("radius_ip")) > 0 {
		udp = net.JoinHostPort(host, s.Text("port"))
	}
	if s.Set("radsec_port") {
		tls = net.JoinHostPort(host, s.Text("radsec_port"))
	}
	return udp, tls
}

// LogDir returns the folder of the log files.
func (f *File) LogDir() string {
	dir := filepath.Dir(f.Path)
	if set := f.Main.Text("log_dir"); filepath.IsAbs(set) {
		return set
	} else if set != "" {
		return filepath.Join(dir, set)
	}
	if given := os.Getenv("LOGS_DIRECTORY"); given != "" { // LogsDirectory= of systemd
		return given
	}
	if abs, err := filepath.Abs(dir); err == nil && filepath.Base(abs) == "conf" {
		dir = filepath.Dir(abs)
	}
	return filepath.Join(dir, "log")
}
