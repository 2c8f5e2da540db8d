//go:build !unix

package radius

import "net"

// readBuffer returns the size of the socket's receive buffer, when it can be
// known. Windows gives what it was asked for.
func readBuffer(net.PacketConn) (bytes int, known bool) { return 0, false }
