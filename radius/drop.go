package radius

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/radmfa/radmfa/internal/clean"
)

// DropReason says why a packet was neither handled nor answered, or a connection
// refused.
type DropReason int

// The reasons, in the order in which a packet is looked at, and then those of
// connections.
const (
	DropUnknownClient           DropReason = iota // no client has that address
	DropMalformed                                 // not a RADIUS packet
	DropCode                                      // neither Access-Request nor Status-Server
	DropNoMessageAuthenticator                    // none, and one is required
	DropNoLongerSigned                            // none, from a device that has signed all requests before
	DropProxyState                                // none, and more Proxy-State than any NAS sends
	DropBadMessageAuthenticator                   // wrong: another shared secret, or forged
	DropTooManyInFlight                           // the Server's limit is reached, or the client's share of it
	DropHandshake                                 // a connection that does not prove who it is by TLS
	DropUnknownName                               // a connection whose certificate names no client
	DropTooManyConnections                        // the Server's limit is reached, or the client's share of it
	dropReasons                 = iota
)

var dropTexts = [dropReasons]struct{ name, hint string }{
	DropUnknownClient:           {"unknown client", "no client with a shared secret is configured for this address"},
	DropMalformed:               {"malformed packet", "the sender speaks something other than RADIUS"},
	DropCode:                    {"unexpected code", "only Access-Request and Status-Server are served here"},
	DropNoMessageAuthenticator:  {"no Message-Authenticator", "let the NAS send one (radclient: Message-Authenticator=0x00), or make it optional for this client"},
	DropNoLongerSigned:          {"no longer a Message-Authenticator", "this device has signed all its requests until now: make it sign again, or make the Message-Authenticator optional for it"},
	DropProxyState:              {"Proxy-State in an unsigned request", "let the proxy send a Message-Authenticator, or say that this client is a proxy"},
	DropBadMessageAuthenticator: {"bad Message-Authenticator", "the shared secret of the NAS differs from the one configured here"},
	DropTooManyInFlight:         {"too many requests in flight", "logins wait longer than they arrive, or the limit is too low"},
	DropHandshake:               {"TLS handshake failed", "the client needs a certificate that our CA has issued for clients, and has to trust ours"},
	DropUnknownName:             {"unknown name in the certificate", "no client is configured with a DNS name of this certificate"},
	DropTooManyConnections:      {"too many connections", "the client opens connections faster than it uses them, or the limit is too low"},
}

// String returns the reason in a few words, as it stands in logs.
func (r DropReason) String() string {
	if r < 0 || r >= dropReasons {
		return "unknown reason"
	}
	return dropTexts[r].name
}

// Drop is a packet that was dropped, or a connection that was refused.
type Drop struct {
	Reason DropReason
	Source netip.AddrPort
	Client *Client // nil when unknown
	Length int     // bytes; 0 for a connection
	Err    error   // what is known beyond the reason, of connections; or nil
}

// Hint returns what can be done about it, in a few words.
func (d Drop) Hint() string {
	if d.Reason < 0 || d.Reason >= dropReasons {
		return ""
	}
	return dropTexts[d.Reason].hint
}

// logEvery is the shortest time between two log lines about the same thing that
// anybody on the network can cause.
const logEvery = 10 * time.Second

// limiter lets one line through in logEvery and counts the others.
type limiter struct {
	mu     sync.Mutex
	last   time.Time
	hidden uint64
}

// allow reports whether a line may be written now, and how many were not since
// the last.
func (l *limiter) allow(now time.Time) (hidden uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.last.IsZero() && now.Sub(l.last) < logEvery {
		l.hidden++
		return 0, false
	}
	hidden, l.hidden, l.last = l.hidden, 0, now
	return hidden, true
}

// log writes a line, unless one was written a moment ago.
func (l *limiter) log(logger *slog.Logger, level slog.Level, message string, attrs ...slog.Attr) {
	if hidden, ok := l.allow(time.Now()); ok {
		attrs = append(attrs, slog.Uint64("more_since_last", hidden))
		logger.LogAttrs(context.Background(), level, message, attrs...)
	}
}

// drop counts, reports and logs what goes no further.
func (s *Server) drop(d Drop) {
	s.dropped[d.Reason].Add(1)
	if s.OnDrop != nil {
		s.OnDrop(d)
	}
	hidden, ok := s.dropLog[d.Reason].allow(time.Now())
	if !ok {
		return
	}
	client := ""
	if d.Client != nil {
		client = d.Client.String()
	}
	hint := d.Hint()
	if s.DropHint != nil {
		hint = s.DropHint(d)
	}
	attrs := []slog.Attr{slog.String("source", d.Source.String()), slog.String("client", client),
		slog.Int("length", d.Length), slog.String("hint", hint), slog.Uint64("more_since_last", hidden)}
	if d.Err != nil {
		attrs = append(attrs, slog.String("error", clean.Line(d.Err.Error())))
	}
	s.logger().LogAttrs(context.Background(), slog.LevelWarn, "radius: dropped: "+d.Reason.String(), attrs...)
}
