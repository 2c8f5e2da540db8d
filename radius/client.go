package radius

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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
	// Name is for logs and events. Empty: the prefix.
	Name string

	// Prefix is the address, or the network, that the requests come from: IPv4
	// or IPv6. IPv4-mapped IPv6 addresses count as IPv4.
	Prefix netip.Prefix

	// Secret is the secret shared with these clients (RFC 2865 section 3). It
	// must not be empty.
	Secret Secret

	// Device is equal in clients that are one device with several addresses, such
	// as a pair that fails over or a pool of addresses. Empty: the client is a
	// device of its own.
	Device string

	// Proxy says that this is a RADIUS proxy: its requests without a
	// Message-Authenticator may carry any amount of Proxy-State. Others may carry
	// 128 bytes, too few for the attack of CVE-2024-3596.
	Proxy bool

	// MessageAuthenticator says whether requests must be signed.
	MessageAuthenticator MessageAuthenticatorPolicy

	id string // what ID returns, if it is known already
}

// ID identifies the device that the client is, or that it belongs to: the Device,
// or the Prefix where there is none.
func (c *Client) ID() string {
	switch {
	case c.id != "":
		return c.id
	case c.Device != "":
		return c.Device
	}
	return c.Prefix.String()
}

// String returns the Name, or the Prefix where there is none.
func (c *Client) String() string {
	if c.Name != "" {
		return c.Name
	}
	return c.Prefix.String()
}

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

// Clients is a ClientSource: a fixed list, of which the longest prefix that
// holds the sender's address wins. NewClients makes one.
type Clients struct {
	byPrefix map[netip.Prefix]*Client
	v4, v6   []int // the prefix lengths that occur, longest first
}

// NewClients returns the list of the given clients. Its error names every client
// that has no prefix or no secret, or the prefix of another.
func NewClients(clients ...Client) (*Clients, error) {
	list := &Clients{byPrefix: make(map[netip.Prefix]*Client, len(clients))}
	var problems []error
	for _, c := range clients {
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
	_, _ = fmt.Fprintf(f, "radius.Clients(%d)", len(l.byPrefix))
}

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
