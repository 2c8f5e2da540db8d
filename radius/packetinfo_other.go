//go:build !linux

package radius

import "net"

// packetInfo says which address was asked. It is known on Linux only.
type packetInfo struct{}

func newInfoConn(*net.UDPConn) packetConn { return nil }
