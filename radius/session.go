package radius

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
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
	// MessageAuthenticatorAuto, maxKeys how many secrets are kept ready.
	maxSigners = 1 << 16
	maxKeys    = 1 << 12
	// readPause is what one failed read costs, readPatience how long reads may
	// fail one after the other.
	readPause    = time.Millisecond
	readPatience = 10 * time.Second
)

// session is the service of one connection.
type session struct {
	server  *Server
	conn    packetConn
	local   net.Addr
	answers *answers
	signers map[netip.Addr]struct{} // senders that have signed; only read uses it
	keys    map[*Client]*key        // their secrets; only read uses it

	ctx    context.Context // of all requests
	cancel context.CancelFunc

	tasks   chan *task     // to an idle goroutine; closed when nothing is read any more
	idle    atomic.Int32   // how many goroutines wait for a task
	running sync.WaitGroup // the reader, and the goroutines for handlers

	stopping chan struct{} // closed when no more is to be read
	stopOnce sync.Once
	done     chan struct{} // closed when the connection is closed
}

func (s *Server) newSession(conn net.PacketConn) *session {
	ses := &session{
		server: s,
		conn:   newPacketConn(conn),
		local:  conn.LocalAddr(),
		answers: newAnswers(orDefault(s.MaxInFlight, defaultMaxInFlight),
			orDefault(s.AnswerMemory, defaultAnswerMemory)),
		signers:  make(map[netip.Addr]struct{}),
		keys:     make(map[*Client]*key),
		tasks:    make(chan *task),
		stopping: make(chan struct{}),
		done:     make(chan struct{}),
	}
	ses.running.Add(1) // until endReading
	ses.ctx, ses.cancel = context.WithCancel(context.Background())
	return ses
}

// read takes datagrams until the session is to stop (nil) or the connection
// cannot be read any more.
func (ses *session) read() error {
	defer ses.endReading()
	buffer := make([]byte, maxDatagram)
	var first, last time.Time // of the failures that came one after the other
	for {
		n, source, err := ses.conn.ReadFromUDPAddrPort(buffer)
		if err == nil {
			ses.receive(buffer[:n], netip.AddrPortFrom(source.Addr().Unmap(), source.Port()))
		}
		select {
		case <-ses.stopping:
			return nil
		default:
		}
		if err == nil {
			continue
		}
		now := time.Now()
		if now.Sub(last) > time.Second {
			first = now
		}
		last = now
		if errors.Is(err, net.ErrClosed) || now.Sub(first) > readPatience {
			return fmt.Errorf("radius: read: %w", err)
		}
		// It may pass: Windows reports an unreachable port of an earlier reply here.
		ses.server.readLog.log(ses.server.logger(), slog.LevelWarn, "radius: reading failed, trying again", slog.Any("error", err))
		time.Sleep(readPause)
	}
}

func (ses *session) endReading() {
	close(ses.tasks)
	ses.running.Done()
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
	if err != nil || w.proxyStates > maxProxyStates {
		drop(DropMalformed)
		return
	}
	code := Code(w.bytes[0])
	if code != CodeAccessRequest && code != CodeStatusServer {
		drop(DropCode)
		return
	}
	k := ses.keyOf(client)
	if reason, ok := ses.verify(w, source.Addr(), client, k); !ok {
		drop(reason)
		return
	}
	if code == CodeStatusServer {
		ses.answerStatus(w, source, k)
		return
	}
	id := ses.answers.key(source, w)
	switch reply, v := ses.answers.begin(id); v {
	case isTooMany:
		drop(DropTooManyInFlight)
	case isInFlight:
		s.joined.Add(1)
	case isAnswered:
		s.repeated.Add(1)
		ses.send(reply, source)
	case isNew:
		s.handled.Add(1)
		ses.start(&task{Context: ses.ctx, ses: ses, source: source, client: client, key: k, id: id, wire: w.clone()})
	}
}

// keyOf returns the client's secret, ready for use.
func (ses *session) keyOf(client *Client) *key {
	k := ses.keys[client]
	if k == nil {
		if len(ses.keys) >= maxKeys {
			clear(ses.keys)
		}
		k = newKey(client.Secret)
		ses.keys[client] = k
	}
	return k
}

// verify reports whether the packet may be served, or else why not.
func (ses *session) verify(w wire, source netip.Addr, client *Client, k *key) (DropReason, bool) {
	if w.macAt != 0 {
		if !w.signed(k, w.authenticator()) {
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
func (ses *session) answerStatus(w wire, source netip.AddrPort, k *key) {
	ses.server.statuses.Add(1)
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	if b, err := h.reply(&Packet{Code: CodeAccessAccept}, k, w); err == nil {
		ses.send(b, source)
	}
}

func (ses *session) send(reply []byte, to netip.AddrPort) {
	if _, err := ses.conn.WriteToUDPAddrPort(reply, to); err != nil {
		s := ses.server
		s.writeLog.log(s.logger(), slog.LevelWarn, "radius: a reply could not be sent",
			slog.String("to", to.String()), slog.Any("error", err))
	}
}

// start gives the task to an idle goroutine or to a new one.
func (ses *session) start(t *task) {
	select {
	case ses.tasks <- t:
	default:
		ses.running.Add(1)
		go ses.work(t)
	}
}

// work does tasks until enough other goroutines are idle.
func (ses *session) work(t *task) {
	defer ses.running.Done()
	for ok := true; ok; {
		t.run()
		if ses.idle.Add(1) > maxIdle {
			ses.idle.Add(-1)
			return
		}
		t, ok = <-ses.tasks
		ses.idle.Add(-1)
	}
}

// stop ends the session: no more is read, handlers may finish until ctx ends.
// The error is ctx's, when some had not.
func (ses *session) stop(ctx context.Context) (err error) {
	ses.stopOnce.Do(func() {
		close(ses.stopping)
		// Wakes read; an error means that it is awake already.
		_ = ses.conn.SetReadDeadline(time.Unix(1, 0))
		go ses.finish()
	})
	select {
	case <-ses.done:
		return nil
	case <-ctx.Done():
	}
	if ses.answers.waiting() > 0 {
		err = ctx.Err()
	}
	ses.cancel()
	select {
	case <-ses.done:
	case <-time.After(shutdownGrace):
		_ = ses.conn.Close()
	}
	return err
}

// finish closes the connection once nothing is read any more and every handler
// has returned.
func (ses *session) finish() {
	ses.running.Wait()
	ses.cancel()
	_ = ses.conn.Close()
	close(ses.done)
}
