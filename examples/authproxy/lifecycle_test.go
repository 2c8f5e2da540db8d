//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/radius"
)

// slow are users who look at their phone after a while.
func slow(delay time.Duration) map[string]*duotest.User {
	return map[string]*duotest.User{"jdoe": {Devices: []duotest.Device{{Answer: duotest.After(delay, duotest.Approve)}}}}
}

// pushing starts a login and waits until its push is out.
func (p *proxy) pushing(port int) <-chan error {
	done := make(chan error, 1)
	before := len(p.service.Transactions())
	go func() {
		reply, err := nas(port).Login(context.Background(), "jdoe", userPass, "push")
		if err == nil && !reply.Accepted() {
			err = fmt.Errorf("%s", reply)
		}
		done <- err
	}()
	require.Eventually(p.t, func() bool { return len(p.service.Transactions()) > before }, 10*time.Second, time.Millisecond)
	return done
}

func TestSIGTERMWaitsForAPush(t *testing.T) {
	l := newLab(t, slow(2*time.Second))
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port))
	login := p.pushing(port)
	p.signal(syscall.SIGTERM)
	require.NoError(t, <-login)
	assert.Equal(t, exitOK, p.ends(5*time.Second))
	p.logged("msg=stopped")
}

func TestASecondSIGTERMEndsAtOnce(t *testing.T) {
	l := newLab(t, slow(50*time.Second))
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port))
	login := p.pushing(port)
	p.signal(syscall.SIGTERM)
	p.logged("a second signal ends them")
	p.signal(syscall.SIGTERM)
	assert.Equal(t, exitOK, p.ends(3*time.Second))
	assert.Error(t, <-login)
	p.logged("stopping at once")
}

func TestAReloadUnderLoadLosesNoLogin(t *testing.T) {
	const logins = 1000
	people := map[string]*duotest.User{}
	for n := range logins {
		people[fmt.Sprint("user", n)] = slow(4 * time.Second)["jdoe"]
	}
	l := newLab(t, people)
	port, other := freePort(t), freePort(t)
	config := mainSection + noPrimary + l.section("radius_server_challenge", port)
	p := l.run(strings.Replace(config, "debug=true", "debug=false", 1))
	var accepted atomic.Int64
	var wg sync.WaitGroup
	for n := range logins {
		wg.Go(func() {
			time.Sleep(time.Duration(n) * 3 * time.Millisecond) // some before, some after the reloads
			reply, err := nas(port).Login(context.Background(), fmt.Sprint("user", n), userPass, "push")
			if err == nil && reply.Accepted() {
				accepted.Add(1)
			}
		})
	}
	for i := range 3 {
		time.Sleep(time.Second)
		l.write("authproxy.cfg", config+fmt.Sprintf("exempt_username_1=nobody%d\n", i)+l.section("radius_server_auto", other))
		p.signal(syscall.SIGHUP)
		require.Eventually(t, func() bool { return strings.Count(p.log.String(), "msg=reloaded") == i+1 }, 10*time.Second, 10*time.Millisecond)
	}
	wg.Wait()
	assert.EqualValues(t, logins, accepted.Load())
	assert.Len(t, l.service.Transactions(), logins, "one push each")
}

func TestAReloadChangesWhatTheFileSays(t *testing.T) {
	l := newLab(t, users())
	first, second, third := freePort(t), freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", first) + l.section("radius_server_auto", second))
	waiting := p.login(nas(first), "jdoe", userPass)
	require.True(t, waiting.Challenged())

	l.write("authproxy.cfg", mainSection+noPrimary+l.section("radius_server_challenge", first, "prompt_format=short", "exempt_username_1=backup")+l.section("radius_server_challenge2", third))
	p.signal(syscall.SIGHUP)
	p.logged("msg=reloaded")
	reply, err := nas(first).Answer(context.Background(), waiting, "1")
	require.NoError(t, err)
	assert.True(t, reply.Accepted(), "a challenge of before is answered after")
	assert.True(t, p.login(nas(first), "backup", userPass).Accepted())
	assert.Contains(t, p.login(nas(first), "jdoe", userPass).Message(), "Choose a secondary factor")
	assert.True(t, p.login(nas(third), "jdoe", userPass).Challenged())
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_, err = nas(second).Login(ctx, "jdoe", userPass)
	assert.Error(t, err, "the port of a section that is gone is closed")
}

// TestMetricsForgetASectionThatIsGone: also when its last login ends later.
func TestMetricsForgetASectionThatIsGone(t *testing.T) {
	l := newLab(t, users())
	gone, stays := freePort(t), freePort(t)
	rest := mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", stays)
	p := l.run(rest + l.section("radius_server_auto", gone))
	require.True(t, p.login(nas(gone), "jdoe", userPass+",push").Accepted())
	told := regexp.MustCompile(`authproxy_(up|certificate_expiry_timestamp_seconds)\{[^}]*section="radius_server_auto"`)
	assert.Regexp(t, told, l.get(p, "/metrics"))

	l.service.Break("/auth/v2/preauth", duotest.Fault{Delay: 2 * time.Second})
	before := l.service.Count("/auth/v2/preauth")
	done := make(chan error, 1)
	go func() {
		_, err := nas(gone).Login(context.Background(), "denies", userPass+",push")
		done <- err
	}()
	require.Eventually(t, func() bool { return l.service.Count("/auth/v2/preauth") > before }, 5*time.Second, time.Millisecond)
	l.write("authproxy.cfg", rest)
	p.signal(syscall.SIGHUP)
	p.logged("msg=reloaded")
	assert.NotRegexp(t, told, l.get(p, "/metrics"))
	require.NoError(t, <-done, "the login ends as it began")
	assert.NotRegexp(t, told, l.get(p, "/metrics"))

	l.write("authproxy.cfg", rest+l.section("radius_server_auto", gone))
	p.signal(syscall.SIGHUP)
	require.Eventually(t, func() bool { return strings.Count(p.log.String(), "msg=reloaded") == 2 }, 10*time.Second, 10*time.Millisecond)
	require.True(t, p.login(nas(gone), "jdoe", userPass+",push").Accepted())
	assert.Regexp(t, told, l.get(p, "/metrics"), "it is back")
}

func TestAReloadChangesLogsAndMetrics(t *testing.T) {
	l := newLab(t, slow(time.Second))
	port := freePort(t)
	rest := noPrimary + l.section("radius_server_challenge", port)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + rest)
	assert.Contains(t, l.get(p, "/healthz"), "serving")
	login := p.pushing(port)
	l.write("authproxy.cfg", "[main]\nlog_dir=logs\nhttp_ca_certs_file=ca.pem\nlog_format=json\n"+rest)
	p.signal(syscall.SIGHUP)
	require.NoError(t, <-login)
	p.logged(`msg="radmfa: login accepted"`) // the login of before ends in the log of before
	_, err := net.Dial("tcp", metricsAt.FindStringSubmatch(p.log.String())[1])
	assert.Error(t, err, "no metrics any more")
	assert.NotContains(t, p.log.String(), "msg=reloaded")
	content, err := os.ReadFile(filepath.Join(l.dir, "logs", logName))
	require.NoError(t, err)
	assert.Contains(t, string(content), `"msg":"reloaded"`)
}

func TestABadFileKeepsTheOldConfiguration(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	web, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, webPort, _ := net.SplitHostPort(web.Addr().String())
	require.NoError(t, web.Close())
	good := mainSection + "metrics_address=127.0.0.1:" + webPort + "\n" + noPrimary + l.section("radius_server_challenge", port)
	p := l.run(good)
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	for _, bad := range []string{
		good + "failmode=open\n",
		good + l.section("radius_server_challenge2", taken.LocalAddr().(*net.UDPAddr).Port, "interface=127.0.0.1"),
		strings.Replace(good, "metrics_address=127.0.0.1:"+webPort, "metrics_address=192.0.2.1:9\nlog_format=json", 1),
		strings.Replace(good, "metrics_address=127.0.0.1", "metrics_address=0.0.0.0", 1),
		good + "interface=127.0.0.1\n",
	} {
		before := strings.Count(p.log.String(), "reload failed")
		l.write("authproxy.cfg", bad)
		p.signal(syscall.SIGHUP)
		require.Eventually(t, func() bool { return strings.Count(p.log.String(), "reload failed") > before }, 5*time.Second, 10*time.Millisecond)
		assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	}
	p.logged(`failmode: \"open\" is not safe, secure or totp`)
	p.logged("a change of interface takes a restart")
	p.logged("another address with the same port takes a restart")
}

func TestEveryPortInUseIsTold(t *testing.T) {
	l := newLab(t, users())
	config := mainSection + noPrimary
	for _, header := range []string{"radius_server_challenge", "radius_server_auto"} {
		taken, err := net.ListenPacket("udp", ":0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = taken.Close() })
		config += l.section(header, taken.LocalAddr().(*net.UDPAddr).Port)
	}
	status, out := call("-config", l.write("authproxy.cfg", config))
	assert.Equal(t, exitFailed, status)
	for _, want := range []string{"[radius_server_challenge] port: listen udp", "[radius_server_auto] port: listen udp", "stop the program that holds the port"} {
		assert.Contains(t, out, want)
	}
}

func TestLogsGoToFilesThatAreRotatedAndReopened(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	p := l.run("[main]\nlog_stdout=true\nlog_format=json\nlog_dir=logs\nlog_auth_events=true\nlog_max_size=1\nlog_max_files=2\nhttp_ca_certs_file=ca.pem\n[duo_only_client]\n" +
		l.section("radius_server_challenge", port))
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	p.logged("login accepted") // the answer goes out first
	for _, name := range []string{logName, eventsName} {
		path := filepath.Join(l.dir, "logs", name)
		require.NoError(t, os.Rename(path, path+".moved"))
		content, err := os.ReadFile(path + ".moved")
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			assert.True(t, json.Valid([]byte(line)), line)
		}
	}
	assert.Regexp(t, `"msg":"radmfa: login accepted".*"duration":(0\.|\d\.\d+e-)`, p.log.String(), "in seconds")
	p.signal(syscall.SIGHUP)
	p.logged(`"msg":"reloaded"`)
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	for _, name := range []string{logName, eventsName} {
		info, err := os.Stat(filepath.Join(l.dir, "logs", name))
		require.NoError(t, err)
		assert.NotZero(t, info.Size(), name)
		moved, err := os.Stat(filepath.Join(l.dir, "logs", name+".moved"))
		require.NoError(t, err)
		assert.Equal(t, moved.Mode(), info.Mode(), "whoever could read the one before can read the new one")
	}
}

func TestSyslogGetsTheLog(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	l := newLab(t, users())
	l.run(mainSection + "log_syslog=udp://" + server.LocalAddr().String() + "\nsyslog_facility=local3\n" + noPrimary +
		l.section("radius_server_challenge", freePort(t)))
	packet := make([]byte, 2048)
	require.NoError(t, server.SetReadDeadline(time.Now().Add(2*statusInterval)))
	n, _, err := server.ReadFrom(packet)
	require.NoError(t, err)
	line := string(packet[:n])
	assert.True(t, strings.HasPrefix(line, "<158>"), "facility 19, severity 6: %s", line)
	assert.Contains(t, line, "authproxy")
	assert.Contains(t, line, "msg=listening")
}

func TestSystemdIsToldWhatHappens(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	next := func(want string) {
		t.Helper()
		packet := make([]byte, 2048)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*statusInterval)))
		for {
			n, err := conn.Read(packet)
			require.NoError(t, err, want)
			got := string(packet[:n])
			if got == want || want == "RELOADING=1\nMONOTONIC_USEC=" && strings.HasPrefix(got, want) {
				return
			}
		}
	}
	l := newLab(t, slow(time.Second))
	port := freePort(t)
	p := l.run(mainSection+noPrimary+l.section("radius_server_challenge", port), "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=200000")
	status := fmt.Sprintf("STATUS=serving 1 section on :%d, 0 logins waiting", port)
	next("READY=1\n" + status)
	next("WATCHDOG=1")
	next(status)
	p.signal(syscall.SIGHUP)
	next("RELOADING=1\nMONOTONIC_USEC=")
	next("READY=1\n" + status)
	good, err := os.ReadFile(p.config)
	require.NoError(t, err)
	l.write("authproxy.cfg", "[nonsense]\n")
	p.signal(syscall.SIGHUP)
	next("READY=1\n" + status + "; the last reload failed, see the log")
	l.write("authproxy.cfg", string(good))
	p.signal(syscall.SIGHUP)
	next("READY=1\n" + status)
	login := p.pushing(port)
	p.signal(syscall.SIGTERM)
	next(fmt.Sprintf("STOPPING=1\nSTATUS=stopping 1 section on :%d, 1 login waiting", port))
	next("WATCHDOG=1") // while the login ends
	require.NoError(t, <-login)
	assert.Equal(t, exitOK, p.ends(5*time.Second))
}

// Each reload ends what it replaces.
func TestReloadsLeaveNothingBehind(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	config := mainSection + noPrimary + l.section("radius_server_challenge", port)
	d := newDaemon(l.write("authproxy.cfg", config), io.Discard)
	require.NoError(t, d.load())
	var before int
	for i := range 100 {
		if i == 10 {
			before = runtime.NumGoroutine()
		}
		l.write("authproxy.cfg", strings.Replace(config, "debug=true", fmt.Sprintf("debug=%t", i%2 == 0), 1))
		d.reload()
	}
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+3 }, 5*time.Second, 10*time.Millisecond,
		"%d goroutines after ten reloads, %d after a hundred", before, runtime.NumGoroutine())
	d.shutdown(t.Context())
}

func TestHealthChecksAreNoLogins(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	web := freePort(t)
	p := l.run(strings.Replace(mainSection, "[main]\n", fmt.Sprintf("[main]\nmetrics_address=127.0.0.1:%d\n", web), 1) + noPrimary +
		l.section("radius_server_challenge", port, "health_username_1=probe"))
	for range 3 {
		assert.True(t, p.login(nas(port), "Probe", "").Rejected())
	}
	assert.Contains(t, l.get(p, "/metrics"), "authproxy_health_checks_total")
	p.signal(syscall.SIGTERM)
	assert.Equal(t, exitOK, p.ends(5*time.Second))
	assert.NotContains(t, p.log.String(), "Probe")
	assert.Zero(t, l.service.Count("/auth/v2/preauth"))
}

func TestAReloadDuringAnAutomaticPushSendsNoOther(t *testing.T) {
	l := newLab(t, slow(4*time.Second))
	port := freePort(t)
	config := mainSection + noPrimary + l.section("radius_server_auto", port)
	p := l.run(config)
	n := nas(port)
	n.Attributes = radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte("198.51.100.7")}}
	replies := make(chan bool, 2)
	login := func() {
		reply, err := n.Login(context.Background(), "jdoe", userPass)
		replies <- err == nil && reply.Accepted()
	}
	go login()
	p.logged("auth waiting")
	l.write("authproxy.cfg", config+"exempt_username_1=nobody\n")
	p.signal(syscall.SIGHUP)
	p.logged("msg=reloaded")
	go login() // from another port, with another Authenticator
	assert.True(t, <-replies)
	assert.True(t, <-replies)
	assert.Len(t, l.service.Transactions(), 1)
}

func TestAReloadWithRightKeysIsTriedAtOnce(t *testing.T) {
	l := newLab(t, users())
	config := mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", freePort(t))
	p := l.run(strings.Replace(config, "skey="+duotest.DefaultSecretKey, "skey=another", 1))
	p.logged("the service refuses what this daemon asks")
	assert.Contains(t, l.get(p, "/healthz"), `"service":"refusing"`)
	l.write("authproxy.cfg", config)
	p.signal(syscall.SIGHUP)
	p.logged("the service no longer refuses")
	assert.Contains(t, l.get(p, "/healthz"), `"service":"up"`)
}
