package radsectest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Proxy says what a radsecproxy does.
type Proxy struct {
	// Files are its certificate and CA.
	Files Files

	// Server is where it sends what comes by UDP: over TLS, "127.0.0.1:2083". Or
	// it sends what comes over TLS by UDP to Upstream.
	Server, Upstream string

	// Secret is shared on the UDP side.
	Secret string

	// ClientName is the DNS name that clients' certificates must have.
	ClientName string
}

// Start starts the proxy, which ends with the test, and returns the address that
// it listens on. Without radsecproxy on this machine the test is skipped, or fails
// where RADMFA_CONFORMANCE is "require".
func (p Proxy) Start(t testing.TB) string {
	t.Helper()
	program := find(t)
	dir := t.TempDir()
	listen, network := freePort(t), "udp"
	if p.Upstream != "" {
		network = "tcp"
	}
	path := filepath.Join(dir, "radsecproxy.conf")
	log := filepath.Join(dir, "log")
	if err := os.WriteFile(path, []byte(p.configuration(listen, log)), 0o600); err != nil {
		t.Fatalf("radsectest: %v", err)
	}
	daemon := exec.Command(program, "-f", "-c", path, "-i", filepath.Join(dir, "pid"))
	if err := daemon.Start(); err != nil {
		t.Fatalf("radsectest: %v", err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("log of radsecproxy:\n%s", text)
		}
	})
	waitUntilOpen(t, network, listen)
	return listen
}

func (p Proxy) configuration(listen, log string) string {
	tls := fmt.Sprintf("tls default {\n CACertificateFile %s\n CertificateFile %s\n CertificateKeyFile %s\n}\n",
		p.Files.CA, p.Files.Cert, p.Files.Key)
	head := fmt.Sprintf("LogLevel 2\nLogDestination file://%s\n", log)
	// RetryInterval and RetryCount as for users who look at a push.
	const patient = " RetryInterval 60\n RetryCount 0\n StatusServer on\n"
	if p.Upstream != "" {
		host, port, _ := net.SplitHostPort(p.Upstream)
		return head + "ListenTLS " + listen + "\n" + tls +
			fmt.Sprintf("client ours {\n host 127.0.0.1\n type tls\n secret radsec\n matchCertificateAttribute SubjectAltName:DNS:/^%s$/\n certificateNameCheck off\n}\n",
				strings.ReplaceAll(p.ClientName, ".", "\\.")) +
			fmt.Sprintf("server upstream {\n host %s\n port %s\n type udp\n secret %s\n}\nrealm * {\n server upstream\n}\n", host, port, p.Secret)
	}
	host, port, _ := net.SplitHostPort(p.Server)
	return head + "ListenUDP " + listen + "\n" + tls +
		fmt.Sprintf("client nas {\n host 127.0.0.1\n type udp\n secret %s\n}\n", p.Secret) +
		fmt.Sprintf("server ours {\n host %s\n port %s\n type tls\n secret radsec\n%s}\nrealm * {\n server ours\n}\n", host, port, patient)
}

func find(t testing.TB) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, "radsecproxy")); err == nil {
			return path
		}
	}
	if os.Getenv("RADMFA_CONFORMANCE") == "require" {
		t.Fatal("radsectest: radsecproxy is not installed, and RADMFA_CONFORMANCE=require wants it")
	}
	t.Skip("radsectest: radsecproxy is not installed")
	return ""
}

// freePort returns an address of the loopback interface that nobody uses.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("radsectest: %v", err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// waitUntilOpen waits until somebody listens.
func waitUntilOpen(t testing.TB, network, address string) {
	t.Helper()
	for range 200 {
		if network == "tcp" {
			if c, err := net.Dial("tcp", address); err == nil {
				_ = c.Close()
				return
			}
		} else if l, err := net.ListenPacket("udp", address); err != nil {
			return // it is taken
		} else {
			_ = l.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("radsectest: nobody listens on %s", address)
}
