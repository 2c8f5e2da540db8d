//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// manager is a systemctl that notes what it is told, and fails where it should.
func manager(t *testing.T, status string) (told func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	script := "#!/bin/sh\necho \"$*\" >> " + log + "\n[ \"$1\" != status ] || echo 'the port is taken'\nexit " + status + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o700)) //nolint:gosec // a program
	t.Setenv("PATH", dir+":/bin:/usr/bin")
	return func() string {
		content, err := os.ReadFile(log)
		require.NoError(t, err)
		return string(content)
	}
}

func TestStartStopRestartAreForSystemd(t *testing.T) {
	for command, done := range serviceVerbs {
		told := manager(t, "0")
		status, out := call(command)
		assert.Equal(t, exitOK, status)
		assert.Equal(t, "authproxy: "+done+"\n", out)
		assert.Equal(t, command+" authproxy\n", told())
	}
}

func TestAServiceThatDoesNotStartShowsItsLog(t *testing.T) {
	told := manager(t, "3")
	status, out := call("start")
	assert.Equal(t, exitFailed, status)
	assert.Equal(t, "the port is taken\nauthproxy: not started: systemctl start authproxy has exit status 3\n", out)
	assert.Equal(t, "start authproxy\nstatus --no-pager --full --lines=20 authproxy\n", told())
	status, _ = call("start", "-config", "other.cfg")
	assert.Equal(t, exitUsage, status)
}

func TestWithoutAServiceManagerTheCommandSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	status, out := call("stop")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, out, "not stopped: there is no service manager here")
}
