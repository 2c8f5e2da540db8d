//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
)

// manageService runs systemctl, which waits until the service is ready or has
// ended, and shows the end of its log if it is neither.
func manageService(command string, stderr io.Writer) error {
	systemctl, err := exec.LookPath("systemctl")
	if err != nil {
		return errNoManager
	}
	run := func(args ...string) error {
		cmd := exec.Command(systemctl, args...)
		cmd.Stdout, cmd.Stderr = stderr, stderr
		return cmd.Run()
	}
	err = run(command, serviceName)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	if command != "stop" {
		_ = run("status", "--no-pager", "--full", "--lines=20", serviceName)
	}
	return fmt.Errorf("systemctl %s %s has exit status %d", command, serviceName, exit.ExitCode())
}
