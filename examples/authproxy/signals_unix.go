//go:build unix

package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// The signals that stop the daemon, and that make it read its configuration anew.
var (
	stopSignals   = []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	reloadSignals = []os.Signal{syscall.SIGHUP}
)

// ignoreBrokenPipes lets the daemon outlive whoever read its standard output.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// start runs the program.
func start(args []string, stdout, stderr io.Writer) int {
	return run(context.Background(), args, stdout, stderr)
}
