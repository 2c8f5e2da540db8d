package radius

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// MessageAuthenticatorPolicy says what a Server does with an Access-Request that
// carries no Message-Authenticator. One with a wrong Message-Authenticator is
// always dropped, as is an EAP-Message without one (RFC 3579 section 3.2).
type MessageAuthenticatorPolicy int

const (
	// MessageAuthenticatorAuto accepts requests without one until the device has
	// signed all its Access-Requests, at least 20 of them over at least ten
	// minutes; from then on it must go on signing, until Server.ForgetSigners. The
	// zero value, since many NASes never sign.
	MessageAuthenticatorAuto MessageAuthenticatorPolicy = iota
	// MessageAuthenticatorRequired drops requests without one.
	MessageAuthenticatorRequired
	// MessageAuthenticatorOptional accepts requests without one.
	MessageAuthenticatorOptional
)

// Client is a NAS, or a network of them, that may send requests.
type Client struct {
	// Name is for logs and events. Empty: the TLSName, or the prefix.
	Name string

	// Prefix is the address, or the network, that the requests come from: IPv4
	// or IPv6. IPv4-mapped IPv6 addresses count as IPv4. With a TLSName, the zero
	// Prefix is for every address.
	Prefix netip.Prefix

	// TLSName makes this a client of ServeTLS, and of nothing else: one whose
	// certificate has this DNS name in its subjectAltName (RFC 9525), such as
	// "vpn1.example.com". A device that also sends datagrams is two clients with
	// one Device.
	TLSName string

	// Secret is the secret shared with these clients (RFC 2865 section 3). It
	// must not be empty, but for clients with a TLSName: "radsec" is then meant,
	// since TLS is what protects (RFC 6614 section 2.3).
	Secret Secret

	// Device is equal in clients that are one device with several addresses, such
	// as a pair that fails over or a pool of addresses. Empty: the client is a
	// device of its own.
	Device string

	// Proxy says that this is a RADIUS proxy: its requests without a
	// Message-Authenticator may carry any amount of Proxy-State. Others may carry
	// 128 bytes, too few for the attack of CVE-2024-3596.
	Proxy bool

	// MessageAuthenticator says whether requests must be signed. Over TLS, the zero
	// value accepts those that are not.
	MessageAuthenticator MessageAuthenticatorPolicy

	id string // what ID returns, if it is known already
}

// ID identifies the device that the client is, or that it belongs to: the Device,
// or where there is none the TLSName or the Prefix.
func (c *Client) ID() string {
	switch {
	case c.id != "":
		return c.id
	case c.Device != "":
		return c.Device
	case c.TLSName != "":
		return c.TLSName
	}
	return c.Prefix.String()
}

// String returns the Name, or where there is none the TLSName or the Prefix.
func (c *Client) String() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.TLSName != "":
		return c.TLSName
	}
	return c.Prefix.String()
}

// defaultTLSSecret is that of RFC 6614 section 2.3.
const defaultTLSSecret Secret = "radsec"

// ClientSource tells a Server who may send requests. Its method is called for
// each datagram before anything is known of the sender, by one goroutine for
// each connection, so it must be quick. Clients is the one for a fixed list. The
// result may change at any time, for example after a reload: a request in flight
// is answered with the secret it came with.
type ClientSource interface {
	// Client returns the client with that address, which is never an
	// IPv4-mapped one, or nil: the datagram is then dropped. The Server does not
	// change the Client and neither may the source, once it has returned it. The
	// same pointer each time saves work.
	Client(source netip.Addr) *Client
}

// TLSClientSource is the ClientSource that ServeTLS needs. Its second method is
// called for each connection, and again for each packet, by many goroutines. When
// it returns nil for a packet, the connection is closed.
type TLSClientSource interface {
	ClientSource

	// TLSClient returns the client whose TLSName that is, or nil. The name is in
	// lower case, and never a wildcard.
	TLSClient(name string) *Client
}

// Clients is a ClientSource: a fixed list, of which the longest prefix that
// holds the sender's address wins. It is a TLSClientSource as well. NewClients
// makes one.
type Clients struct {
	byPrefix map[netip.Prefix]*Client
	v4, v6   []int // the prefix lengths that occur, longest first
	byName   map[string]*Client
}

// NewClients returns the list of the given clients. Its error names every client
// that has no prefix or no secret, or the prefix or TLSName of another.
func NewClients(clients ...Client) (*Clients, error) {
	list := &Clients{byPrefix: make(map[netip.Prefix]*Client, len(clients)), byName: make(map[string]*Client)}
	var problems []error
	for _, c := range clients {
		if c.TLSName != "" {
			if err := list.addNamed(c); err != nil {
				problems = append(problems, fmt.Errorf("radius: client %s: %w", &c, err))
			}
			continue
		}
		prefix, err := unmap(c.Prefix)
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("radius: client %q: %w", c.Name, err))
			continue
		case c.Secret == "":
			problems = append(problems, fmt.Errorf("radius: client %s: the shared secret is empty", &c))
		case list.byPrefix[prefix] != nil:
			problems = append(problems, fmt.Errorf("radius: client %s: prefix %s belongs to client %s already",
				&c, prefix, list.byPrefix[prefix]))
		}
		list.add(prefix, c)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return list, nil
}

// Format implements fmt.Formatter: with the wrong verb, fmt would look behind
// the pointers and find the secrets.
func (l Clients) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "radius.Clients(%d)", len(l.byPrefix)+len(l.byName))
}

// addNamed adds a client with a TLSName.
func (l *Clients) addNamed(c Client) error {
	name, ok := hostName(c.TLSName)
	if !ok {
		return fmt.Errorf("the TLSName %q is not a DNS name without wildcards", c.TLSName)
	}
	if other := l.byName[name]; other != nil {
		return fmt.Errorf("the TLSName %s belongs to client %s already", name, other)
	}
	if c.Prefix.IsValid() {
		prefix, err := unmap(c.Prefix)
		if err != nil {
			return err
		}
		c.Prefix = prefix
	}
	c.Secret = cmp.Or(c.Secret, defaultTLSSecret)
	l.byName[name] = &c
	return nil
}

// hostName returns a DNS name as it is compared (RFC 9525 section 6.3): in lower
// case. Other scripts are written as A-labels (xn--...).
func hostName(name string) (string, bool) {
	const longest = 253
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	ok := name != "" && len(name) <= longest && !strings.ContainsFunc(name, other)
	for label := range strings.SplitSeq(name, ".") {
		ok = ok && label != ""
	}
	return name, ok
}

// TLSClient implements TLSClientSource.
func (l *Clients) TLSClient(name string) *Client { return l.byName[name] }

func (l *Clients) add(prefix netip.Prefix, c Client) {
	c.Prefix = prefix
	c.id = c.ID()
	l.byPrefix[prefix] = &c
	lengths := &l.v6
	if prefix.Addr().Is4() {
		lengths = &l.v4
	}
	if !slices.Contains(*lengths, prefix.Bits()) {
		*lengths = append(*lengths, prefix.Bits())
		slices.SortFunc(*lengths, func(a, b int) int { return cmp.Compare(b, a) })
	}
}

// unmap returns the canonical form of a prefix: its address bits only, IPv4 for
// a mapped one.
func unmap(p netip.Prefix) (netip.Prefix, error) {
	if !p.IsValid() {
		return p, errors.New("no valid prefix (netip.MustParsePrefix(\"192.0.2.1/32\") is one)")
	}
	const mappedBits = 96 // of ::ffff:0:0/96, RFC 4291 section 2.5.5.2
	if p.Addr().Is4In6() {
		if p.Bits() < mappedBits {
			return p, fmt.Errorf("prefix %s mixes IPv4 and IPv6", p)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked(), nil
}

// Client implements ClientSource.
func (l *Clients) Client(source netip.Addr) *Client {
	source = source.Unmap().WithZone("")
	lengths := l.v6
	if source.Is4() {
		lengths = l.v4
	}
	for _, bits := range lengths {
		prefix, err := source.Prefix(bits)
		if err != nil {
			return nil
		}
		if c := l.byPrefix[prefix]; c != nil {
			return c
		}
	}
	return nil
}
