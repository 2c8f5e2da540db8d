package radius

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"layeh.com/radius"
)

// The documented zero values of an Exchanger.
const (
	defaultInterval = 2 * time.Second
	defaultTries    = 3
)

// ErrNoReply is what errors.Is finds in the error of an Exchange to which no
// reply came, or none that could be trusted: the text says which.
var ErrNoReply = errors.New("radius: no reply")

// Exchanger sends requests and waits for their replies. The zero value is ready
// and safe for concurrent use. Without TLS, each request has a socket, so a port, of
// its own: any number of them may be in flight to one server, and a forger would
// have to guess the port as well.
type Exchanger struct {
	// Interval is the time between two transmissions of a request, and after
	// the last. Zero: 2 s.
	Interval time.Duration

	// Tries is how often a request is sent at most. Zero: 3. Over TLS nothing is
	// lost, so a request is sent once, unless its connection breaks: it then is sent
	// on another, and Interval times Tries is how long its reply is waited for.
	Tries int

	// TLS sends the requests over TLS (RadSec, RFC 6614), on the connections of this
	// pool. The secret of requests is then "radsec", unless something else was
	// agreed. Nil: they are datagrams.
	TLS *TLSPool

	// UnsignedReplies takes replies without a Message-Authenticator, as
	// FreeRADIUS before 3.2.5 sends them. Such a reply can be forged by whoever
	// can change packets on the way (CVE-2024-3596), so over TLS they are always
	// taken. A wrong one is never taken.
	UnsignedReplies bool

	// Dial opens a connection that keeps the bounds of datagrams, or a stream for
	// TLS. Nil: that of net.Dialer. The network is "udp" or "tcp".
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Exchange sends request, an Access-Request or a Status-Server, to the address
// ("192.0.2.1:1812") and returns the reply. It is sent with its Identifier and
// Authenticator as they are, without any Proxy-State, and with a
// Message-Authenticator before its other attributes; retransmissions are the
// same bytes (RFC 5080 section 2.2.1). Over TLS the connection gives it another
// Identifier.
//
// Packets that do not verify are ignored, as RFC 2865 section 3 demands. Over TLS,
// one that does not verify closes the connection and ends the exchange. The error is
// ErrNoReply when tries run out or, over TLS, when there is no connection; it is
// ctx's when that ends first, and otherwise tells why the request cannot be sent.
func (e *Exchanger) Exchange(ctx context.Context, request *Packet, address string) (*Packet, error) {
	switch {
	case len(request.Secret) == 0:
		return nil, errors.New("radius: the request has no shared secret")
	case request.Code != CodeAccessRequest && request.Code != CodeStatusServer:
		return nil, fmt.Errorf("radius: %s is no request that can be sent: only Access-Request and Status-Server are", request.Code)
	}
	x := &sending{Exchanger: e, request: request, key: newKey(Secret(request.Secret)), in: make([]byte, radius.MaxPacketLength), begun: time.Now()}
	h := hashers.Get().(*hasher)
	out, err := h.request(request, x.key)
	hashers.Put(h)
	if err != nil {
		return nil, err
	}
	if e.TLS != nil {
		return e.exchangeTLS(ctx, x, address)
	}
	conn, err := e.dialer()(ctx, "udp", address)
	if err != nil {
		return nil, fmt.Errorf("radius: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	for range orDefault(e.Tries, defaultTries) {
		reply, err := x.try(ctx, conn, out)
		if err == nil {
			return reply, nil
		}
		if ctx.Err() != nil {
			return nil, x.noReply(ctx.Err(), address)
		}
	}
	return nil, x.noReply(ErrNoReply, address)
}

func (e *Exchanger) interval() time.Duration {
	if e.Interval == 0 {
		return defaultInterval
	}
	return e.Interval
}

func (e *Exchanger) dialer() dialer {
	if e.Dial == nil {
		return new(net.Dialer).DialContext
	}
	return e.Dial
}

// sending is one Exchange.
type sending struct {
	*Exchanger
	request *Packet
	key     *key
	in      []byte
	begun   time.Time
	ignored error // why the last packet that came was no reply, or the socket's error
}

// try sends the request once and waits for a reply.
func (x *sending) try(ctx context.Context, conn net.Conn, out []byte) (*Packet, error) {
	end := time.Now().Add(x.interval())
	err := conn.SetReadDeadline(end)
	if ctx.Err() != nil { // it may have ended before the deadline was set
		return nil, ctx.Err()
	}
	if _, err := conn.Write(out); err != nil {
		x.ignored = err // a reply to an earlier try may come all the same
	}
	for err == nil {
		var n int
		if n, err = conn.Read(x.in); err != nil {
			break
		}
		reply, why := x.accept(x.in[:n])
		if why == nil {
			return reply, nil
		}
		x.ignored = why
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	// The port is unreachable, as an ICMP message says. A server that restarts is
	// back before the next try.
	x.ignored = err
	return nil, cmp.Or(sleepUntil(ctx, end), err)
}

func sleepUntil(ctx context.Context, end time.Time) error {
	timer := time.NewTimer(time.Until(end))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// accept returns the packet if it is the reply.
func (x *sending) accept(datagram []byte) (*Packet, error) {
	w, err := scan(datagram)
	if err != nil {
		return nil, err
	}
	if w.bytes[1] != x.request.Identifier {
		return nil, errors.New("a packet with another Identifier came")
	}
	switch Code(w.bytes[0]) {
	case CodeAccessAccept, CodeAccessReject, CodeAccessChallenge:
	default:
		return nil, fmt.Errorf("a packet that is no reply came: %s", Code(w.bytes[0]))
	}
	if !w.authentic(x.key, x.request.Authenticator) {
		return nil, errors.New("a reply came whose Response Authenticator is wrong: the shared secrets differ")
	}
	if w.macAt == 0 && !x.UnsignedReplies {
		return nil, errors.New("a reply came without Message-Authenticator (FreeRADIUS sends one from 3.2.5 on); " +
			"update the server, or allow unsigned replies from it")
	}
	if w.macAt != 0 && !w.signed(x.key, x.request.Authenticator) {
		return nil, errors.New("a reply came whose Message-Authenticator is wrong")
	}
	p := new(Packet)
	w.clone().parse(p, x.key.secret, new(room))
	return p, nil
}

func (x *sending) noReply(err error, address string) error {
	switch {
	case !errors.Is(err, ErrNoReply) && x.ignored != nil:
		return fmt.Errorf("radius: waiting for a reply from %s: %w; %w", address, err, x.ignored)
	case !errors.Is(err, ErrNoReply):
		return fmt.Errorf("radius: waiting for a reply from %s: %w", address, err)
	case x.ignored != nil:
		return fmt.Errorf("%w from %s: %w", err, address, x.ignored)
	default:
		return fmt.Errorf("%w from %s within %s: it is down, or needs longer, or does not know this host, or the shared secrets differ",
			err, address, time.Since(x.begun).Round(time.Millisecond))
	}
}
