package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// binary is the program, built once for all tests.
var binary = struct {
	sync.Once
	dir string
	err error
}{}

func TestMain(m *testing.M) {
	// lumberjack's goroutine for old files never ends.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
		goleak.Cleanup(func(status int) {
			_ = os.RemoveAll(binary.dir)
			os.Exit(status)
		}))
}

func program(t *testing.T) string {
	t.Helper()
	binary.Do(func() {
		if binary.dir, binary.err = os.MkdirTemp("", "authproxy"); binary.err != nil { //nolint:usetesting // it outlives this test
			return
		}
		args := []string{"build", "-ldflags", "-X main.version=v1.2.3-test -X main.commit=0123456789abcdef+dirty", "-o", binary.dir + string(filepath.Separator)}
		if raceDetector {
			args = append(args, "-race")
		}
		build := exec.Command("go", append(args, ".")...)
		if out, err := build.CombinedOutput(); err != nil {
			binary.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	require.NoError(t, binary.err)
	name := "authproxy"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(binary.dir, name)
}

const (
	nasSecret = "nas-secret-Xq7"
	userPass  = "user-password-Zk3"
)

// lab is a service, and a folder for files.
type lab struct {
	t       *testing.T
	dir     string
	service *duotest.Service
	host    string // host:port of the service
	web     *httptest.Server
}

func newLab(t *testing.T, users map[string]*duotest.User) *lab {
	l := &lab{t: t, dir: t.TempDir(), service: &duotest.Service{Users: users}}
	l.web = httptest.NewUnstartedServer(l.service)
	l.web.EnableHTTP2 = true
	l.web.StartTLS()
	t.Cleanup(l.web.Close)
	l.host = l.web.Listener.Addr().String()
	l.write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.web.Certificate().Raw})))
	return l
}

// write writes a file into the folder, and returns its path.
func (l *lab) write(name, content string) string {
	path := filepath.Join(l.dir, name)
	require.NoError(l.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// mainSection is a [main] whose logs can be read by the test.
const mainSection = "[main]\ndebug=true\nlog_file=false\nlog_stdout=true\nlog_auth_events=true\nhttp_ca_certs_file=ca.pem\n"

// section is a server section that asks the lab's service.
func (l *lab) section(header string, port int, lines ...string) string {
	keys := fmt.Sprintf("\n[%s]\nikey=%s\nskey=%s\napi_host=%s\nradius_ip_1=127.0.0.0/8\nradius_secret_1=%s\nradius_ip_2=::1\nradius_secret_2=%[5]s\nport=%d\n",
		header, duotest.DefaultIntegrationKey, duotest.DefaultSecretKey, l.host, nasSecret, port)
	return keys + strings.Join(lines, "\n") + "\n"
}

// proxy is the program at work.
type proxy struct {
	*lab
	config string
	cmd    *exec.Cmd
	log    *buffer
	exited chan error
}

// run starts the program with a configuration, and waits until it is ready.
func (l *lab) run(config string, env ...string) *proxy {
	l.t.Helper()
	p := &proxy{lab: l, config: l.write("authproxy.cfg", config), log: &buffer{}, exited: make(chan error, 1)}
	p.cmd = exec.Command(program(l.t), "-config", p.config)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.Env = append(os.Environ(), env...)
	require.NoError(l.t, p.cmd.Start())
	go func() { p.exited <- p.cmd.Wait() }()
	l.t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		if l.t.Failed() {
			log := p.log.String()
			l.t.Logf("end of the log of the program:\n%s", log[max(0, len(log)-4096):])
		}
	})
	require.Eventually(l.t, func() bool { return strings.Contains(p.log.String(), "started") }, 10*time.Second, 10*time.Millisecond)
	return p
}

// logged waits for a text in the log.
func (p *proxy) logged(text string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.log.String(), text) }, 10*time.Second, 10*time.Millisecond, "%q in the log", text)
}

// ends waits for the end of the program, and returns its exit status.
func (p *proxy) ends(within time.Duration) int {
	p.t.Helper()
	select {
	case err := <-p.exited:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			require.NoError(p.t, err)
		}
		p.exited <- err
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(within):
		require.FailNow(p.t, "the program does not end", "within %s", within)
		return -1
	}
}

func (p *proxy) signal(s os.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// nas is a device that talks to a port of the loopback interface.
func nas(port int) *radiustest.NAS {
	return &radiustest.NAS{
		Server:    fmt.Sprintf("127.0.0.1:%d", port),
		Secret:    nasSecret,
		Exchanger: radius.Exchanger{Interval: 2 * time.Second, Tries: 30},
	}
}

// login logs in, and fails the test when no reply comes.
func (p *proxy) login(n *radiustest.NAS, user, password string, answers ...string) *radiustest.Reply {
	p.t.Helper()
	reply, err := n.Login(context.Background(), user, password, answers...)
	require.NoError(p.t, err)
	return reply
}

// freePort returns a UDP port that nobody uses. It is below those that systems give
// to clients, so that none of a test's many sockets takes it before the program.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(12000)
		conn, err := net.ListenPacket("udp", fmt.Sprintf(":%d", port))
		if err == nil {
			require.NoError(t, conn.Close())
			return port
		}
	}
	require.FailNow(t, "no port is free")
	return 0
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
