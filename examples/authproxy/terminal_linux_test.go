package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo terminal: what is written to keys is typed, and screen is
// what the person sees.
type terminal struct {
	t      *testing.T
	keys   *os.File
	inside *os.File
	screen buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo terminals: ", err)
	}
	fd := int(keys.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	inside, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	term := &terminal{t: t, keys: keys, inside: inside}
	done := make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, err := keys.Read(b)
			if err != nil {
				return
			}
			_, _ = term.screen.Write(b[:n])
		}
	}()
	t.Cleanup(func() {
		_ = inside.Close() // ends the read, when the program has ended too
		<-done
		_ = keys.Close()
	})
	return term
}

// shows waits for a text on the screen.
func (s *terminal) shows(text string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Contains(s.screen.String(), text) }, 10*time.Second, 10*time.Millisecond, "%q on the screen: %s", text, &s.screen)
}

func (s *terminal) types(line string) {
	s.t.Helper()
	_, err := s.keys.WriteString(line + "\n")
	require.NoError(s.t, err)
}

// start starts the program in the terminal.
func (s *terminal) start(args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), program(s.t), args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.inside, s.inside, s.inside
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(s.t, cmd.Start())
	return cmd
}

func (s *terminal) echoes() bool {
	state, err := unix.IoctlGetTermios(int(s.keys.Fd()), unix.TCGETS)
	require.NoError(s.t, err)
	return state.Lflag&unix.ECHO != 0
}

func TestLoginCommandHidesThePassword(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", freePort(t)))
	s := newTerminal(t)
	cmd := s.start("login", "jdoe", "-config", p.config)
	s.shows("Password: ")
	require.Eventually(t, func() bool { return !s.echoes() }, 5*time.Second, time.Millisecond)
	s.types(userPass)
	s.shows("Passcode or option")
	s.types("1")
	s.shows("Access-Accept after ")
	require.NoError(t, cmd.Wait())
	assert.NotContains(t, s.screen.String(), userPass)
	assert.True(t, s.echoes())

	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	shown := regexp.MustCompile(`(127\.0\.0\.1:|after )\S+`).ReplaceAllString(strings.ReplaceAll(s.screen.String(), "\r", ""), "$1")
	printed := regexp.MustCompile(`(127\.0\.0\.1:|after )\S+`).ReplaceAllString(string(readme), "$1")
	for line := range strings.Lines(shown) {
		assert.Contains(t, printed, strings.TrimRight("    "+line, " \n"), "README.md shows the same")
	}
}

func TestCtrlCAtThePasswordRestoresTheEcho(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", freePort(t)))
	s := newTerminal(t)
	cmd := s.start("login", "jdoe", "-config", p.config)
	s.shows("Password: ")
	require.Eventually(t, func() bool { return !s.echoes() }, 5*time.Second, time.Millisecond)
	_, err := s.keys.Write([]byte{3})
	require.NoError(t, err)
	assert.Error(t, cmd.Wait())
	assert.Equal(t, exitFailed, cmd.ProcessState.ExitCode())
	assert.True(t, s.echoes())
	s.shows("authproxy: no password: interrupted")
}

func TestCtrlCEndsTheWaitForAPush(t *testing.T) {
	l := newLab(t, slow(30*time.Second))
	p := l.run(mainSection + noPrimary + l.section("radius_server_auto", freePort(t)))
	s := newTerminal(t)
	cmd := s.start("login", "jdoe", "-config", p.config)
	s.shows("Password: ")
	require.Eventually(t, func() bool { return !s.echoes() }, 5*time.Second, time.Millisecond)
	s.types(userPass)
	s.shows("waiting for the reply; does the phone ring?")
	_, err := s.keys.Write([]byte{3})
	require.NoError(t, err)
	assert.Error(t, cmd.Wait())
	s.shows("authproxy: interrupted")
}

func TestADaemonAtATerminalSaysWhatItDoes(t *testing.T) {
	l := newLab(t, slow(time.Second))
	port := freePort(t)
	config := l.write("authproxy.cfg", "[main]\nhttp_ca_certs_file=ca.pem\nmetrics_address=127.0.0.1:0\nstatus_address=127.0.0.1:0\n"+noPrimary+l.section("radius_server_challenge", port))
	s := newTerminal(t)
	cmd := s.start("-config", config)
	s.shows("Ctrl-C stops it")
	for _, want := range []string{
		"authproxy v1.2.3-test ", "serves " + config, fmt.Sprintf("[radius_server_challenge] listens on :%d", port),
		"log: " + filepath.Join(l.dir, "log", "authproxy.log"), "metrics: http://127.0.0.1:", "status page: http://127.0.0.1:", "warning: " + config + ":",
		fmt.Sprintf("kill -HUP %d", cmd.Process.Pid),
	} {
		assert.Contains(t, s.screen.String(), want)
	}
	p := &proxy{lab: l}
	login := p.pushing(port)
	_, err := s.keys.Write([]byte{3})
	require.NoError(t, err)
	s.shows("stopping when the logins in flight have ended")
	require.NoError(t, <-login)
	require.NoError(t, cmd.Wait())
}

func TestAPortThatCannotBeOpenedIsExplained(t *testing.T) {
	refused := func(addr string, errno syscall.Errno) string {
		err := &net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError("bind", errno)}
		return withHint(err, socketHint(addr, err))
	}
	assert.Contains(t, refused(":812", syscall.EACCES), "listen udp: bind: permission denied: ports under 1024 are for root and for programs with CAP_NET_BIND_SERVICE: run setcap ")
	assert.NotContains(t, refused(":1812", syscall.EACCES), "1024")
	assert.Contains(t, refused("192.0.2.1:1812", syscall.EADDRNOTAVAIL), "this machine has no such address")
	assert.Contains(t, refused(":1812", syscall.EADDRINUSE), "stop the program that holds the port")

	l := newLab(t, users())
	config := l.write("authproxy.cfg", mainSection+noPrimary+l.section("radius_server_challenge", freePort(t), "interface=192.0.2.1"))
	printed, err := exec.CommandContext(t.Context(), program(t), "-config", config).CombinedOutput()
	assert.Error(t, err)
	assert.Regexp(t, `authproxy\.cfg:\d+: \[radius_server_challenge\] interface: listen udp .*: this machine has no such address`, string(printed))
}

func TestALogThatCannotBeWrittenIsExplained(t *testing.T) {
	l := newLab(t, users())
	config := l.write("authproxy.cfg", "[main]\nlog_dir="+filepath.Join(l.dir, "authproxy.cfg", "log")+"\nhttp_ca_certs_file=ca.pem\n"+noPrimary+l.section("radius_server_challenge", freePort(t)))
	printed, err := exec.CommandContext(t.Context(), program(t), "-config", config).CombinedOutput()
	assert.Error(t, err)
	assert.Regexp(t, `authproxy\.cfg:2: \[main\] log_dir: .*: not a directory`, string(printed))
}
