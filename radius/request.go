package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
)

// request is one request on its way through the handler. It is the ResponseWriter
// and the context's source of the Client. Handlers may keep it, so it is never
// used again.
type request struct {
	context.Context // of the dispatcher
	dispatcher      *dispatcher
	peer            peer
	client          *Client
	key             *key // of the client
	id              requestKey
	wire            wire

	// What the handler gets.
	packet Packet
	bytes  [256]byte // of the wire, if they fit
	room   room
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

// WithClient returns a context whose ClientOf is c, for tests of handlers and for
// transports that do all that a Server does: verify and deduplicate requests, copy
// Proxy-States, and sign, remember and repeat replies.
func WithClient(ctx context.Context, c *Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// Value implements context.Context for ClientOf.
func (r *request) Value(key any) any {
	if key == (clientKey{}) {
		return r.client
	}
	return r.Context.Value(key)
}

// Format implements fmt.Formatter: a context may get into a log, and this one
// holds the packet and the secret.
func (r *request) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "radius.request(%s)", r.peer.addr)
}

// run calls the handler and completes the exchange even if it panics.
func (r *request) run() {
	source := r.peer.addr
	ip, _ := source.Addr().WithZone("").AppendBinary(r.ip[:0]) // never fails
	r.remote = net.UDPAddr{IP: ip, Port: int(source.Port()), Zone: source.Addr().Zone()}
	r.wire.parse(&r.packet, r.key.secret, &r.room)
	in := Request{LocalAddr: r.dispatcher.local, RemoteAddr: &r.remote, Packet: &r.packet}
	if r.peer.conn != nil {
		in.RemoteAddr = (*net.TCPAddr)(&r.remote)
	}
	defer r.end()
	r.dispatcher.server.Handler.ServeRADIUS(r, in.WithContext(r))
}

// end is deferred: it also ends the exchange of a handler that panics.
func (r *request) end() {
	if p := recover(); p != nil {
		s := r.dispatcher.server
		s.panicLog.log(s.logger(), slog.LevelError, "radius: handler panicked, the request is rejected",
			slog.Any("panic", p), slog.String("client", r.client.String()), slog.String("stack", string(debug.Stack())))
		_ = r.Write(&Packet{Code: CodeAccessReject})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dispatcher.replies.end(r.id, r.client)
	r.answered = true
}

// errAnswered is the error of a second reply to the same request.
var errAnswered = errors.New("radius: the request has been answered, or its handler has returned")

// Write implements ResponseWriter: it signs the reply, remembers it for
// retransmissions and sends it.
func (r *request) Write(p *Packet) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered {
		return errAnswered
	}
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	b, err := h.reply(p, r.key, r.wire)
	if err != nil {
		return err
	}
	r.answered = true
	s := r.dispatcher.server
	if n := r.dispatcher.replies.store(r.id, b); n > 0 {
		s.forgotten.Add(uint64(n))
		s.forgetLog.log(s.logger(), slog.LevelWarn, "radius: replies were forgotten before 30 s had passed, and a retransmission is handled anew: the memory for replies is too small for this many")
	}
	r.dispatcher.send(b, r.peer)
	return nil
}
