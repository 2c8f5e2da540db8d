//go:build unix

package chromiumtest

import (
	"os/exec"
	"syscall"
)

// ownGroup puts the browser and its children into a process group.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
