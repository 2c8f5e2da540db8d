package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
)

// typed runs the command login with lines on its standard input.
func (l *lab) typed(config, input string, args ...string) (status int, stdout, stderr string) {
	l.t.Helper()
	cmd := exec.CommandContext(l.t.Context(), program(l.t), append([]string{"login", "-config", config}, args...)...)
	cmd.Stdin = strings.NewReader(input)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); !exited { //nolint:errorlint // Run wraps nothing
		require.NoError(l.t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), problems.String()
}

func TestLoginCommandIsAWholeLogin(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", freePort(t)) + l.section("radius_server_auto", freePort(t)))

	status, out, problems := l.typed(p.config, userPass+"\n1\n", "jdoe", "-section", "radius_server_challenge")
	assert.Equal(t, exitOK, status, problems)
	assert.Regexp(t, `(?s)^\[radius_server_challenge\] at 127\.0\.0\.1:\d+\n.*Enter a passcode or select.*Access-Accept after \d`, out)
	assert.NotContains(t, out, userPass)

	status, out, problems = l.typed(p.config, userPass+"\npush\n", "denies", "-section", "[radius_server_challenge]")
	assert.Equal(t, exitFailed, status, problems)
	assert.Contains(t, out, "Access-Reject after ")

	status, _, problems = l.typed(p.config, userPass+"\n", "jdoe", "-section", "radius_server_challenge")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, problems, "no answer to the challenge: the input has ended")

	status, out, problems = l.typed(p.config, userPass+"\n", "-section=radius_server_auto", "jdoe")
	assert.Equal(t, exitOK, status, problems)
	assert.NotContains(t, out, "option")

	status, _, problems = l.typed(p.config, "", "jdoe")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, problems, "add -section with one of radius_server_challenge, radius_server_auto")

	status, _, problems = l.typed(p.config, "", "jdoe", "-section", "vpn")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, problems, "has no server section [vpn]")
}

func TestLoginCommandShowsThePackets(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", freePort(t)))
	status, out, problems := l.typed(p.config, userPass+"\n123456\n", "-v", "jdoe")
	assert.Equal(t, exitOK, status, problems)
	for _, want := range []string{
		"> Access-Request, Identifier ", "Message-Authenticator: signed", `User-Name: "jdoe"`, "User-Password: ******** (32 bytes)",
		`NAS-Identifier: "authproxy-login"`, "< Access-Challenge, Identifier ", "Message-Authenticator: verified",
		"Response Authenticator verified", "State: ******** (", "< Access-Accept",
	} {
		assert.Contains(t, out, want)
	}
	for _, secret := range []string{userPass, "123456", nasSecret} {
		assert.NotContains(t, out, secret)
	}
}

func TestLoginCommandSaysWhatIsMissing(t *testing.T) {
	l := newLab(t, users())
	section := l.section("radius_server_challenge", freePort(t))
	config := l.write("authproxy.cfg", mainSection+noPrimary+section)
	status, _, problems := l.typed(config, userPass+"\n", "jdoe")
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, problems, "the daemon does not answer")
	assert.Contains(t, problems, "Is it running, and with this file as it is now?")

	config = l.write("authproxy.cfg", mainSection+noPrimary+strings.NewReplacer("127.0.0.0/8", "192.0.2.1", "::1", "192.0.2.2").Replace(section))
	status, _, problems = l.typed(config, userPass+"\n", "jdoe")
	assert.Equal(t, exitFailed, status)
	assert.Regexp(t, `has no entry for 127\.0\.0\.1.*\n.*\n\nradius_ip_3=127\.0\.0\.1\nradius_secret_3=[A-Z2-7]{26}\n$`, problems)
	lines := problems[strings.Index(problems, "radius_ip_3"):]
	p := l.run(mainSection + noPrimary + strings.Replace(section, "[radius_server_challenge]", "[radius_server_challenge]\n"+lines, 1))
	status, _, problems = l.typed(p.config, userPass+"\n1\n", "jdoe")
	assert.Equal(t, exitOK, status, problems)

	for _, args := range [][]string{{}, {"jdoe", "other"}, {"-nonsense", "jdoe"}, {""}} {
		status, _, problems = l.typed(config, "", args...)
		assert.Equal(t, exitUsage, status, args)
		assert.Contains(t, problems, "usage: authproxy login USER")
	}
}

func TestAttributesAreShownWithoutSecrets(t *testing.T) {
	vendor, err := radius.NewVendorSpecific(311, layeh.AVP{Type: 16, Attribute: []byte("send key")})
	require.NoError(t, err)
	pair, err := radius.NewVendorSpecific(9, layeh.AVP{Type: 1, Attribute: []byte("ipsec:tunnel-password=hush")},
		layeh.AVP{Type: 1, Attribute: []byte("shell:priv-lvl=15")})
	require.NoError(t, err)
	p := &radius.Packet{Code: radius.CodeAccessAccept}
	p.Add(rfc2865.FramedIPAddress_Type, []byte{192, 0, 2, 7})
	p.Add(rfc2865.SessionTimeout_Type, []byte{0, 0, 14, 16})
	p.Add(rfc2865.Class_Type, []byte{0, 1})
	p.Add(rfc2865.ReplyMessage_Type, []byte("a\x1b[31m"))
	p.Add(rfc2865.VendorSpecific_Type, vendor)
	p.Add(rfc2865.VendorSpecific_Type, pair)
	p.Add(rfc2865.VendorSpecific_Type, []byte{1})
	p.Add(rfc2865.State_Type, []byte("hush"))
	var b strings.Builder
	(&wire{out: &b}).packet("<", p, "n")
	assert.Equal(t, `< Access-Accept, Identifier 0, n
<     Framed-IP-Address: 192.0.2.7
<     Session-Timeout: 3600
<     Class: 0x0001
<     Reply-Message: 0x611b5b33316d
<     MS-MPPE-Send-Key: ******** (8 bytes)
<     Cisco-AVPair: ******** (26 bytes)
<     Cisco-AVPair: "shell:priv-lvl=15"
<     Vendor-Specific: 0x01
<     State: ******** (4 bytes)
`, b.String())
}
