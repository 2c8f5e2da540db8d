package freeradiustest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// AliceAttributes is what the Access-Accept of alice has, one per line, as type
// and value in hexadecimal: two of a kind, vendors known and unknown.
const AliceAttributes = `25 616c6963652d636c617373
25 00ff00ff
8 0a630007
9 ffffffff
11 76706e2d66756c6c
18 77656c636f6d6520616c696365
27 00000e10
26 00000009011469703a616464722d706f6f6c3d7374616666
26 0000304401075374616666
26 00007ed90106deadbeef`

const configuration = `
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
	auth = yes
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
clients radsec {
	client loopback {
		ipaddr = 127.0.0.0/8
		proto = tls
		secret = radsec
	}
}
thread pool {
	start_servers = 8
	max_servers = 8
	min_spare_servers = 1
	max_spare_servers = 8
	max_requests_per_server = 0
}
modules {
	files {
		filename = "@dir@/users"
	}
	pap {
		normalise = no
	}
	chap {
	}
	mschap {
		use_mppe = yes
		require_encryption = yes
		require_strong = yes
	}
	expr {
	}
	always ok {
		rcode = ok
	}
	always reject {
		rcode = reject
	}
	always handled {
		rcode = handled
	}
	exec sleep {
		wait = yes
		program = "/bin/sleep %{control:Tmp-Integer-0}"
		timeout = 20
	}
}
server default {
	listen {
		type = auth
		ipaddr = 127.0.0.1
		port = @port@
	}
	@radsec@
	authorize {
		Autz-Type Status-Server {
			@sign@
			ok
		}
		chap
		mschap
		files
		if (&control:Tmp-Integer-0) {
			sleep
		}
		pap
	}
	authenticate {
		Auth-Type PAP {
			pap
		}
		Auth-Type CHAP {
			chap
		}
		Auth-Type MS-CHAP {
			mschap
		}
		Auth-Type silent {
			update control {
				Response-Packet-Type := Do-Not-Respond
			}
			handled
		}
		Auth-Type chal {
			if (!&State) {
				update reply {
					State := "%{randstr:hhhhhhhhhhhhhhhh}"
					Reply-Message := "PIN?"
				}
				update control {
					Response-Packet-Type := Access-Challenge
				}
				@sign@
				handled
			}
			elsif (&User-Password == "4242") {
				ok
			}
			else {
				reject
			}
		}
	}
	post-auth {
		if (&User-Name == "alice") {
			update reply {
				Class := 0x616c6963652d636c617373
				Class += 0x00ff00ff
				Framed-IP-Address := 10.99.0.7
				Framed-IP-Netmask := 255.255.255.255
				Filter-Id := "vpn-full"
				Reply-Message := "welcome alice"
				Session-Timeout := 3600
				Cisco-AVPair := "ip:addr-pool=staff"
				Fortinet-Group-Name := "Staff"
				Example-Thing := 0xdeadbeef
			}
		}
		@sign@
		Post-Auth-Type REJECT {
			if (!&reply:Reply-Message) {
				update reply {
					Reply-Message := "wrong user name or password"
				}
			}
			@sign@
		}
		Post-Auth-Type Challenge {
			@sign@
		}
	}
}
`

// sign is what 3.2.5 and later do by themselves.
const sign = "update reply {\n Message-Authenticator := 0x00\n}"

// dictionary has the vendor of RFC 5612, for examples, which no client knows.
const dictionary = `VENDOR Example 32473
BEGIN-VENDOR Example
ATTRIBUTE Example-Thing 1 octets
END-VENDOR Example
`

const users = `jdoe Cleartext-Password := "jdoe-pw"
alice Cleartext-Password := "alice-pw"
bob Auth-Type := Reject
	Reply-Message := "bob is not allowed"
zoe Cleartext-Password := "pä$$wörd-€"
zoe1252 Cleartext-Password := "p\344$$w\366rd-\200"
tunnel Cleartext-Password := "tunnel-pw"
	Tunnel-Type:1 := VLAN,
	Tunnel-Password:1 := "tunnel-secret"
chal Auth-Type := chal
silent Auth-Type := silent
slow Cleartext-Password := "slow-pw", Tmp-Integer-0 := 3
twomsg Auth-Type := Reject
	Reply-Message := "first",
	Reply-Message += "second"
`

// writeFiles makes the configuration directory.
func writeFiles(dir string, port int, config Config, radsec string) error {
	signature := sign
	if config.Unsigned {
		signature = ""
	}
	for name, text := range map[string]string{
		"users":      users + longUsers(),
		"dictionary": dictionary,
		"radiusd.conf": strings.NewReplacer("@dir@", filepath.ToSlash(dir), "@port@", fmt.Sprint(port),
			"@secret@", string(config.Secret), "@sign@", signature, "@libdir@", libdir(), "@radsec@", radsec).Replace(configuration),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// longUsers returns longpw and big.
func longUsers() string {
	var classes []string
	for i := range 15 {
		classes = append(classes, fmt.Sprintf("\tClass += %q", fmt.Sprint(i%10)+strings.Repeat("c", 249)))
	}
	return fmt.Sprintf("longpw Cleartext-Password := %q\nbig Cleartext-Password := \"big-pw\"\n%s\n",
		strings.Repeat("x", 100), strings.Join(classes, ",\n"))
}

// libdir names the directory of the modules where the daemon would look in
// another: Debian has it elsewhere.
func libdir() string {
	if runtime.GOOS == "linux" {
		const debian = "/usr/lib/freeradius"
		if _, err := os.Stat(debian); err == nil {
			return "libdir = " + debian
		}
	}
	return ""
}
