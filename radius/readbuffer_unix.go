//go:build unix

package radius

import (
	"net"
	"runtime"
	"syscall"
)

// readBuffer returns the size of the socket's receive buffer, when it can be
// known.
func readBuffer(conn net.PacketConn) (bytes int, known bool) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	controlErr := raw.Control(func(fd uintptr) {
		bytes, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF)
	})
	if runtime.GOOS == "linux" {
		bytes /= 2 // Linux doubles what is set, for its own bookkeeping: socket(7)
	}
	return bytes, err == nil && controlErr == nil
}
