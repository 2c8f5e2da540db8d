package radius

import (
	"context"
	"errors"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// task is one request on its way through the handler. It is the ResponseWriter
// and the context's source of the Client.
type task struct {
	context.Context
	ses      *session
	exchange *exchange
	client   *Client
	wire     wire
	packet   Packet

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

// run calls the handler and sees to it that the exchange ends.
func (t *task) run() {
	t.Context = t.ses.ctx
	t.wire.parse(&t.packet, t.client.Secret)
	r := Request{LocalAddr: t.ses.local, RemoteAddr: net.UDPAddrFromAddrPort(t.exchange.key.source), Packet: &t.packet}
	defer t.end()
	t.ses.server.Handler.ServeRADIUS(t, r.WithContext(t))
}

// end is deferred: it also ends the exchange of a handler that panics.
func (t *task) end() {
	if p := recover(); p != nil {
		t.ses.server.logger().Error("radius: handler panicked", "panic", p, "client", t.client.String(), "stack", string(debug.Stack()))
		_ = t.Write(&Packet{Code: CodeAccessReject})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.answered {
		t.answered = true
		t.ses.answers.abandon(t.exchange)
	}
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
	b, err := reply(p, t.client.Secret, t.wire)
	if err != nil {
		return err
	}
	t.answered = true
	s := t.ses.server
	if n := t.ses.answers.finish(t.exchange, b, time.Now()); n > 0 {
		s.forgotten.Add(uint64(n))
		s.forgetLog.log(s.logger(), "radius: answers were forgotten before 30 s had passed: raise AnswerMemory")
	}
	t.ses.send(b, t.exchange.key.source)
	return nil
}
