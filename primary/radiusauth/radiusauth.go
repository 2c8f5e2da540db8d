// Package radiusauth checks names and passwords by asking other RADIUS servers,
// such as FreeRADIUS or Microsoft NPS.
//
//	first := &radiusauth.Authenticator{
//		Servers: []radiusauth.Server{{Address: "radius1.example.com"}, {Address: "192.0.2.7:1645"}},
//		Secret:  radius.Secret(secret),
//	}
//
// A request to a server has User-Name, the password, NAS-IP-Address and
// NAS-Identifier of this side, Calling-Station-Id and the RequestAttributes of
// the NAS's request, and a Message-Authenticator. The password goes out as
// User-Password (PAP). Where the NAS used CHAP (RFC 2865 section 5.3), MS-CHAP or
// MS-CHAPv2 (RFC 2548 section 2) there is no password: the server gets the
// attributes of that protocol, and its answer's go back to the NAS.
//
// An Access-Accept is a Result, an Access-Reject a Rejection, whose Message is
// what the server says to the user, and an Access-Challenge is a Challenge,
// whose answer goes to the server that asked.
//
// A Server with a TLS configuration is asked over TLS (RadSec, RFC 6614):
//
//	{Address: "radius1.example.com", TLS: &tls.Config{Certificates: own, RootCAs: theirs}}
//
// Attributes that the servers encrypt for their own client (Tunnel-Password and
// the MPPE keys) are in clear in Result.Attributes, as radius.DecryptKeys leaves
// them: radius.EncryptKeys encrypts them for the NAS.
package radiusauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/encoding"

	"github.com/radmfa/radmfa/internal/deadline"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// The defaults of Authenticator's fields.
const (
	DefaultInterval = 2 * time.Second
	DefaultTries    = 3

	DefaultRefusedFor = 2 * time.Second
)

// Authenticator is a primary.Authenticator that asks RADIUS servers. Servers is
// required. Do not modify or copy an Authenticator after first use. All methods may
// be called concurrently.
//
// Its errors that are not primary.ErrRejected say of each server why it gave no
// answer. Between logins, one connection stays open to each address that is asked
// over TLS, until Close; without TLS there is nothing to close.
type Authenticator struct {
	// Servers are interchangeable and are tried in order. The next one is asked when one gives no
	// reply that can be trusted; never because it refuses the user. A server
	// that gives no reply, to Status-Server (RFC 5997) neither, is asked last
	// for half a minute. Then one login finds out, in one Interval, whether it
	// is back.
	Servers []Server

	// Secret is shared with the Servers that have none of their own and are not
	// asked over TLS.
	Secret radius.Secret

	// Interval is the time between two transmissions of a request, and after
	// the last. Zero: DefaultInterval.
	Interval time.Duration

	// Tries is how often a request is sent to one server at most. A ctx with a
	// deadline may allow for fewer: every server left gets its share of the
	// time. Zero: DefaultTries.
	Tries int

	// RefusedFor is how long a server whose port refuses is tried again before it
	// counts as down, so that its restart costs no login; where there are others to
	// ask, they are asked at once. It takes at least one Interval. Zero:
	// DefaultRefusedFor.
	RefusedFor time.Duration

	// NASIPAddress is sent as NAS-IP-Address or NAS-IPv6-Address. The zero Addr:
	// the address from which this host reaches the server. Over TLS with a
	// DialContext that is not known, and none is sent.
	NASIPAddress netip.Addr

	// NASIdentifier is sent as NAS-Identifier, at most 253 bytes. Empty: none is
	// sent.
	NASIdentifier string

	// RequestAttributes are kinds of attributes to send on from the NAS's
	// request, beside Calling-Station-Id, which always is. With NAS-IP-Address
	// or NAS-Identifier among them, the NAS's stand in for those of this side.
	RequestAttributes []radius.AttributeType

	// PassThrough are kinds of attributes to send on to the NAS from the
	// servers' answers: those of an Access-Accept in the final Access-Accept,
	// those of an Access-Challenge or Access-Reject in the same. Those of MS-CHAP
	// are sent on whenever the NAS used that. Empty: no others.
	PassThrough []radius.AttributeType

	// PassThroughAll is for every kind but State, Proxy-State and
	// Message-Authenticator, which are never sent on.
	PassThroughAll bool

	// Encoding is the character set of passwords at the Servers that have none
	// of their own, such as charmap.Windows1252. Texts for the user that are not
	// UTF-8 are taken to be in it too. Nil: UTF-8.
	Encoding encoding.Encoding

	// DialContext opens connections that keep the bounds of datagrams; the
	// network is "udp". For servers over TLS it opens streams; the network is "tcp".
	// Host names are resolved by it, for each login. Nil: (&net.Dialer{}).DialContext.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger gets what an operator should know: servers that fail and return,
	// attributes that cannot be decrypted. Nil: slog.Default().
	Logger *slog.Logger

	once    sync.Once
	servers []*server
	err     error
}

// Server is one RADIUS server.
type Server struct {
	// Address is a host name or IP address, and a port unless it is 1812, or 2083
	// with TLS: "radius1.example.com", "192.0.2.7:1645", "[2001:db8::7]:1645". A name
	// is resolved anew after 30 s, and each of its addresses is a server to ask.
	Address string

	// Secret is shared with this server. Empty: the Authenticator's, or "radsec"
	// with TLS.
	Secret radius.Secret

	// TLS asks the server over TLS: see radius.TLSPool for what Config needs and how
	// the connections are kept. Its certificate must have the ServerName, or where
	// that is empty the host of the Address. Nil: it is asked by datagrams.
	TLS *tls.Config `json:"-"`

	// Replies says whether replies without a Message-Authenticator are accepted. The
	// zero value is RequireSigned. Over TLS they are in any case.
	Replies ReplyPolicy

	// Encoding is the character set of passwords at this server. Nil: the
	// Authenticator's.
	Encoding encoding.Encoding
}

// ReplyPolicy says what happens to replies without a Message-Authenticator, as
// FreeRADIUS before 3.2.5 and other servers without the fix for CVE-2024-3596
// send them. While they are accepted, an Access-Accept can be forged by somebody
// who can change packets on the way.
type ReplyPolicy int

const (
	// RequireSigned ignores them.
	RequireSigned ReplyPolicy = iota
	// LearnSigned accepts them until all of a server's replies have been signed, at
	// least 20 of them over at least ten minutes; from then on they are required,
	// until ForgetSigners.
	LearnSigned
	// AcceptUnsigned accepts them.
	AcceptUnsigned
)

var _ primary.Authenticator = (*Authenticator)(nil)

// ForgetSigners forgets which servers have signed all their replies, see
// LearnSigned.
func (a *Authenticator) ForgetSigners() {
	if a.configure() != nil {
		return
	}
	for _, configured := range a.servers {
		for _, s := range configured.known() {
			s.forgetSigner()
		}
	}
}

// Authenticate implements primary.Authenticator. An empty password is refused
// before any server is asked, unless it answers a Challenge or the NAS used CHAP
// or MS-CHAP.
func (a *Authenticator) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	if err := a.configure(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("radiusauth: %w", err)
	}
	l := newLogin(r)
	if reason := l.refuse(); reason != "" {
		return nil, &primary.Rejection{Reason: reason}
	}
	if len(r.State) > 0 {
		return a.resume(ctx, l)
	}
	return a.login(ctx, l)
}

// Close closes the connections to servers that are asked over TLS. Logins that wait
// for them fail, and so do later ones.
func (a *Authenticator) Close() error {
	if a.configure() != nil {
		return nil
	}
	for _, s := range a.servers {
		if s.pool != nil {
			_ = s.pool.Close() // never fails
		}
	}
	return nil
}

// Validate reports what is wrong with the fields, without asking anybody.
func (a *Authenticator) Validate() error { return a.configure() }

// Format implements fmt.Formatter: fmt would follow a pointer to an Authenticator
// without asking the fields how to print them.
func (a *Authenticator) Format(f fmt.State, _ rune) {
	addresses := make([]string, len(a.Servers))
	for i, s := range a.Servers {
		addresses[i] = s.Address
	}
	_, _ = fmt.Fprintf(f, "radiusauth.Authenticator(%s)", strings.Join(addresses, ", "))
}

// login asks the servers in turn until one answers.
func (a *Authenticator) login(ctx context.Context, l *login) (*primary.Result, error) {
	var failures []error
	turns := a.order(ctx)
	for i, t := range turns {
		share, cancel := deadline.Share(ctx, len(turns)-i)
		result, err := t.ask(share, l)
		cancel()
		var challenge *primary.Challenge
		if err == nil || errors.Is(err, primary.ErrRejected) || errors.As(err, &challenge) {
			return result, err
		}
		t.failures.Add(1)
		failures = append(failures, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(failures...)
}

// resume takes the answer to a Challenge to the server that asked, since no
// other would know its State.
func (a *Authenticator) resume(ctx context.Context, l *login) (*primary.Result, error) {
	address, state, ok := splitState(l.State)
	for _, configured := range a.servers {
		for _, s := range configured.known() {
			if ok && s.address == address {
				l.upstreamState = state
				return turn{server: s}.ask(ctx, l)
			}
		}
	}
	return nil, &primary.Rejection{Reason: "the answer's State names a server that is not configured"}
}

// joinState returns the State of a Challenge: which server asked, and its own
// State, which may be empty (RFC 2865 section 4.4).
func joinState(address string, state []byte) []byte {
	return append(append([]byte(address), 0), state...)
}

// splitState is the reverse of joinState.
func splitState(joined []byte) (address string, state []byte, ok bool) {
	head, state, ok := bytes.Cut(joined, []byte{0})
	return string(head), state, ok
}
