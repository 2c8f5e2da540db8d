package ldaptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// errAbsent is the error for a program that is not installed.
var errAbsent = errors.New("not installed")

// Need ends the test when err is not nil: it is skipped where err says that a
// daemon is not installed, unless RADMFA_CONFORMANCE is "require".
func Need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errAbsent) && os.Getenv("RADMFA_CONFORMANCE") != "require":
		tb.Skip(err)
	default:
		tb.Fatal(err)
	}
}

// program finds a program also where only root's PATH leads.
func program(name, packages string) (string, error) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin", "/usr/local/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w: apt-get install --no-install-recommends %s", name, errAbsent, packages)
}

// run runs a program to its end.
func run(stdin, path string, args ...string) error {
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewBufferString(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(path), err, tail(out))
	}
	return nil
}

func tail(b []byte) []byte { return b[max(0, len(b)-2000):] }

// process is a daemon that stays in the foreground.
type process struct {
	cmd     *exec.Cmd
	logFile string
}

// start runs a daemon with its output in logFile. It dies with this process.
func start(logFile, path string, args ...string) (*process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = out.Close() }()
	p := &process{cmd: exec.Command(path, args...), logFile: logFile}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return p, p.cmd.Start()
}

// end sends the daemon and its children a signal and waits until it is gone.
func (p *process) end(signal syscall.Signal) {
	if p == nil || p.cmd.Process == nil || p.cmd.ProcessState != nil {
		return
	}
	group := -p.cmd.Process.Pid
	_ = syscall.Kill(group, signal)
	_ = syscall.Kill(group, syscall.SIGCONT)
	kill := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	defer kill.Stop()
	_ = p.cmd.Wait()
	_ = syscall.Kill(group, syscall.SIGKILL) // children that are left
	_ = await(time.Second, func() error {
		if err := syscall.Kill(group, 0); !errors.Is(err, syscall.ESRCH) {
			return errors.New("a child is left")
		}
		return nil
	})
}

// failed adds the end of the daemon's log to err.
func (p *process) failed(err error) error {
	out, _ := os.ReadFile(p.logFile)
	return fmt.Errorf("%w\n%s", err, tail(out))
}

// await calls ready until it returns nil.
func await(limit time.Duration, ready func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		err := ready()
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freePort returns a port of 127.0.0.1 on which nothing listens.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// BlackHole returns an address of 127.0.0.1 that takes no connection and refuses
// none, as a host behind a firewall that drops packets.
func BlackHole(tb testing.TB) string {
	tb.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		tb.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		tb.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		tb.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	// Nobody accepts, so the kernel drops what comes when the queue is full.
	for {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		tb.Cleanup(func() { _ = c.Close() })
	}
}
