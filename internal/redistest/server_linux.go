package redistest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The account of a Server with ACLs. It may do what redisstore's documentation
// asks for, and nothing else.
const (
	User     = "radmfa"
	Password = "radmfa-pw"
)

// Server is a running redis-server.
type Server struct {
	Addr string
	CA   string // file of the root that signed its certificate; empty: no TLS

	dir    string
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
}

// Start starts a server that ends with the test. The arguments are directives of
// redis.conf, as in "--maxmemory", "3mb".
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := prepare(tb)
	host, port, _ := net.SplitHostPort(s.Addr)
	s.args = append([]string{
		"--bind", host, "--port", port, "--dir", s.dir, "--save", "", "--appendonly", "no",
	}, args...)
	s.run(tb)
	return s
}

// StartSecure starts a server that takes only TLS 1.2 or later from User, who may
// call only the given commands on keys that begin with prefix.
func StartSecure(tb testing.TB, prefix, rule string) *Server {
	tb.Helper()
	s := prepare(tb)
	host, port, _ := net.SplitHostPort(s.Addr)
	if err := writeCertificates(s.dir); err != nil {
		tb.Fatal(err)
	}
	s.CA = filepath.Join(s.dir, "ca.pem")
	acl := fmt.Sprintf("user default off\nuser %s on >%s ~%s* %s\n", User, Password, prefix, rule)
	file := filepath.Join(s.dir, "users.acl")
	if err := os.WriteFile(file, []byte(acl), 0o600); err != nil {
		tb.Fatal(err)
	}
	s.args = []string{
		"--bind", host, "--port", "0", "--tls-port", port, "--dir", s.dir, "--save", "",
		"--tls-cert-file", filepath.Join(s.dir, "server.pem"), "--tls-key-file", filepath.Join(s.dir, "server.key"),
		"--tls-ca-cert-file", s.CA, "--tls-auth-clients", "no", "--aclfile", file,
	}
	s.run(tb)
	return s
}

// prepare skips the test where there is no redis-server.
func prepare(tb testing.TB) *Server {
	tb.Helper()
	for _, program := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		text := program + ": not installed: apt-get install --no-install-recommends redis-server redis-tools"
		if os.Getenv("RADMFA_CONFORMANCE") == "require" {
			tb.Fatal(text)
		}
		tb.Skip(text)
	}
	return &Server{Addr: freeAddr(tb), dir: tb.TempDir()}
}

func (s *Server) run(tb testing.TB) {
	tb.Helper()
	tb.Cleanup(s.Kill)
	if err := s.Restart(); err != nil {
		tb.Fatal(err)
	}
}

// Restart starts a server again after Kill, without the data it had.
func (s *Server) Restart() error {
	out, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	cmd, exited := exec.Command("redis-server", s.args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.exited = cmd, exited
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	err = await(10*time.Second, func() error {
		reply, err := s.CLI("PING")
		if err == nil && reply != "PONG" {
			err = errors.New(reply)
		}
		return err
	})
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		return fmt.Errorf("redis-server: %w\n%s", err, log[max(0, len(log)-2000):])
	}
	return nil
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
}

// Pause makes the server accept connections and answer nothing, until Resume.
func (s *Server) Pause() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends Pause.
func (s *Server) Resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// CLI runs a command with redis-cli and returns what it prints.
func (s *Server) CLI(args ...string) (string, error) {
	host, port, _ := net.SplitHostPort(s.Addr)
	options := []string{"-h", host, "-p", port}
	if s.CA != "" {
		options = append(options, "--tls", "--cacert", s.CA, "--user", User, "--pass", Password, "--no-auth-warning")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "redis-cli", append(options, args...)...).CombinedOutput()
	return strings.TrimSpace(string(bytes.TrimSpace(out))), err
}

// Must is CLI in a test that cannot go on without.
func (s *Server) Must(tb testing.TB, args ...string) string {
	tb.Helper()
	out, err := s.CLI(args...)
	if err != nil {
		tb.Fatalf("redis-cli %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// await calls ready until it returns nil.
func await(limit time.Duration, ready func() error) error {
	end := time.Now().Add(limit)
	for {
		err := ready()
		if err == nil || time.Now().After(end) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freeAddr returns an address of 127.0.0.1 on which nothing listens, nor on the
// port 10,000 above, which is a Cluster's.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		_ = l.Close()
		bus, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10000))
		if err != nil {
			continue
		}
		_ = bus.Close()
		return fmt.Sprintf("127.0.0.1:%d", port)
	}
	tb.Fatal("no two free ports 10,000 apart")
	return ""
}
