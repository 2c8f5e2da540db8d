package duo

import "syscall"

// ownErrors are the errors of Windows Sockets for a system that has run out of
// something.
var ownErrors = []error{
	syscall.Errno(10024), // WSAEMFILE: descriptors
	syscall.Errno(10049), // WSAEADDRNOTAVAIL: ports
	syscall.Errno(10055), // WSAENOBUFS: memory, or ports
	syscall.Errno(10013), // WSAEACCES: a firewall of this machine
}
