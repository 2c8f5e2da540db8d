package radius

import (
	"fmt"
	"net"
	"net/netip"
	"time"
)

// packetConn is the part of *net.UDPConn that a session uses: addresses as
// values, where net.PacketConn allocates one for each packet.
type packetConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	SetReadDeadline(time.Time) error
	Close() error
}

func newPacketConn(conn net.PacketConn) packetConn {
	if c, ok := conn.(packetConn); ok {
		return c
	}
	return anyConn{conn}
}

// anyConn makes a packetConn of any other connection.
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
