//go:build !windows

package duo

import "syscall"

// ownErrors are the errors of a system that has run out of something.
var ownErrors = []error{
	syscall.EMFILE, syscall.ENFILE, // descriptors
	syscall.EADDRNOTAVAIL,           // ports
	syscall.ENOBUFS, syscall.ENOMEM, // memory
	syscall.EACCES, syscall.EPERM, // a firewall or sandbox of this machine
}
