//go:build unix

package main

import "syscall"

// descriptors is how many descriptors this process may have, or 0. The Go runtime
// has raised the limit as far as it may be.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}
