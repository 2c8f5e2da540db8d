package freeradiustest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
)

// listenTLS returns the sections that listen for RADIUS over TLS, and where.
func listenTLS(t testing.TB, files radsectest.Files) (text, address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	defer func() { _ = l.Close() }()
	address = l.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf(`listen {
		type = auth
		proto = tcp
		ipaddr = 127.0.0.1
		port = %s
		clients = radsec
		tls {
			%s
			require_client_cert = yes
		}
		limit {
			max_connections = 16
			lifetime = 0
			idle_timeout = 30
		}
	}`, port, tlsFiles(files)), address
}

func tlsFiles(files radsectest.Files) string {
	return fmt.Sprintf("ca_file = %q\nprivate_key_file = %q\ncertificate_file = %q\ntls_min_version = \"1.2\"\ntls_max_version = \"1.3\"",
		files.CA, files.Key, files.Cert)
}

// proxyConfiguration is a server that sends everything on.
const proxyConfiguration = `
prefix = /usr
@libdir@
logdir = "@dir@"
run_dir = "@dir@"
name = radiusd
max_request_time = 70
cleanup_delay = 5
max_requests = 65536
hostname_lookups = no
log {
	destination = files
	file = "@dir@/radius.log"
	auth = no
}
security {
	max_attributes = 200
	reject_delay = 0
	status_server = yes
}
proxy_requests = yes
client loopback {
	ipaddr = 127.0.0.0/8
	secret = "@secret@"
}
proxy server {
	default_fallback = no
}
home_server ours {
	type = auth
	ipaddr = 127.0.0.1
	port = @home@
	proto = tcp
	secret = radsec
	response_window = 60
	status_check = status-server
	tls {
		@tls@
	}
}
home_server_pool ours {
	home_server = ours
}
realm ours {
	auth_pool = ours
	nostrip
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = @port@
	}
	authorize {
		update control {
			Proxy-To-Realm := "ours"
		}
	}
}
`

// StartProxy starts a server that sends what comes by UDP over TLS to the address
// on the loopback interface. It ends with the test. It returns where it listens.
func StartProxy(t testing.TB, secret radius.Secret, files radsectest.Files, home string) string {
	t.Helper()
	program, dir, port := find(t), t.TempDir(), freePort(t)
	_, homePort, err := net.SplitHostPort(home)
	if err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	for name, text := range map[string]string{
		"dictionary": "$INCLUDE /usr/share/freeradius/dictionary\n",
		"radiusd.conf": strings.NewReplacer("@libdir@", libdir(), "@dir@", dir, "@secret@", string(secret), "@tls@", tlsFiles(files),
			"@home@", homePort, "@port@", strconv.Itoa(port)).Replace(proxyConfiguration),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatalf("freeradiustest: %v", err)
		}
	}
	s := &Server{t: t, program: program, dir: dir, Secret: secret, Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of FreeRADIUS:\n%s", s.Log())
		}
	})
	t.Cleanup(s.Stop)
	s.Restart()
	return s.Addr
}
