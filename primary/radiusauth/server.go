package radiusauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/internal/signing"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// demotion is how long a server that gives no reply is asked last.
const demotion = 30 * time.Second

// server is a Server with its defaults filled in, and what is known of it.
type server struct {
	Server
	auth    *Authenticator  // only read
	address string          // host:port
	name    *name           // nil: address is no name
	pool    *radius.TLSPool // nil: it is asked by datagrams
	log     *slog.Logger

	failures atomic.Uint64 // logins that it gave no answer

	mu      sync.Mutex
	signer  signing.Peer
	down    bool
	retryAt time.Time // when it gets its place in the order back
}

// turn is a server's turn in a login.
type turn struct {
	*server
	trial      bool // it was down, and must show soon that it is back
	othersWait bool // there are servers to ask after it
}

// order returns the servers in the order to ask them: those last that gave no
// reply a short time ago.
func (a *Authenticator) order(ctx context.Context) []turn {
	now := time.Now()
	var first, last []turn
	var servers []*server
	for _, s := range a.servers {
		servers = append(servers, s.resolved(ctx)...)
	}
	for _, s := range servers {
		switch down, due := s.due(now); {
		case !down:
			first = append(first, turn{server: s})
		case due:
			first = append(first, turn{server: s, trial: true})
		default:
			last = append(last, turn{server: s})
		}
	}
	turns := append(first, last...)
	for i := range turns {
		turns[i].othersWait = i < len(turns)-1
		turns[i].trial = turns[i].trial && turns[i].othersWait
	}
	return turns
}

// due reports whether the server is down, and if so whether it is time to find
// out if it still is. Only one login is told so, for the others must not wait.
func (s *server) due(now time.Time) (down, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.down {
		return false, false
	}
	if now.Before(s.retryAt) {
		return true, false
	}
	s.retryAt = now.Add(demotion)
	return true, true
}

// replied notes that the server is there.
func (s *server) replied() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		s.down = false
		s.log.Info("RADIUS server is back", "server", s.address)
	}
}

// failed notes that the server is not there.
func (s *server) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.down {
		s.down = true
		s.log.Warn("RADIUS server gives no reply and is asked last for a while", "server", s.address, "error", err)
	}
	s.retryAt = time.Now().Add(demotion)
}

func (s *server) interval() time.Duration { return cmp.Or(s.auth.Interval, DefaultInterval) }

// dial returns a socket of its own for one request, so that no limit of 256
// Identifiers is shared, and so that the request can tell the socket's address.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	if s.auth.DialContext != nil {
		return s.auth.DialContext(ctx, "udp", s.address)
	}
	return new(net.Dialer).DialContext(ctx, "udp", s.address)
}

// ask asks this server.
func (t turn) ask(ctx context.Context, l *login) (*primary.Result, error) {
	if t.pool != nil {
		return t.askTLS(ctx, l)
	}
	started := time.Now()
	conn, err := t.dial(ctx)
	if err != nil {
		err = fmt.Errorf("radiusauth: %s: %w", t.address, err)
		if ctx.Err() == nil || time.Since(started) >= t.interval() {
			t.failed(err)
		}
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	request, err := t.newRequest(l, conn.LocalAddr())
	if err != nil {
		return nil, err
	}
	reply, err := t.exchange(ctx, conn, request)
	if err != nil {
		return nil, err
	}
	return t.answer(l, request, reply)
}

// errUnreachable is why an exchange ends before its time.
type errUnreachable struct{ error }

// exchange sends the request on conn and waits for the reply. When none has come
// for an Interval, a Status-Server asks whether the server is there at all: a
// server may be silent about one user, and is not down for that.
func (t turn) exchange(ctx context.Context, conn net.Conn, request *radius.Packet) (*radius.Packet, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &watched{Conn: conn, unreachable: func(err error) { cancel(errUnreachable{err}) }}
	defer w.stop()
	if conn = w; !t.othersWait {
		w.patience = max(cmp.Or(t.auth.RefusedFor, DefaultRefusedFor), t.interval()) + refusedMargin
	}
	exchanger, delay := t.exchanger(), t.interval()
	exchanger.Dial = func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	if t.trial {
		exchanger.Tries, delay = 1, 0
	}
	started := time.Now()
	isThere := t.statusAfter(ctx, delay)
	reply, err := exchanger.Exchange(ctx, request, t.address)
	there := isThere()
	if err == nil {
		_, signed := reply.Lookup(rfc2869.MessageAuthenticator_Type)
		t.learn(signed)
		t.replied()
		return reply, nil
	}
	return nil, t.noReply(ctx, err, there, time.Since(started))
}

// noReply draws the conclusions from an exchange that failed.
func (t turn) noReply(ctx context.Context, err error, there bool, waited time.Duration) error {
	var unreachable errUnreachable
	switch {
	case there:
		t.replied()
		return fmt.Errorf("radiusauth: %w; it answers Status-Server, so it is there and keeps silent about this login", err)
	case errors.As(context.Cause(ctx), &unreachable):
		err = fmt.Errorf("radiusauth: no reply from %s: %w", t.address, unreachable.error)
	case !errors.Is(err, radius.ErrNoReply) && ctx.Err() == nil, waited < t.interval():
		return fmt.Errorf("radiusauth: %w", err) // which does not tell that it is down
	default:
		err = fmt.Errorf("radiusauth: %w", err)
	}
	t.failed(err)
	return err
}

func (s *server) exchanger() *radius.Exchanger {
	return &radius.Exchanger{
		Interval:        s.interval(),
		Tries:           cmp.Or(s.auth.Tries, DefaultTries),
		UnsignedReplies: s.acceptsUnsigned(),
		TLS:             s.pool,
		Dial:            s.auth.DialContext,
	}
}

// learn notes whether a reply was signed.
func (s *server) learn(signed bool) {
	s.mu.Lock()
	learned, _ := s.signer.See(signed, time.Now())
	s.mu.Unlock()
	if learned && s.Replies == LearnSigned {
		s.log.Info("RADIUS server signs all its replies; unsigned ones will be ignored from now on", "server", s.address)
	}
}

func (s *server) acceptsUnsigned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Replies == AcceptUnsigned || s.Replies == LearnSigned && !s.signer.Must()
}

func (s *server) forgetSigner() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signer = signing.Peer{}
}

// status sends a Status-Server (RFC 5997).
func (s *server) status(ctx context.Context) error {
	_, err := s.exchanger().Exchange(ctx, layeh.New(radius.CodeStatusServer, []byte(s.Secret)), s.address)
	return err
}

// statusAfter sends a Status-Server after the delay. The function that it
// returns ends that, and tells whether there was a reply.
func (s *server) statusAfter(ctx context.Context, delay time.Duration) (isThere func() bool) {
	ctx, cancel := context.WithCancel(ctx)
	replied := make(chan bool, 1)
	timer := time.AfterFunc(delay, func() { replied <- s.status(ctx) == nil })
	return func() bool {
		defer cancel()
		if timer.Stop() {
			return false
		}
		cancel()
		return <-replied
	}
}

// refusedMargin leaves time for the reply to the last try.
const refusedMargin = 200 * time.Millisecond

// watched is a connection that reports when the other end refuses, as an ICMP
// message says, and goes on refusing for a while: the server may restart.
type watched struct {
	net.Conn
	patience    time.Duration // zero: others can be asked, so there is no need to wait
	unreachable func(error)
	timer       *time.Timer
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	switch {
	case err == nil:
		w.stop()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
	case w.patience == 0:
		w.unreachable(err)
	case w.timer == nil:
		w.timer = time.AfterFunc(w.patience, func() { w.unreachable(err) })
	}
	return n, err
}

func (w *watched) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
