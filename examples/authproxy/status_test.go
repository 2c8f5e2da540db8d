package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
)

const pagePassword = "page-password-Hn5"

// ask runs a command of the program.
func (p *proxy) ask(args ...string) (exit int, out string) {
	p.t.Helper()
	command := exec.Command(program(p.t), append(args, "-config", p.config)...)
	printed, _ := command.CombinedOutput()
	return command.ProcessState.ExitCode(), string(printed)
}

// state returns what status -json prints.
func (p *proxy) state() (r status.Report) {
	p.t.Helper()
	exit, out := p.ask("status", "-json")
	require.Zero(p.t, exit, out)
	require.NoError(p.t, json.Unmarshal([]byte(out), &r))
	return r
}

// pushes logs a user in whose phone nobody looks at, until the test ends.
func (p *proxy) pushes(port int, user string) {
	p.t.Helper()
	asked := p.login(nas(port), user, userPass)
	ctx, cancel := context.WithCancel(context.Background())
	var waits sync.WaitGroup
	waits.Go(func() { _, _ = nas(port).Answer(ctx, asked, "push") })
	p.t.Cleanup(func() {
		cancel()
		waits.Wait()
	})
	require.Eventually(p.t, func() bool { return len(p.state().Waiting) == 1 }, 10*time.Second, 50*time.Millisecond)
}

func TestStatusShowsTheRunningDaemon(t *testing.T) {
	l := newLab(t, map[string]*duotest.User{
		"jdoe": {Passcodes: []string{"123456"}},
		"slow": {Devices: []duotest.Device{{Answer: duotest.After(20*time.Second, duotest.Approve)}}},
	})
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port, "max_wrong_passcodes=1"))
	assert.True(t, p.login(nas(port), "jdoe", userPass, "999999").Rejected())
	assert.True(t, p.login(nas(port), "jdoe", userPass, "123456").Rejected())
	p.pushes(port, "slow")
	_, waiting := p.ask("explain", "slow")
	assert.Contains(t, waiting, "under way: waits for the user: push")
	stranger := nas(port)
	stranger.Secret = "not-the-secret-of-it"
	stranger.Exchanger.Tries = 1
	_, _ = stranger.Login(context.Background(), "jdoe", userPass)

	exit, out := p.ask("status")
	assert.Zero(t, exit)
	for _, want := range []string{
		"authproxy v1.2.3-test, serving", "[radius_server_challenge] on ", "requests waiting: 1",
		"service  " + l.host + "  up", "waiting for people", "slow  push", "denied  too many wrong passcodes",
		"bad Message-Authenticator", "the shared secret of the device is another one, in [radius_server_challenge]: radius_secret_1=... (authproxy.cfg line ",
		"certificates", "warnings of the configuration",
	} {
		assert.Contains(t, out, want)
	}
	report := p.state()
	assert.Equal(t, p.config, report.Config)
	assert.Equal(t, 2, report.Minutes[58].Rejected+report.Minutes[59].Rejected)

	exit, out = p.ask("explain", "JDOE")
	assert.Zero(t, exit)
	assert.Contains(t, out, "denied: too many wrong passcodes within 15 minutes\n  decided by max_wrong_passcodes=1 (authproxy.cfg line ")
	assert.Contains(t, out, "denied: the passcode is wrong")
	_, out = p.ask("explain", "nobody", "-json")
	assert.JSONEq(t, "[]", out)
	for _, secret := range []string{nasSecret, userPass, duotest.DefaultSecretKey, "123456", "999999"} {
		_, out := p.ask("explain", "jdoe")
		encoded, _ := json.Marshal(report)
		assert.NotContains(t, string(encoded)+out, secret)
	}
}

func TestOnlyTheOwnUserMayAskForTheState(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() != 0 {
		t.Skip("needs root, to become somebody else")
	}
	l := newLab(t, users())
	p := l.run(mainSection + "status_socket=here.sock\n" + noPrimary + l.section("radius_server_challenge", freePort(t)))
	info, err := os.Stat(filepath.Join(l.dir, "here.sock"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	left, err := filepath.Glob(filepath.Join(l.dir, ".status-*"))
	require.NoError(t, err)
	assert.Empty(t, left)

	require.NoError(t, os.Chmod(filepath.Dir(program(t)), 0o755))
	for dir := l.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	require.NoError(t, os.Chmod(p.config, 0o644))
	command := exec.Command(program(t), "status", "-config", p.config)
	asNobody(command)
	out, err := command.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "only root and the daemon's own user may ask it")
}

func TestCommandsSayThatNoDaemonRuns(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", freePort(t)))
	other := l.write("other.cfg", "[main]\nstatus_socket=authproxy.sock\n")
	exit, out := call("status", "-config", other)
	assert.Equal(t, exitNotRunning, exit)
	assert.Contains(t, out, "no authproxy is running with this file")
	assert.Contains(t, out, "runs with "+p.config)

	p.signal(os.Interrupt)
	assert.Zero(t, p.ends(10*time.Second))
	for _, args := range [][]string{{"status"}, {"explain", "jdoe"}} {
		exit, out := p.ask(args...)
		assert.Equal(t, exitNotRunning, exit)
		assert.Contains(t, out, "no authproxy is running with this file")
	}
	_, err := os.Stat(filepath.Join(l.dir, "authproxy.sock"))
	assert.ErrorIs(t, err, os.ErrNotExist, "the socket goes with its daemon")
	for _, args := range [][]string{{"explain"}, {"explain", "a", "b"}, {"status", "a"}, {"status", "-nonsense"}} {
		exit, out := call(args...)
		assert.Equal(t, exitUsage, exit, args)
		assert.Contains(t, out, "usage:")
	}
	exit, out = call("status", "-config", filepath.Join(l.dir, "nowhere.cfg"))
	assert.Equal(t, exitFailed, exit)
	assert.Contains(t, out, "cannot be read")
}

func TestTheSocketOfADeadDaemonIsReplaced(t *testing.T) {
	l := newLab(t, users())
	first, other := freePort(t), freePort(t)
	config := mainSection + "status_socket=here.sock\n" + noPrimary + l.section("radius_server_challenge", first)
	p := l.run(config)
	require.NoError(t, p.cmd.Process.Kill())
	p.ends(10 * time.Second)
	p = l.run(config)
	assert.Equal(t, "serving", p.state().State)

	second := exec.Command(program(t), "-config", l.write("second.cfg", strings.ReplaceAll(config, fmt.Sprint(first), fmt.Sprint(other))))
	out, err := second.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "another process listens on ")
	assert.Equal(t, "serving", p.state().State, "the first still answers")

	l.write("file.sock", "no socket")
	second = exec.Command(program(t), "-config", l.write("second.cfg", strings.NewReplacer("here.sock", "file.sock", fmt.Sprint(first), fmt.Sprint(other)).Replace(config)))
	out, err = second.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(out), "is not a socket")
}

func TestAReloadIsSeenInTheState(t *testing.T) {
	l := newLab(t, users())
	port, page := freePort(t), freePort(t)
	config := mainSection + noPrimary + l.section("radius_server_challenge", port)
	p := l.run(config)
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	l.write("authproxy.cfg", "; one line more\n"+config+"nonsense\n")
	p.reload("reload failed")
	report := p.state()
	require.NotNil(t, report.Reload)
	assert.Contains(t, report.Reload.Error, "authproxy.cfg:")
	_, out := p.ask("status")
	assert.Contains(t, out, "reload FAILED")

	l.write("authproxy.cfg", strings.Replace(config, "[main]\n", fmt.Sprintf("[main]\nstatus_address=127.0.0.1:%d\n", page), 1)+"exempt_username_1=texts\n")
	p.reload("msg=reloaded")
	assert.Empty(t, p.state().Reload.Error)
	assert.True(t, p.login(nas(port), "texts", userPass).Accepted())
	_, out = p.ask("explain", "texts")
	assert.Contains(t, out, "let in: exempt from the second factor\n  decided by exempt_username_1=texts (authproxy.cfg line ")
	code, _, body := p.page(page, "", nil)
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "texts")
	assert.Contains(t, body, "jdoe", "logins of before the reload")
}

func (p *proxy) reload(logged string) {
	p.t.Helper()
	if len(reloadSignals) == 0 {
		p.t.Skip("there are no reloads here")
	}
	p.signal(reloadSignals[0])
	p.logged(logged)
}

// page gets the status page.
func (p *proxy) page(port int, path string, change func(*http.Request)) (code int, header http.Header, body string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/%s", port, path), nil)
	require.NoError(p.t, err)
	request.Close = true
	if change != nil {
		change(request)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(p.t, err)
	defer func() { _ = response.Body.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(response.Body)
	require.NoError(p.t, err)
	return response.StatusCode, response.Header, b.String()
}

func TestThePageIsForThisMachineAlone(t *testing.T) {
	l := newLab(t, users())
	port, page := freePort(t), freePort(t)
	p := l.run(strings.Replace(mainSection, "[main]\n", fmt.Sprintf("[main]\nstatus_address=127.0.0.1:%d\n", page), 1) +
		noPrimary + l.section("radius_server_challenge", port))
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	code, header, body := p.page(page, "", nil)
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "<bdi>jdoe</bdi>")
	assert.NotContains(t, body, "<script")
	assert.Contains(t, header.Get("Content-Security-Policy"), "default-src 'none'")
	assert.Equal(t, "no-store", header.Get("Cache-Control"))
	for _, host := range []string{"evil.example.com", "127.0.0.1.evil.example.com", "localhost.evil.example.com:80", ""} {
		code, _, body := p.page(page, "", func(r *http.Request) { r.Host = host; r.Header.Set("Host", host) })
		if host != "" {
			assert.Equal(t, http.StatusMisdirectedRequest, code, host)
			assert.NotContains(t, body, "jdoe")
		}
	}
	for _, host := range []string{"localhost", "localhost:1", "[::1]:80", "127.0.0.1"} {
		code, _, _ := p.page(page, "", func(r *http.Request) { r.Host = host })
		assert.Equal(t, http.StatusOK, code, host)
	}
	code, _, _ = p.page(page, "style.css", nil)
	assert.Equal(t, http.StatusOK, code)
	code, _, _ = p.page(page, "metrics", nil)
	assert.Equal(t, http.StatusNotFound, code)
	code, _, _ = p.page(page, "", func(r *http.Request) { r.Method = http.MethodPost })
	assert.Equal(t, http.StatusMethodNotAllowed, code)
}

func TestThePageAsksForItsPassword(t *testing.T) {
	l := newLab(t, users())
	port, page := freePort(t), freePort(t)
	l.write("page-password", pagePassword+"\n")
	p := l.run(strings.Replace(mainSection, "[main]\n", fmt.Sprintf("[main]\nstatus_address=0.0.0.0:%d\nstatus_password_file=page-password\n", page), 1) +
		noPrimary + l.section("radius_server_challenge", port))
	p.logged("crosses the network in clear text")
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	for _, path := range []string{"", "style.css", "nothing"} {
		code, header, body := p.page(page, path, nil)
		assert.Equal(t, http.StatusUnauthorized, code)
		assert.Contains(t, header.Get("WWW-Authenticate"), "Basic")
		assert.NotContains(t, body, "jdoe")
	}
	begun := time.Now()
	code, _, _ := p.page(page, "", func(r *http.Request) { r.SetBasicAuth("admin", pagePassword+"x") })
	assert.Equal(t, http.StatusUnauthorized, code)
	assert.GreaterOrEqual(t, time.Since(begun), time.Second, "guessing is slow")
	p.logged("wrong password for the status page")
	code, _, body := p.page(page, "", func(r *http.Request) { r.SetBasicAuth("whoever", pagePassword); r.Host = "status.example.com" })
	assert.Equal(t, http.StatusOK, code)
	assert.Contains(t, body, "jdoe")
	assert.NotContains(t, p.log.String()+body, pagePassword)
}

func TestUnknownSendersSeeTheLineThatLetsThemIn(t *testing.T) {
	l := newLab(t, users())
	port, page := freePort(t), freePort(t)
	config := strings.Replace(mainSection, "[main]\n", fmt.Sprintf("[main]\nstatus_address=127.0.0.1:%d\n", page), 1) + noPrimary +
		strings.ReplaceAll(l.section("radius_server_challenge", port), "127.0.0.0/8", "192.0.2.1")
	p := l.run(config)
	conn, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", port))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("hello"))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(p.state().Senders) == 1 }, 5*time.Second, 50*time.Millisecond)
	assert.Equal(t, []string{"radius_ip_3=127.0.0.1", "radius_secret_3=..."}, p.state().Senders[0].Lines)
	_, _, body := p.page(page, "", nil)
	assert.Contains(t, body, "<code>radius_ip_3=127.0.0.1</code>")

	// It helps.
	l.write("authproxy.cfg", config+"radius_ip_3=127.0.0.1\nradius_secret_3="+nasSecret+"\n")
	p.reload("msg=reloaded")
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	assert.Empty(t, p.state().Senders)
}

func TestHostileNamesHurtNobody(t *testing.T) {
	l := newLab(t, users())
	port, page := freePort(t), freePort(t)
	p := l.run(strings.Replace(mainSection, "[main]\n", fmt.Sprintf("[main]\nstatus_address=127.0.0.1:%d\n", page), 1) +
		noPrimary + l.section("radius_server_challenge", port))
	names := []string{"<script>alert(1)</script>", "a\u202egnp.exe", "\x1b[2Jgone", strings.Repeat("W", 253), "\u200fאבג"}
	for _, name := range names {
		p.login(nas(port), name, userPass)
	}
	_, _, body := p.page(page, "?q=%3Cscript%3E", nil)
	assert.Contains(t, body, "&lt;script&gt;alert(1)")
	assert.Contains(t, body, `value="&lt;script&gt;"`)
	assert.NotContains(t, body, "<script")
	_, _, body = p.page(page, "", nil)
	_, out := p.ask("status")
	_, long := p.ask("explain", names[3])
	assert.Contains(t, long, names[3])
	for _, text := range []string{body, out} {
		assert.NotContains(t, text, "\u202e")
		assert.NotContains(t, text, "\x1b")
	}
	assert.Len(t, p.state().Logins, len(names))
}
