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

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// askedLast is how long a server that gives no reply is asked last.
const askedLast = 30 * time.Second

// server is a Server with its defaults filled in, and what is known of it.
type server struct {
	Server
	auth    *Authenticator // only read
	address string         // host:port
	log     *slog.Logger

	signs atomic.Bool // it has sent a Message-Authenticator

	mu      sync.Mutex
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
func (a *Authenticator) order() []turn {
	now := time.Now()
	var first, last []turn
	for _, s := range a.servers {
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
	s.retryAt = now.Add(askedLast)
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
		s.log.Warn("RADIUS server gives no reply: it is asked last for a while", "server", s.address, "error", err)
	}
	s.retryAt = time.Now().Add(askedLast)
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
	if t.othersWait {
		conn = &watched{conn, func(err error) { cancel(errUnreachable{err}) }}
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
		if _, signed := reply.Lookup(rfc2869.MessageAuthenticator_Type); signed {
			t.signs.Store(true)
		}
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
		UnsignedReplies: s.UnsignedReplies && !s.signs.Load(),
		Dial:            s.auth.DialContext,
	}
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

// watched is a connection that tells when nobody listens at the other end, as
// an ICMP message says. The Exchanger would try again, for a server that
// restarts; with others to ask there is no need to wait for that.
type watched struct {
	net.Conn
	unreachable func(error)
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) {
		w.unreachable(err)
	}
	return n, err
}
