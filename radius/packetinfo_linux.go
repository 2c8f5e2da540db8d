package radius

import (
	"net"
	"syscall"
)

// On a socket with the wildcard address, the kernel says which of this host's
// addresses was asked (ip(7), ipv6(7)). The same control message, without the
// interface, makes the reply leave by that address.

// infoConn is a UDP socket on the wildcard address.
type infoConn struct {
	*net.UDPConn
	control []byte // of the last read
}

// newInfoConn returns nil for a socket that has one address, and where the kernel
// tells none.
func newInfoConn(conn *net.UDPConn) packetConn {
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || !local.IP.IsUnspecified() {
		return nil
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil
	}
	level, option := syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO
	if local.IP.To4() != nil {
		level, option = syscall.IPPROTO_IP, syscall.IP_PKTINFO
	}
	controlErr := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), level, option, 1) })
	if err != nil || controlErr != nil {
		return nil
	}
	return &infoConn{UDPConn: conn, control: make([]byte, len(packetInfo{}.message))}
}

func (c *infoConn) read(b []byte) (int, peer, error) {
	n, controlLength, _, from, err := c.ReadMsgUDPAddrPort(b, c.control)
	p := peer{addr: from}
	if err == nil {
		p.info.set(c.control[:controlLength])
	}
	return n, p, err
}

func (c *infoConn) send(reply []byte, to peer) error {
	_, _, err := c.WriteMsgUDPAddrPort(reply, to.info.bytes(), to.addr)
	return err
}

// packetInfo is the control message that says which address was asked. The zero
// value says nothing.
type packetInfo struct {
	message [syscall.SizeofCmsghdr + syscall.SizeofInet6Pktinfo + 4]byte
	length  uint8
}

func (i *packetInfo) set(control []byte) {
	// struct in6_pktinfo begins with the address, struct in_pktinfo with the
	// interface, which is left to the routing table.
	const interfaceIPv6, interfaceIPv4 = syscall.SizeofCmsghdr + 16, syscall.SizeofCmsghdr
	i.length = 0
	switch len(control) {
	case syscall.CmsgSpace(syscall.SizeofInet6Pktinfo):
		i.length = uint8(copy(i.message[:], control))
		clear(i.message[interfaceIPv6:][:4])
	case syscall.CmsgSpace(syscall.SizeofInet4Pktinfo):
		i.length = uint8(copy(i.message[:], control))
		clear(i.message[interfaceIPv4:][:4])
	}
}

func (i *packetInfo) bytes() []byte { return i.message[:i.length] }
