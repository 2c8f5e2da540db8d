package main

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/radius"
)

// radiusClient is a [radius_client].
func radiusClient(t *testing.T, s *freeradiustest.Server, lines ...string) string {
	host, port, err := net.SplitHostPort(s.Addr)
	require.NoError(t, err)
	return "\n[radius_client]\nhost=" + host + "\nport=" + port + "\nsecret=" + string(s.Secret) + "\n" + strings.Join(lines, "\n") + "\n"
}

func types(attributes radius.Attributes) []int {
	var list []int
	for _, a := range attributes {
		list = append(list, int(a.Type))
	}
	return list
}

func TestFreeRADIUSIsTheFirstFactor(t *testing.T) {
	upstream := freeradiustest.Start(t, freeradiustest.Config{})
	l := newLab(t, map[string]*duotest.User{"jdoe": {}, "alice": {}, "chal": {}, "zoe1252": {}})
	none, some, all := freePort(t), freePort(t), freePort(t)
	p := l.run(mainSection + radiusClient(t, upstream, "retry_wait=0.5", "pw_codec=cp1252", "force_message_authenticator=true") +
		l.section("radius_server_challenge", none) +
		l.section("radius_server_challenge2", some, "pass_through_attr_names=Class,Filter-Id") +
		l.section("radius_server_challenge3", all, "pass_through_all=true", "exempt_username_1=tunnel"))
	assert.True(t, p.login(nas(none), "jdoe", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(nas(none), "jdoe", "wrong-pw").Rejected())
	assert.Contains(t, p.login(nas(none), "bob", "bob-pw").Message(), "bob is not allowed")
	assert.True(t, p.login(nas(none), "zoe1252", freeradiustest.ZoePassword, "1").Accepted())

	reply := p.login(nas(none), "alice", "alice-pw", "1")
	assert.NotContains(t, types(reply.Attributes), int(rfc2865.Class_Type))
	reply = p.login(nas(some), "alice", "alice-pw")
	assert.NotContains(t, types(reply.Attributes), int(rfc2865.Class_Type), "nothing goes into a challenge")
	reply = p.login(nas(some), "alice", "alice-pw", "1")
	assert.Contains(t, types(reply.Attributes), int(rfc2865.Class_Type))
	assert.Contains(t, types(reply.Attributes), int(rfc2865.FilterID_Type))
	assert.NotContains(t, types(reply.Attributes), int(rfc2865.SessionTimeout_Type))
	reply = p.login(nas(all), "alice", "alice-pw", "1")
	vendor := slices.DeleteFunc(types(reply.Attributes), func(n int) bool { return n != int(rfc2865.VendorSpecific_Type) })
	assert.Len(t, vendor, 3)
	assert.Contains(t, types(reply.Attributes), int(rfc2865.SessionTimeout_Type))
	assert.True(t, p.login(nas(all), "tunnel", "tunnel-pw").Accepted(), "exempt, with attributes encrypted anew")

	assert.Contains(t, p.login(nas(none), "chal", "anything").Message(), "PIN?")
	assert.True(t, p.login(nas(none), "chal", "anything", freeradiustest.ChallengeAnswer, "1").Accepted(), "its own challenge comes first")
	assert.True(t, p.login(nas(none), "silent", "silent-pw").Rejected())
}

func TestTheNextServerIsAskedAndOldOnesNeedNotSign(t *testing.T) {
	upstream := freeradiustest.Start(t, freeradiustest.Config{Unsigned: true})
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = silent.Close() }()
	_, silentPort, _ := net.SplitHostPort(silent.LocalAddr().String())
	host, upstreamPort, _ := net.SplitHostPort(upstream.Addr)
	l := newLab(t, map[string]*duotest.User{"jdoe": {}})
	port := freePort(t)
	p := l.run(mainSection + "[radius_client]\nhost=127.0.0.1\nport=" + silentPort + "\nhost_2=" + host + "\nport_2=" + upstreamPort +
		"\nsecret=" + string(upstream.Secret) + "\nretries=1\nretry_wait=0.2\n" + l.section("radius_server_challenge", port))
	assert.True(t, p.login(nas(port), "jdoe", "jdoe-pw", "1").Accepted())
	p.logged("CVE-2024-3596")
}

// radclient sends a request with the tool of FreeRADIUS, and returns what it says.
func radclient(t *testing.T, port string, attributes ...string) string {
	t.Helper()
	path, err := exec.LookPath("radclient")
	if err != nil {
		if os.Getenv("RADMFA_CONFORMANCE") == "require" {
			t.Fatal("radclient is not installed, and RADMFA_CONFORMANCE=require wants it: apt-get install freeradius-utils")
		}
		t.Skip("radclient is not installed")
	}
	cmd := exec.Command(path, "-x", "-t", "10", "127.0.0.1:"+port, "auth", nasSecret)
	cmd.Stdin = strings.NewReader(strings.Join(attributes, "\n") + "\n")
	out, _ := cmd.CombinedOutput() // its status is 1 for a reject
	return string(out)
}

func TestRadclientLogsIn(t *testing.T) {
	l := newLab(t, users())
	challenge, auto := freePort(t), freePort(t)
	l.run(mainSection + noPrimary + l.section("radius_server_challenge", challenge) + l.section("radius_server_auto", auto))
	port := func(n int) string { return strings.TrimPrefix(nas(n).Server, "127.0.0.1:") }
	state := regexp.MustCompile(`State = (0x[0-9a-f]+)`)
	for _, test := range []struct{ answer, want string }{
		{"1", "Received Access-Accept"},
		{"phone", "Received Access-Accept"},
		{"123456", "Received Access-Accept"},
		{"999999", "Received Access-Reject"},
		{"sms", "Received Access-Reject"},
	} {
		out := radclient(t, port(challenge), `User-Name = "jdoe"`, `User-Password = "any"`)
		require.Contains(t, out, "Received Access-Challenge")
		assert.Contains(t, out, "1. Duo Push to XXX-XXX-1234")
		require.Regexp(t, state, out)
		out = radclient(t, port(challenge), `User-Name = "jdoe"`, `User-Password = "`+test.answer+`"`, "State = "+state.FindStringSubmatch(out)[1])
		assert.Contains(t, out, test.want, test.answer)
	}
	assert.Contains(t, radclient(t, port(auto), `User-Name = "jdoe"`, `User-Password = "any,push"`), "Received Access-Accept")
	assert.Contains(t, radclient(t, port(auto), `User-Name = "denies"`, `User-Password = "any"`), "Received Access-Reject")
	assert.Contains(t, radclient(t, port(auto), `User-Name = "jdoe"`, `CHAP-Password = "any"`), "Received Access-")
}
