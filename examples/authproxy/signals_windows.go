package main

import (
	"os"
	"syscall"
)

// The signals that stop the daemon, and that make it read its configuration anew.
var (
	stopSignals   = []os.Signal{os.Interrupt, syscall.SIGTERM}
	reloadSignals []os.Signal
)

// ignoreBrokenPipes has nothing to do here.
func ignoreBrokenPipes() {}
