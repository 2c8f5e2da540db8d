package freeradiustest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/radmfa/radmfa/radius"
)

// challengeConfiguration is a server that does a challenge login by itself: the
// password, then a menu whose answer must be 1.
const challengeConfiguration = `
prefix = /usr
@libdir@
logdir = "@dir@"
run_dir = "@dir@"
name = radiusd
max_request_time = 30
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
client loopback {
	ipaddr = 127.0.0.0/8
	secret = "@secret@"
	require_message_authenticator = yes
}
modules {
	always ok {
		rcode = ok
	}
	always reject {
		rcode = reject
	}
	always handled {
		rcode = handled
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = @port@
	}
	authorize {
		if (!&State) {
			if (&User-Password != "@password@") {
				reject
			}
			update session-state {
				Tmp-String-0 := &User-Name
			}
			update reply {
				Reply-Message := "@menu@"
				Message-Authenticator := 0x00
			}
			update control {
				Response-Packet-Type := Access-Challenge
			}
			handled
		}
		elsif (&session-state:Tmp-String-0 == "%{User-Name}" && &User-Password == "1") {
			update control {
				Auth-Type := Accept
			}
			update reply {
				Reply-Message := "@welcome@"
				Message-Authenticator := 0x00
			}
		}
		else {
			reject
		}
	}
}
`

// StartChallenge starts a server with one thread that does a challenge login by
// itself, for a benchmark. It ends with the benchmark.
func StartChallenge(t testing.TB, secret radius.Secret, password, menu, welcome string) (port, pid int) {
	t.Helper()
	program, dir := find(t), t.TempDir()
	port = freePort(t)
	text := strings.NewReplacer("@libdir@", libdir(), "@dir@", dir, "@secret@", string(secret), "@port@", fmt.Sprint(port),
		"@password@", password, "@menu@", menu, "@welcome@", welcome).Replace(challengeConfiguration)
	if err := os.WriteFile(filepath.Join(dir, "radiusd.conf"), []byte(text), 0o600); err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dictionary"), []byte("$INCLUDE /usr/share/freeradius/dictionary\n"), 0o600); err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	daemon := exec.Command(program, "-f", "-s", "-n", "radiusd", "-d", dir)
	if err := daemon.Start(); err != nil {
		t.Fatalf("freeradiustest: %v", err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Kill()
		_ = daemon.Wait()
	})
	time.Sleep(2 * time.Second)
	return port, daemon.Process.Pid
}
