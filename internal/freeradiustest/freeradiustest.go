// Package freeradiustest starts FreeRADIUS for tests, from a temporary
// directory and on the loopback interface. Nothing of the machine's own
// configuration of FreeRADIUS is read or changed.
//
// The server knows these users, whose password is the name and "-pw" (PAP, CHAP,
// MS-CHAP and MS-CHAPv2) where nothing else is said:
//
//	jdoe    accepted, without attributes
//	alice   accepted with attributes of every sort, see AliceAttributes
//	bob     rejected with "bob is not allowed"
//	zoe     accepted with ZoePassword, in UTF-8
//	zoe1252 accepted with ZoePassword, in Windows-1252
//	longpw  accepted with 100 times "x"
//	tunnel  accepted with Tunnel-Password "tunnel-secret", tag 1
//	chal    asked for a "PIN?" whatever the password; the answer is 4242
//	silent  never answered
//	slow    accepted after 3 s
//	big     accepted with 15 Class attributes of 250 bytes
//	twomsg  rejected with two Reply-Messages, "first" and "second"
//
// Everybody else is rejected with "wrong user name or password".
package freeradiustest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	layeh "layeh.com/radius"

	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
)

// ZoePassword has letters outside ASCII, all of which Windows-1252 has.
const ZoePassword = "pä$$wörd-€"

// ChallengeAnswer is the PIN of the user chal.
const ChallengeAnswer = "4242"

// Config says how a Server differs from the usual one.
type Config struct {
	// Secret is shared with every client on the loopback interface. Empty:
	// "testing123".
	Secret radius.Secret

	// Unsigned leaves Message-Authenticator out of the replies, as FreeRADIUS
	// before 3.2.5 does. Later ones cannot be kept from sending it.
	Unsigned bool

	// TLS makes the server listen for RADIUS over TLS as well, with these files.
	TLS *radsectest.Files
}

// Server is a running FreeRADIUS.
type Server struct {
	// Addr is its address and port.
	Addr string

	// TLSAddr is where it listens for RADIUS over TLS, if it does.
	TLSAddr string

	// Secret is its shared secret.
	Secret radius.Secret

	t       testing.TB
	program string
	dir     string
	daemon  *exec.Cmd
	exited  chan struct{}
}

// Start starts a server that ends with the test. Without FreeRADIUS on this
// machine the test is skipped, or fails where RADMFA_CONFORMANCE is "require".
func Start(t testing.TB, config Config) *Server {
	t.Helper()
	program := find(t)
	if config.Secret == "" {
		config.Secret = "testing123"
	}
	s := &Server{Secret: config.Secret, t: t, program: program, dir: t.TempDir()}
	port := freePort(t)
	s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	radsec := ""
	if config.TLS != nil {
		radsec, s.TLSAddr = listenTLS(t, *config.TLS)
	}
	if err := writeFiles(s.dir, port, config, radsec); err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	t.Cleanup(s.Stop)
	s.Restart()
	return s
}

// find returns the path of the daemon, which is called radiusd where the
// distribution has not renamed it.
func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"freeradius", "radiusd"} {
		for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
	}
	if os.Getenv("RADMFA_CONFORMANCE") == "require" {
		t.Fatal("freeradiustest: FreeRADIUS is not installed, and RADMFA_CONFORMANCE=require wants it")
	}
	t.Skip("FreeRADIUS is not installed")
	return ""
}

func freePort(t testing.TB) int {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// Stop kills the server. It does nothing when it is stopped already.
func (s *Server) Stop() {
	if s.daemon == nil {
		return
	}
	_ = s.daemon.Process.Kill()
	<-s.exited
	s.daemon = nil
}

// Restart stops the server and starts it again on the same port. It returns once
// the server answers.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	output, err := os.Create(filepath.Join(s.dir, "output"))
	if err != nil {
		s.t.Fatalf("freeradiustest: %v", err)
	}
	defer func() { _ = output.Close() }()
	// Not -X: that would be one thread, which the user slow keeps waiting.
	s.daemon = exec.Command(s.program, "-f", "-n", "radiusd", "-d", s.dir)
	s.daemon.Stdout, s.daemon.Stderr = output, output
	if err := s.daemon.Start(); err != nil {
		s.daemon = nil
		s.t.Fatalf("freeradiustest: %v", err)
	}
	exited, daemon := make(chan struct{}), s.daemon
	s.exited = exited
	go func() {
		_ = daemon.Wait()
		close(exited)
	}()
	if err := s.waitUntilUp(); err != nil {
		s.t.Fatalf("freeradiustest: %v\n%s", err, s.Log())
	}
}

func (s *Server) waitUntilUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	exchanger := radius.Exchanger{Interval: 50 * time.Millisecond, Tries: 1, UnsignedReplies: true}
	for {
		_, err := exchanger.Exchange(ctx, layeh.New(radius.CodeStatusServer, []byte(s.Secret)), s.Addr)
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return errors.New("FreeRADIUS ended at once")
		case <-ctx.Done():
			return fmt.Errorf("FreeRADIUS does not come up: %w", err)
		default:
		}
	}
}

// Log returns what the server has written, for the message of a failed test.
func (s *Server) Log() string {
	var all []byte
	for _, name := range []string{"output", "radius.log"} {
		b, err := os.ReadFile(filepath.Join(s.dir, name))
		if err == nil {
			all = append(all, b...)
		}
	}
	return string(all)
}
