package main

import (
	"errors"
	"fmt"
	"io"
)

// serviceName is that of the service, for systemd and for Windows.
const serviceName = "authproxy"

// serviceVerbs are the commands that are for the service manager.
var serviceVerbs = map[string]string{"start": "started", "stop": "stopped", "restart": "restarted"}

// errNoManager is for machines whose service manager is not known here.
var errNoManager = errors.New("there is no service manager here that this command knows: start the daemon with authproxy -config FILE, stop it with SIGTERM")

// manage passes a command on to the service manager.
func manage(command string, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		_, _ = fmt.Fprintf(stderr, "usage: authproxy %s\n\nIt is for the service manager, whose service names the file.\n", command)
		return exitUsage
	}
	if err := manageService(command, stderr); err != nil {
		_, _ = fmt.Fprintf(stderr, "authproxy: not %s: %v\n", serviceVerbs[command], err)
		return exitFailed
	}
	_, _ = fmt.Fprintf(stdout, "authproxy: %s\n", serviceVerbs[command])
	return exitOK
}
