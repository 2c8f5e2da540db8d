package main

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const deviceName = "vpn1.example.com"

// radsecKeys are the files of a certificate, relative to the file's folder.
const radsecKeys = "radsec_ca_file=ca.pem\nradsec_cert_file=cert.pem\nradsec_key_file=key.pem\n"

// folder returns radsecKeys with the files of a folder.
func folder(dir string) string {
	return strings.NewReplacer("=ca.pem", "="+filepath.Join(dir, "ca.pem"), "=cert.pem", "="+filepath.Join(dir, "cert.pem"),
		"=key.pem", "="+filepath.Join(dir, "key.pem")).Replace(radsecKeys)
}

// tlsOnly is a server section for a device over TLS.
func (l *lab) tlsOnly(header string, port int, lines ...string) string {
	return fmt.Sprintf("\n[%s]\nikey=%s\nskey=%s\napi_host=%s\nradius_name_1=%s\nradsec_port=%d\n%s\n", header,
		duotest.DefaultIntegrationKey, duotest.DefaultSecretKey, l.host, deviceName, port, strings.Join(lines, "\n"))
}

// tlsDevice is a device with a certificate.
func tlsDevice(t *testing.T, ca *radsectest.CA, port int, name string) *radiustest.NAS {
	pool := &radius.TLSPool{Config: ca.Config(name)}
	t.Cleanup(func() { assert.NoError(t, pool.Close()) })
	return &radiustest.NAS{Server: fmt.Sprintf("localhost:%d", port), Secret: "radsec",
		Exchanger: radius.Exchanger{Interval: 2 * time.Second, Tries: 15, TLS: pool}}
}

// A device over TLS, a first factor over TLS: FreeRADIUS at one end, and radsecproxy
// between them.
func TestRadSecAtBothEnds(t *testing.T) {
	ca, dir := radsectest.NewCA(t), t.TempDir()
	ca.WriteTo(dir, "localhost", "127.0.0.1", "mfa.example.com")
	files := ca.Write("localhost")
	upstream := freeradiustest.Start(t, freeradiustest.Config{TLS: &files})
	_, upstreamPort, err := net.SplitHostPort(upstream.TLSAddr)
	require.NoError(t, err)
	l := newLab(t, map[string]*duotest.User{"jdoe": {}, "alice": {}})
	port := freePort(t)
	p := l.run(mainSection +
		"[radius_client]\ntransport=tls\nhost=127.0.0.1\nradsec_name=localhost\nport=" + upstreamPort + "\n" + folder(dir) +
		l.tlsOnly("radius_server_challenge", port, folder(dir)))

	device := tlsDevice(t, ca, port, deviceName)
	assert.True(t, p.login(device, "jdoe", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(device, "jdoe", "wrong-pw").Rejected())
	assert.True(t, p.login(device, "alice", "alice-pw", "1").Accepted())

	files = ca.Write(deviceName)
	proxy := radsectest.Proxy{Files: files, Server: fmt.Sprintf("127.0.0.1:%d", port), Secret: nasSecret}.Start(t)
	behind := &radiustest.NAS{Server: proxy, Secret: nasSecret, Exchanger: radius.Exchanger{Interval: 15 * time.Second, Tries: 2, UnsignedReplies: true}}
	assert.True(t, p.login(behind, "jdoe", "jdoe-pw", "1").Accepted())

	_, err = tlsDevice(t, ca, port, "evil.example.com").Login(t.Context(), "jdoe", "jdoe-pw")
	assert.Error(t, err)
	p.logged("add radius_name_N with a DNS name of its certificate")
	_, err = tlsDevice(t, radsectest.NewCA(t), port, deviceName).Login(t.Context(), "jdoe", "jdoe-pw")
	assert.Error(t, err)
}

// A reload takes new certificates and authorities, and adds and removes the port,
// while the UDP port stays.
func TestRadSecIsReloaded(t *testing.T) {
	ca, next, dir := radsectest.NewCA(t), radsectest.NewCA(t), t.TempDir()
	l := newLab(t, users())
	udp, tls := freePort(t), freePort(t)
	plain := mainSection + noPrimary + l.section("radius_server_challenge", udp)
	secure := plain + fmt.Sprintf("radsec_port=%d\nradius_name_3=%s\n", tls, deviceName) + folder(dir)
	p := l.run(plain)
	reload := func(config string, loaded int) {
		l.write("authproxy.cfg", config)
		p.signal(syscall.SIGHUP)
		require.Eventually(t, func() bool { return strings.Count(p.log.String(), "msg=reloaded") == loaded }, 10*time.Second, 10*time.Millisecond)
	}
	login := func(ca *radsectest.CA) error {
		device := tlsDevice(t, ca, tls, deviceName)
		device.Exchanger.Interval, device.Exchanger.Tries = time.Second, 2
		_, err := device.Login(t.Context(), "jdoe", "any", "1")
		return err
	}
	require.Error(t, login(ca))
	ca.WriteTo(dir, "localhost")
	reload(secure, 1)
	require.NoError(t, login(ca))
	assert.True(t, p.login(nas(udp), "jdoe", "any", "1").Accepted())

	kept := tlsDevice(t, ca, tls, deviceName)
	challenge, err := kept.Login(t.Context(), "jdoe", "any")
	require.NoError(t, err)
	next.WriteTo(dir, "localhost")
	reload(secure, 2)
	require.Error(t, login(ca))
	require.NoError(t, login(next))
	reply, err := kept.Answer(t.Context(), challenge, "1")
	require.NoError(t, err, "its connection goes on")
	assert.True(t, reply.Accepted())

	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), []byte("half a file"), 0o600))
	p.signal(syscall.SIGHUP)
	p.logged("it holds no private key in PEM form")
	require.NoError(t, login(next), "a bad file changes nothing")

	reload(plain, 3)
	require.Eventually(t, func() bool { return login(next) != nil }, 10*time.Second, 100*time.Millisecond)
	assert.True(t, p.login(nas(udp), "jdoe", "any", "1").Accepted())
	p.signal(syscall.SIGTERM)
	assert.Equal(t, exitOK, p.ends(20*time.Second))
}

func TestRadSecIsMeasured(t *testing.T) {
	ca, dir := radsectest.NewCA(t), t.TempDir()
	ca.WriteTo(dir, "localhost")
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.tlsOnly("radius_server_challenge", port, folder(dir)))
	assert.True(t, p.login(tlsDevice(t, ca, port, deviceName), "jdoe", "any", "1").Accepted())
	text := l.get(p, "/metrics")
	assert.Contains(t, text, fmt.Sprintf(`authproxy_tls_connections{listener=":%d/tls",section="radius_server_challenge"} 1`, port))
	assert.Contains(t, text, fmt.Sprintf(`authproxy_requests_total{how="handled",listener=":%d/tls",section="radius_server_challenge"} 2`, port))
}

func TestRadSecIsInTheState(t *testing.T) {
	ca, dir := radsectest.NewCA(t), t.TempDir()
	ca.WriteTo(dir, "localhost")
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.tlsOnly("radius_server_challenge", port, folder(dir)))
	_, err := tlsDevice(t, ca, port, "stranger.example.com").Login(t.Context(), "jdoe", "any")
	require.Error(t, err)
	_, err = tlsDevice(t, radsectest.NewCA(t), port, deviceName).Login(t.Context(), "jdoe", "any")
	require.Error(t, err)
	report := p.state()
	byReason := map[string]status.Sender{}
	for _, s := range report.Senders {
		byReason[s.Reason] = s
	}
	require.Len(t, byReason, 2)
	assert.Equal(t, []string{"radius_name_2=..."}, byReason[radius.DropUnknownName.String()].Lines)
	handshake := byReason[radius.DropHandshake.String()]
	assert.Contains(t, handshake.Hint, "radsec_ca_file")
	assert.NotEmpty(t, handshake.Error)
	_, out := p.ask("status")
	assert.Contains(t, out, status.ToDevices)
	assert.Contains(t, out, fmt.Sprintf(":%d/tls", port))
}

// TestCheckNamesTheKeysOfTLS: where the server's certificate is not accepted.
func TestCheckNamesTheKeysOfTLS(t *testing.T) {
	ca, other, dir := radsectest.NewCA(t), radsectest.NewCA(t), t.TempDir()
	ca.WriteTo(dir, "mfa.example.com")
	l := newLab(t, users())
	for _, test := range []struct {
		server *tls.Config
		want   string
	}{
		{other.Config("localhost"), `unknown authority .*: see radsec_ca_file \(line 12\)`},
		{ca.Config("radius1.example.com"), `: see host \(line 9\) and radsec_name \(line 10\)`},
	} {
		conn, err := tls.Listen("tcp", "127.0.0.1:0", test.server)
		require.NoError(t, err)
		served := make(chan struct{})
		go func() {
			defer close(served)
			for {
				c, err := conn.Accept()
				if err != nil {
					return
				}
				_ = c.(*tls.Conn).HandshakeContext(t.Context())
				_ = c.Close()
			}
		}()
		_, port, err := net.SplitHostPort(conn.Addr().String())
		require.NoError(t, err)
		status, out := call("check", "-config", l.write("authproxy.cfg", mainSection+
			"\n[radius_client]\nhost=127.0.0.1\nradsec_name=localhost\ntransport=tls\n"+folder(dir)+"port="+port+"\nretry_wait=1\n"+
			l.section("radius_server_challenge", freePort(t))))
		assert.Equal(t, exitFailed, status)
		assert.Regexp(t, test.want, out)
		require.NoError(t, conn.Close())
		<-served
	}
}
