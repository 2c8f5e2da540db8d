package radius

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

const (
	// maxDatagram is more than a packet may have: Windows fails a read that does
	// not take the whole datagram.
	maxDatagram = 1 << 16
	// readPause is the delay after a failed read; maxReadFailure is how long
	// consecutive reads may fail.
	readPause      = time.Millisecond
	maxReadFailure = 10 * time.Second
)

// udpSocket reads datagrams for a dispatcher and sends its replies.
type udpSocket struct {
	*socket
	conn packetConn
}

func (s *Server) newSocket(conn net.PacketConn) *udpSocket {
	u := &udpSocket{conn: newPacketConn(conn)}
	u.socket = newSocket(s.newDispatcher(conn.LocalAddr(), u.conn), u)
	return u
}

// wake wakes read. An error means that it is awake already.
func (u *udpSocket) wake() { _ = u.conn.SetReadDeadline(time.Unix(1, 0)) }

func (u *udpSocket) close() { _ = u.conn.Close() }

// read takes datagrams until the socket is to stop (nil) or cannot be read any
// more.
func (u *udpSocket) read() error {
	defer u.endReceiving()
	buffer := make([]byte, maxDatagram)
	var first, last time.Time // of consecutive failures
	for {
		n, from, err := u.conn.read(buffer)
		if err == nil {
			u.receive(buffer[:n], from)
		}
		if u.isStopping() {
			return nil
		}
		if err == nil {
			continue
		}
		now := time.Now()
		if now.Sub(last) > time.Second {
			first = now
		}
		last = now
		if errors.Is(err, net.ErrClosed) || now.Sub(first) > maxReadFailure {
			return fmt.Errorf("radius: read: %w", err)
		}
		// It may pass: Windows reports an unreachable port of an earlier reply here.
		u.server.readLog.log(u.server.logger(), slog.LevelWarn, "radius: reading failed, trying again", slog.Any("error", err))
		time.Sleep(readPause)
	}
}

// packetConn reads and writes datagrams with peers as values, where
// net.PacketConn allocates an address for each.
type packetConn interface {
	sender
	read(b []byte) (int, peer, error)
	SetReadDeadline(time.Time) error
	Close() error
}

func newPacketConn(conn net.PacketConn) packetConn {
	if c, ok := conn.(*net.UDPConn); ok {
		if withInfo := newInfoConn(c); withInfo != nil {
			return withInfo
		}
	}
	if c, ok := conn.(addrPortConn); ok {
		return plainConn{c}
	}
	return plainConn{anyConn{conn}}
}

// addrPortConn is the part of *net.UDPConn that is used where the address that was
// asked need not be known.
type addrPortConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	SetReadDeadline(time.Time) error
	Close() error
}

type plainConn struct{ addrPortConn }

func (c plainConn) read(b []byte) (int, peer, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	return n, peer{addr: from}, err
}

func (c plainConn) send(reply []byte, to peer) error {
	_, err := c.WriteToUDPAddrPort(reply, to.addr)
	return err
}

// anyConn makes an addrPortConn of any other connection.
type anyConn struct{ net.PacketConn }

func (c anyConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.ReadFrom(b)
	if err != nil {
		return n, netip.AddrPort{}, err
	}
	if udp, ok := from.(*net.UDPAddr); ok {
		return n, udp.AddrPort(), nil
	}
	source, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return n, source, fmt.Errorf("the sender's address %q is not an IP address and port: %w", from, err)
	}
	return n, source, nil
}

func (c anyConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteTo(b, net.UDPAddrFromAddrPort(to))
}
