package radius

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// The documented zero values of a Server.
const (
	defaultReadBuffer     = 4 << 20
	defaultMaxInFlight    = 1 << 16
	defaultAnswerMemory   = 64 << 20
	defaultMaxConnections = 1 << 10
	shutdownGrace         = time.Second // for cancelled handlers to reply
)

// ErrServerClosed is what Serve and ServeTLS return after Shutdown or Close.
var ErrServerClosed = errors.New("radius: server closed")

// Server serves Access-Request and Status-Server on UDP and over TLS. Its fields
// must not change once it serves. A Server may serve several sockets; what it
// remembers, and the limits on that, are each socket's own.
type Server struct {
	// Clients says who may send requests. Required.
	Clients ClientSource

	// Handler is called for each Access-Request in a goroutine of its own, and
	// may take as long as it likes; its Request's context ends when the server
	// is closed. Every handler should write one reply: an Access-Accept, -Reject
	// or -Challenge. One that returns without leaves the NAS without an answer,
	// and one that panics sends an Access-Reject. Write gives an error when
	// there was a reply before, or the reply cannot be encoded: then another
	// may be written. Required.
	Handler Handler

	// ReadBuffer is the size in bytes that is asked of the kernel for the
	// socket's receive buffer: it holds a burst of requests. Zero: 4 MiB. A
	// warning is logged if the kernel grants less.
	ReadBuffer int

	// MaxInFlight is how many requests may be in their handlers. One more is
	// dropped, and the NAS will send it again. The last eighth of the places is
	// kept for clients that hold less than an eighth, so that no client can keep
	// out the others. Zero: 65,536.
	MaxInFlight int

	// AnswerMemory is about how many bytes the replies of the last 30 s may
	// take, for retransmissions. Over it, the oldest are forgotten. Zero: 64 MiB,
	// which is enough for some 7,600 replies a second.
	AnswerMemory int

	// MaxConnections is how many connections of ServeTLS may be open, each of which
	// takes a descriptor and a goroutine. One more is closed at once, and the last
	// eighth is for clients that hold less than an eighth. Zero: 1,024.
	MaxConnections int

	// OnDrop is called for each datagram that is dropped, by the goroutine that
	// reads, so it must be quick, and for packets and connections of ServeTLS, by
	// many goroutines. Nil: drops are counted and logged only.
	OnDrop func(Drop)

	// DropHint returns what the log says can be done about a drop. Nil: Drop.Hint.
	DropHint func(Drop) string

	// Logger gets warnings, at a limited rate where anybody can cause them. Nil:
	// slog.Default().
	Logger *slog.Logger

	mu      sync.Mutex
	closed  bool
	sockets map[*socket]struct{}
	signers signers

	handled, joined, repeated, statuses, forgotten atomic.Uint64
	dropped                                        [dropReasons]atomic.Uint64
	dropLog                                        [dropReasons]limiter
	readLog, writeLog, forgetLog, panicLog         limiter
}

// Stats are the counters of a Server since it began, but for InFlight and
// Connections. Each packet is counted once: as Handled, Joined, Repeated, Statuses
// or Dropped.
type Stats struct {
	InFlight    int                   // requests that are in their handlers now
	Connections int                   // connections of ServeTLS that are open now
	Handled     uint64                // requests given to the handler
	Joined      uint64                // retransmissions of requests in flight
	Repeated    uint64                // retransmissions answered from memory
	Statuses    uint64                // Status-Servers answered
	Dropped     map[DropReason]uint64 // packets dropped and connections refused, every reason
	Forgotten   uint64                // answers forgotten early, for AnswerMemory
}

// Stats returns the counters. It may be called at any time.
func (s *Server) Stats() Stats {
	stats := Stats{
		Handled:   s.handled.Load(),
		Joined:    s.joined.Load(),
		Repeated:  s.repeated.Load(),
		Statuses:  s.statuses.Load(),
		Forgotten: s.forgotten.Load(),
		Dropped:   make(map[DropReason]uint64, dropReasons),
	}
	for reason := range s.dropped {
		stats.Dropped[DropReason(reason)] = s.dropped[reason].Load()
	}
	for _, socket := range s.running() {
		stats.InFlight += socket.replies.waiting()
		if l, ok := socket.transport.(*tlsListener); ok {
			stats.Connections += len(l.connections())
		}
	}
	return stats
}

// Serve reads requests from conn until Shutdown or Close is called, and then
// returns ErrServerClosed. Any other error says that conn cannot be read any
// more: it was closed, or has failed for 10 s; the requests' contexts are then
// cancelled. Serve returns when every handler has, and leaves conn closed. A
// *net.UDPConn is served best; others work as well when their addresses are
// *net.UDPAddr.
//
// On Linux, replies leave by the address that was asked, also from a conn on the
// wildcard address. Elsewhere, on a host with several addresses, open one conn for
// each that NASes ask: a NAS ignores replies from another address.
func (s *Server) Serve(conn net.PacketConn) error {
	if s.Clients == nil || s.Handler == nil {
		_ = conn.Close()
		return errors.New("radius: Server needs Clients and a Handler")
	}
	socket := s.newSocket(conn)
	if !s.add(socket.socket) {
		_ = conn.Close()
		return ErrServerClosed
	}
	s.growReadBuffer(conn)
	return s.end(socket.socket, socket.read())
}

// add reports whether the socket may be read, since the server is not closed.
func (s *Server) add(sock *socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if s.sockets == nil {
		s.sockets = make(map[*socket]struct{})
	}
	s.sockets[sock] = struct{}{}
	return true
}

// end waits for the handlers of a socket of which nothing is read any more. It
// returns the error of Serve for that of reading.
func (s *Server) end(sock *socket, err error) error {
	if err != nil { // nothing can be sent any more either
		sock.cancel()
		_ = sock.stop(context.Background())
	}
	<-sock.done
	s.mu.Lock()
	delete(s.sockets, sock)
	s.mu.Unlock()
	if err == nil {
		err = ErrServerClosed
	}
	return err
}

// Shutdown stops reading, lets the requests in flight be answered, and closes
// the connections. When ctx ends first, it cancels the contexts of the requests
// still in flight, gives their handlers one second to reply, and returns ctx's
// error.
func (s *Server) Shutdown(ctx context.Context) error {
	sockets := s.close()
	errs := make([]error, len(sockets))
	var wg sync.WaitGroup
	for i, socket := range sockets {
		wg.Go(func() { errs[i] = socket.stop(ctx) })
	}
	wg.Wait()
	return cmp.Or(errs...)
}

// Close is a Shutdown that does not wait for the requests in flight: their
// contexts are cancelled at once.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Shutdown(ctx)
	return nil
}

// close makes Serve refuse new connections, and returns those being served.
func (s *Server) close() []*socket {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.running()
}

func (s *Server) running() []*socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.sockets))
}

func (s *Server) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// growReadBuffer asks for a large receive buffer, and checks what it got: with
// the usual 208 KiB, a thousand logins at once lose some.
func (s *Server) growReadBuffer(conn net.PacketConn) {
	want := orDefault(s.ReadBuffer, defaultReadBuffer)
	c, ok := conn.(interface{ SetReadBuffer(bytes int) error })
	if !ok {
		return
	}
	err := c.SetReadBuffer(want)
	got, known := readBuffer(conn)
	switch {
	case err != nil:
		s.logger().Warn("radius: the receive buffer cannot be set; bursts of requests may be lost", "want", want, "error", err)
	case known && got < want:
		s.logger().Warn("radius: the kernel grants a smaller receive buffer; bursts of requests may be lost",
			"want", want, "got", got, "hint", "on Linux: sysctl -w net.core.rmem_max="+strconv.Itoa(want))
	}
}

func orDefault(value, zero int) int {
	if value == 0 {
		return zero
	}
	return value
}
