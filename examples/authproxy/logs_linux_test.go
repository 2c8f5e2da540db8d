package main

import (
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logging is a program that writes its log somewhere else than the test reads.
type logging struct {
	*proxy
	port, web int
}

// runLogging starts the program with these lines in [main] and this standard
// output, and waits until it serves.
func (l *lab) runLogging(stdout *os.File, lines ...string) *logging {
	l.t.Helper()
	p := &logging{proxy: &proxy{lab: l, log: &buffer{}, exited: make(chan error, 1)}, port: freePort(l.t), web: freePort(l.t)}
	p.config = l.write("authproxy.cfg", fmt.Sprintf("[main]\ndebug=true\nhttp_ca_certs_file=ca.pem\nmetrics_address=127.0.0.1:%d\n%s\n", p.web, strings.Join(lines, "\n"))+
		noPrimary+l.section("radius_server_challenge", p.port))
	p.cmd = exec.Command(program(l.t), "-config", p.config)
	p.cmd.Stderr = p.log
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	require.NoError(l.t, p.cmd.Start())
	go func() { p.exited <- p.cmd.Wait() }()
	l.t.Cleanup(func() { _ = p.cmd.Process.Kill() })
	require.Eventually(l.t, func() bool { return p.asks("/healthz") != "" }, 10*time.Second, 20*time.Millisecond)
	return p
}

// asks returns what the program serves, or "" while it does not.
func (p *logging) asks(path string) string {
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", p.web, path))
	if err != nil {
		return ""
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

// eventually waits until the program serves a text.
func (p *logging) eventually(path, want string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.asks(path), want) }, 20*time.Second, 50*time.Millisecond, "%s: %s", path, want)
}

// logins log in so many users.
func (p *logging) logins(n int) {
	p.t.Helper()
	for range n {
		require.True(p.t, p.login(nas(p.port), "jdoe", userPass, "123456").Accepted())
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Mode().Perm()
}

func TestALogFolderThatIsRemovedIsMadeAnew(t *testing.T) {
	l := newLab(t, users())
	p := l.runLogging(nil, "log_dir=log", "log_auth_events=true")
	dir := filepath.Join(l.dir, "log")
	require.NoError(t, os.Chmod(filepath.Join(dir, logName), 0o640))
	p.logins(1)
	require.NoError(t, os.RemoveAll(dir))
	p.logins(1)
	for _, name := range []string{logName, eventsName} {
		path := filepath.Join(dir, name)
		require.Eventually(t, func() bool {
			content, _ := os.ReadFile(path)
			return strings.Contains(string(content), "accepted")
		}, 10*time.Second, 20*time.Millisecond, name)
		assert.Equal(t, fs.FileMode(0o640), mode(t, path))
	}
	assert.Equal(t, fs.FileMode(0o750), mode(t, dir))
	assert.Contains(t, p.asks("/healthz"), `"logs":{"authevents.log":{"lines_lost":0},"authproxy.log":{"lines_lost":0}}`)
}

func TestAFullDiskIsSaidAndCounted(t *testing.T) {
	l := newLab(t, users())
	dir := filepath.Join(l.dir, "log")
	require.NoError(t, os.Mkdir(dir, 0o750))
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		if os.Getenv("RADMFA_CONFORMANCE") == "require" {
			require.NoError(t, err)
		}
		t.Skip("a file system cannot be mounted here: ", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	p := l.runLogging(nil, "log_dir=log", "log_format=json", "log_auth_events=true")
	filler := filepath.Join(dir, "filler")
	err := os.WriteFile(filler, make([]byte, 64<<10), 0o600)
	require.ErrorIs(t, err, syscall.ENOSPC)
	p.logins(20)
	p.eventually("/healthz", "no space left on device")
	p.eventually("/metrics", `authproxy_log_writable{log="authproxy.log"} 0`)
	assert.NotContains(t, p.asks("/metrics"), `authproxy_log_lines_lost_total{log="authproxy.log"} 0`)
	assert.Contains(t, p.asks("/healthz"), `"status":"serving"`)
	require.NoError(t, os.Remove(filler))
	p.logins(1)
	p.eventually("/metrics", `authproxy_log_writable{log="authproxy.log"} 1`)
	assert.Equal(t, 1, strings.Count(p.log.String(), "authproxy.log cannot be written, and lines are lost"), "on stderr")
	for name, want := range map[string]string{logName: `"msg":"log lines were lost","lines":`, eventsName: `"event_type":"lines_lost","lines":`} {
		var content []byte
		require.Eventually(t, func() bool {
			content, _ = os.ReadFile(filepath.Join(dir, name))
			return strings.Contains(string(content), want)
		}, 10*time.Second, 20*time.Millisecond, name)
		torn := 0
		for line := range strings.Lines(string(content)) {
			if !strings.HasPrefix(line, "{") || !strings.HasSuffix(line, "}\n") {
				torn++
			}
		}
		assert.LessOrEqual(t, torn, 1, "at most the line at which the disk was full")
	}
}

func TestADeviceThatIsFullStopsNoLogin(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer func() { _ = full.Close() }()
	l := newLab(t, users())
	p := l.runLogging(full, "log_dir=log", "log_stdout=true")
	p.logins(3)
	p.eventually("/healthz", `"error":"write /dev/stdout: no space left on device"`)
	content, err := os.ReadFile(filepath.Join(l.dir, "log", logName))
	require.NoError(t, err)
	assert.Contains(t, string(content), "login accepted", "the other log goes on")
	assert.NotContains(t, string(content), "lines were lost")
}

func TestAPipeThatNobodyReadsStopsNoLogin(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _ = r.Close() }()
	l := newLab(t, users())
	p := l.runLogging(w, "log_dir=log", "log_stdout=true", "log_auth_events=true")
	require.NoError(t, w.Close())
	p.logins(100) // more than a pipe holds
	p.eventually("/healthz", `"stdout":{"lines_lost":0,"error":"nobody reads it"}`)
	require.Eventually(t, func() bool {
		content, _ := os.ReadFile(filepath.Join(l.dir, "log", logName))
		return strings.Count(string(content), "login accepted") == 100
	}, 10*time.Second, 20*time.Millisecond, "the other log goes on")

	// Somebody reads, and then is gone.
	go func() { _, _ = io.Copy(io.Discard, r) }()
	p.eventually("/metrics", `authproxy_log_writable{log="stdout"} 1`)
	require.NoError(t, r.Close())
	p.logins(2)
	p.eventually("/healthz", "broken pipe")
	p.logins(1)
}

func TestAPipeInPlaceOfALogFile(t *testing.T) {
	l := newLab(t, users())
	require.NoError(t, os.Mkdir(filepath.Join(l.dir, "log"), 0o750))
	path := filepath.Join(l.dir, "log", logName)
	require.NoError(t, syscall.Mkfifo(path, 0o640))
	config := l.write("authproxy.cfg", "[main]\nlog_dir=log\n"+noPrimary+l.section("radius_server_challenge", freePort(t)))
	out, err := exec.Command(program(t), "-config", config).CombinedOutput()
	require.Error(t, err, "it would wait for a reader for ever")
	assert.Contains(t, string(out), "authproxy.log is not a file; remove it")

	require.NoError(t, os.Remove(path))
	p := l.runLogging(nil, "log_dir=log")
	require.NoError(t, os.Remove(path))
	require.NoError(t, syscall.Mkfifo(path, 0o640))
	p.logins(5)
	p.eventually("/healthz", "is not a file")
	require.NoError(t, os.Remove(path))
	p.logins(1)
	require.Eventually(t, func() bool {
		content, _ := os.ReadFile(path)
		return strings.Contains(string(content), "log lines were lost") && strings.Contains(string(content), "login accepted")
	}, 10*time.Second, 20*time.Millisecond)
}
