//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"syscall"
)

// The signals that stop the daemon, and that make it read its configuration anew.
var (
	stopSignals   = []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	reloadSignals = []os.Signal{syscall.SIGHUP}
)

// start runs the program.
func start(args []string, stdout, stderr io.Writer) int {
	return run(context.Background(), args, stdout, stderr)
}
