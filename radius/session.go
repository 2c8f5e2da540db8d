package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	// maxDatagram is more than a packet may have: Windows fails a read that does
	// not take the whole datagram.
	maxDatagram = 1 << 16
	// maxIdle is how many goroutines are kept for the next requests: a new one
	// has to grow its stack first.
	maxIdle = 64
	// maxSigners bounds how many addresses are remembered for
	// MessageAuthenticatorAuto.
	maxSigners = 1 << 16
)

// session is the service of one connection.
type session struct {
	server  *Server
	conn    packetConn
	local   net.Addr
	answers answers
	signers map[netip.Addr]struct{} // senders that have signed; only read uses it

	ctx    context.Context // of all requests
	cancel context.CancelFunc

	tasks    chan *task // to an idle goroutine; nobody receives: start another
	idle     chan struct{}
	handlers sync.WaitGroup

	stopping chan struct{} // closed when no more is to be read
	stopOnce sync.Once
	stopped  chan struct{} // closed when nothing is read any more
	done     chan struct{} // closed when the connection is closed
}

func (s *Server) newSession(conn net.PacketConn) *session {
	ses := &session{
		server: s,
		conn:   newPacketConn(conn),
		local:  conn.LocalAddr(),
		answers: answers{
			maxInFlight: orDefault(s.MaxInFlight, defaultMaxInFlight),
			maxBytes:    orDefault(s.AnswerMemory, defaultAnswerMemory),
			known:       make(map[requestKey]*exchange),
		},
		signers:  make(map[netip.Addr]struct{}),
		tasks:    make(chan *task),
		idle:     make(chan struct{}, maxIdle),
		stopping: make(chan struct{}),
		stopped:  make(chan struct{}),
		done:     make(chan struct{}),
	}
	ses.ctx, ses.cancel = context.WithCancel(context.Background())
	return ses
}

// read takes datagrams until the session is to stop (nil) or the connection is
// closed under it.
func (ses *session) read() error {
	defer close(ses.stopped)
	buffer := make([]byte, maxDatagram)
	pause := time.Duration(0)
	for {
		n, source, err := ses.conn.ReadFromUDPAddrPort(buffer)
		select {
		case <-ses.stopping:
			return nil
		default:
		}
		if err == nil {
			pause = 0
			ses.receive(buffer[:n], netip.AddrPortFrom(source.Addr().Unmap(), source.Port()))
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("radius: read: %w", err)
		}
		// Others pass: Windows reports an unreachable port of an earlier reply here.
		ses.server.readLog.log(ses.server.logger(), "radius: reading failed, trying again", slog.Any("error", err))
		pause = min(max(2*pause, time.Millisecond), time.Second)
		select {
		case <-time.After(pause):
		case <-ses.stopping:
			return nil
		}
	}
}

// receive looks at one datagram. Nothing is allocated for it and no goroutine
// started before the sender is known and the packet verified.
func (ses *session) receive(datagram []byte, source netip.AddrPort) {
	s := ses.server
	client := s.Clients.Client(source.Addr())
	drop := func(reason DropReason) {
		s.drop(Drop{Reason: reason, Source: source, Client: client, Length: len(datagram)})
	}
	if client == nil || client.Secret == "" {
		drop(DropUnknownClient)
		return
	}
	w, err := scan(datagram)
	if err != nil {
		drop(DropMalformed)
		return
	}
	code := Code(w.bytes[0])
	if code != CodeAccessRequest && code != CodeStatusServer {
		drop(DropCode)
		return
	}
	if reason, ok := ses.verify(w, source.Addr(), client); !ok {
		drop(reason)
		return
	}
	if code == CodeStatusServer {
		ses.answerStatus(w, source, client.Secret)
		return
	}
	x, v := ses.answers.begin(requestKey{source, w.bytes[1], w.authenticator()}, time.Now())
	switch v {
	case isTooMany:
		drop(DropTooManyInFlight)
	case isInFlight:
		s.joined.Add(1)
	case isAnswered:
		s.repeated.Add(1)
		ses.send(x.reply, source)
	case isNew:
		s.handled.Add(1)
		w.bytes = append([]byte(nil), w.bytes...)
		ses.start(&task{ses: ses, exchange: x, client: client, wire: w})
	}
}

// verify reports whether the packet may be served, or else why not.
func (ses *session) verify(w wire, source netip.Addr, client *Client) (DropReason, bool) {
	if w.macAt != 0 {
		if !w.signed(client.Secret, w.authenticator()) {
			return DropBadMessageAuthenticator, false
		}
		if client.MessageAuthenticator == MessageAuthenticatorAuto && len(ses.signers) < maxSigners {
			ses.signers[source] = struct{}{}
		}
		return 0, true
	}
	required := w.eap || Code(w.bytes[0]) == CodeStatusServer // RFC 3579 3.2, RFC 5997 3
	switch client.MessageAuthenticator {
	case MessageAuthenticatorRequired:
		required = true
	case MessageAuthenticatorAuto:
		if _, signs := ses.signers[source]; signs {
			required = true
		}
	}
	return DropNoMessageAuthenticator, !required
}

// answerStatus answers a Status-Server as RFC 5997 section 4.2 says, without a
// handler, since those may all be waiting.
func (ses *session) answerStatus(w wire, source netip.AddrPort, secret Secret) {
	b, err := reply(&Packet{Code: CodeAccessAccept}, secret, w)
	if err == nil {
		ses.send(b, source)
	}
}

func (ses *session) send(reply []byte, to netip.AddrPort) {
	if _, err := ses.conn.WriteToUDPAddrPort(reply, to); err != nil {
		s := ses.server
		s.writeLog.log(s.logger(), "radius: a reply could not be sent", slog.String("to", to.String()), slog.Any("error", err))
	}
}

// start gives the task to an idle goroutine or to a new one.
func (ses *session) start(t *task) {
	select {
	case ses.tasks <- t:
	default:
		ses.handlers.Add(1)
		go ses.work(t)
	}
}

// work does tasks until enough other goroutines are idle.
func (ses *session) work(t *task) {
	defer ses.handlers.Done()
	for {
		t.run()
		select {
		case ses.idle <- struct{}{}:
		default:
			return
		}
		select {
		case t = <-ses.tasks:
			<-ses.idle
		case <-ses.stopping:
			return
		}
	}
}

// stop ends the session: no more is read, handlers may finish until ctx ends.
func (ses *session) stop(ctx context.Context) {
	ses.stopOnce.Do(func() {
		close(ses.stopping)
		// Wakes read; an error means that it is awake already.
		_ = ses.conn.SetReadDeadline(time.Unix(1, 0))
		go ses.finish()
	})
	select {
	case <-ses.done:
		return
	case <-ctx.Done():
		ses.cancel()
	}
	select {
	case <-ses.done:
	case <-time.After(shutdownGrace):
		_ = ses.conn.Close()
	}
}

// finish closes the connection once every handler has returned.
func (ses *session) finish() {
	<-ses.stopped
	ses.handlers.Wait()
	ses.cancel()
	_ = ses.conn.Close()
	close(ses.done)
}
