package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
)

// task is one request on its way through the handler. It is the ResponseWriter
// and the context's source of the Client. Handlers may keep it, so it is never
// used again.
type task struct {
	context.Context // of the session
	ses             *session
	source          netip.AddrPort
	client          *Client
	key             *key // of the client
	id              requestKey
	wire            wire

	// What the handler gets.
	packet Packet
	remote net.UDPAddr
	ip     [net.IPv6len]byte // of remote

	mu       sync.Mutex
	answered bool
}

type clientKey struct{}

// ClientOf returns the Client that sent the request to whose handler ctx
// belongs, or nil outside of a handler of a Server.
func ClientOf(ctx context.Context) *Client {
	c, _ := ctx.Value(clientKey{}).(*Client)
	return c
}

// Value implements context.Context for ClientOf.
func (t *task) Value(key any) any {
	if key == (clientKey{}) {
		return t.client
	}
	return t.Context.Value(key)
}

// Format implements fmt.Formatter: a context may get into a log, and this one
// holds the packet and the secret.
func (t *task) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "radius.request(%s)", t.source)
}

// run calls the handler and sees to it that the exchange ends.
func (t *task) run() {
	ip, _ := t.source.Addr().WithZone("").AppendBinary(t.ip[:0]) // never fails
	t.remote = net.UDPAddr{IP: ip, Port: int(t.source.Port()), Zone: t.source.Addr().Zone()}
	t.wire.parse(&t.packet, t.key.secret)
	r := Request{LocalAddr: t.ses.local, RemoteAddr: &t.remote, Packet: &t.packet}
	defer t.end()
	t.ses.server.Handler.ServeRADIUS(t, r.WithContext(t))
}

// end is deferred: it also ends the exchange of a handler that panics.
func (t *task) end() {
	if p := recover(); p != nil {
		s := t.ses.server
		s.panicLog.log(s.logger(), slog.LevelError, "radius: handler panicked, the request is rejected",
			slog.Any("panic", p), slog.String("client", t.client.String()), slog.String("stack", string(debug.Stack())))
		_ = t.Write(&Packet{Code: CodeAccessReject})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ses.answers.end(t.id)
	t.answered = true
}

// errAnswered is the error of a second reply to the same request.
var errAnswered = errors.New("radius: the request has been answered, or its handler has returned")

// Write implements ResponseWriter: it signs the reply, remembers it for
// retransmissions and sends it.
func (t *task) Write(p *Packet) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answered {
		return errAnswered
	}
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	b, err := h.reply(p, t.key, t.wire)
	if err != nil {
		return err
	}
	t.answered = true
	s := t.ses.server
	if n := t.ses.answers.answer(t.id, b); n > 0 {
		s.forgotten.Add(uint64(n))
		s.forgetLog.log(s.logger(), slog.LevelWarn, "radius: answers were forgotten before 30 s had passed: raise AnswerMemory")
	}
	t.ses.send(b, t.source)
	return nil
}
