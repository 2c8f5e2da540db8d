package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

// directoryUsers are known to the service.
func directoryUsers() map[string]*duotest.User {
	return map[string]*duotest.User{"jdoe": {}, "bob": {}, "alice": {}, "zoe": {}, "prim": {}, "jdoe@example.com": {}}
}

// adClient is an [ad_client].
func (l *lab) adClient(ca *ldaptest.CA, lines ...string) string {
	l.write("directory.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Cert.Raw})))
	return "\n[ad_client]\nssl_ca_certs_file=directory.pem\n" + strings.Join(lines, "\n") + "\n"
}

// slapdClient is an [ad_client] of an OpenLDAP.
func (l *lab) slapdClient(s *ldaptest.Slapd, transport string, lines ...string) string {
	addr := s.Addr
	if transport == "ldaps" {
		addr = s.TLSAddr
	}
	host, port, err := net.SplitHostPort(addr)
	require.NoError(l.t, err)
	return l.adClient(s.CA, append(lines, "host="+host, "port="+port, "timeout=2", "transport="+transport, "auth_type=plain",
		"bind_dn=cn=svc-radius,ou=services,dc=example,dc=com", "service_account_password=svc-pw",
		"search_dn=dc=example,dc=com", "username_attribute=uid")...)
}

const vpnUsers = "security_group_dn=cn=vpnusers,ou=groups,dc=example,dc=com"

func TestOpenLDAPIsTheFirstFactor(t *testing.T) {
	slapd := ldaptest.StartSlapd(t, nil)
	l := newLab(t, directoryUsers())
	port := freePort(t)
	p := l.run(mainSection + l.slapdClient(slapd, "starttls", vpnUsers, "at_attribute=mail", "ldap_filter=(!(uid=zoe))") +
		l.section("radius_server_challenge", port))
	nas := nas(port)
	assert.True(t, p.login(nas, "jdoe", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(nas, "jdoe@example.com", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(nas, "jdoe", "wrong-pw").Rejected())
	assert.True(t, p.login(nas, "bob", "bob-pw").Rejected(), "not in the group")
	assert.True(t, p.login(nas, "alice", "alice-pw").Rejected(), "in the group of a group")
	assert.True(t, p.login(nas, "zoe", "pä$$wörd-€").Rejected(), "the filter")
	before := l.service.Count("/auth/v2/preauth")
	assert.True(t, p.login(nas, "jdoe", "").Rejected())
	assert.Equal(t, before, l.service.Count("/auth/v2/preauth"), "a wrong password does not reach the service")
	slapd.Kill()
	assert.True(t, p.login(nas, "jdoe", "jdoe-pw").Rejected(), "fail modes are for the service")
	require.NoError(t, slapd.Start())
	assert.True(t, p.login(nas, "jdoe", "jdoe-pw", "1").Accepted())
}

func TestUsersChangeTheirPasswords(t *testing.T) {
	slapd := ldaptest.StartSlapd(t, nil)
	l := newLab(t, map[string]*duotest.User{"change1": {}})
	may, mayNot := freePort(t), freePort(t)
	p := l.run(mainSection + l.slapdClient(slapd, "starttls", "password_change=true") +
		strings.Replace(l.slapdClient(slapd, "starttls"), "[ad_client]", "[ad_client2]", 1) +
		l.section("radius_server_challenge", may, "client=ad_client") +
		l.section("radius_server_challenge2", mayNot, "client=ad_client2"))
	assert.Equal(t, "Access-Reject: You must change your password before you can log in here.", p.login(nas(mayNot), "change1", "change1-pw").String())
	reply := p.login(nas(may), "change1", "change1-pw", "1", "short", "short")
	assert.Equal(t, "The new password is too short.\nIt must have at least 8 characters.\n"+
		"It must not be one of your last 3 passwords.\nEnter a new password: ", reply.Message())
	assert.True(t, p.login(nas(may), "change1", "change1-pw", "1", "a new horse", "a new horse").Accepted())
	assert.True(t, p.login(nas(mayNot), "change1", "a new horse", "1").Accepted())
	assert.True(t, p.login(nas(may), "change1", "change1-pw").Rejected())
}

func TestCheckTellsWhatWorksAndWhatDoesNot(t *testing.T) {
	slapd, upstream := ldaptest.StartSlapd(t, nil), freeradiustest.Start(t, freeradiustest.Config{})
	l := newLab(t, directoryUsers())
	good := mainSection + l.slapdClient(slapd, "ldaps", vpnUsers) + radiusClient(t, upstream, "retries=2", "retry_wait=0.2") +
		l.section("radius_server_challenge", freePort(t), "client=ad_client") +
		l.section("radius_server_auto", freePort(t), "client=radius_client")
	path := l.write("authproxy.cfg", good)
	seconds := regexp.MustCompile(`differ by [01]s`) // the service tells no fractions
	status, out := call("check", "-config", path)
	assert.Equal(t, exitOK, status)
	service := "  ok      service " + l.host + ": "
	rest := service + "ping answered\n" + service + "the clocks differ by seconds\n" + service + "the keys are right\n"
	assert.Equal(t, "[radius_server_challenge]\n"+
		"  ok      first factor: "+slapd.TLSAddr+`; connected with LDAPS; bound as "cn=svc-radius,ou=services,dc=example,dc=com"; found users below "dc=example,dc=com"; found all groups`+"\n"+rest+
		"[radius_server_auto]\n"+
		"  ok      first factor: "+upstream.Addr+"; answers Status-Server; answers logins\n"+rest, seconds.ReplaceAllString(out, "differ by seconds"))

	l.write("authproxy.cfg", strings.NewReplacer("=svc-pw", "=wrong-pw", "\nsecret=", "\nsecret=other-").Replace(good))
	status, out = call("check", "-config", path)
	assert.Equal(t, exitFailed, status)
	assert.Regexp(t, `(?m)^  FAILED  first factor: `+slapd.TLSAddr+`; connected with LDAPS: bind as the service account "cn=svc-radius,.*Invalid Credentials.*: check bind_dn \(line \d+\) and service_account_password \(line \d+\)$`, out)
	assert.Regexp(t, `(?m)^  FAILED  first factor: `+upstream.Addr+`: .*secret`, out)
	assert.Equal(t, 2, strings.Count(out, "FAILED"), out)
	assert.Equal(t, 2, strings.Count(seconds.ReplaceAllString(out, "differ by seconds"), rest), "the service is checked all the same")
	for _, secret := range []string{"wrong-pw", "other-", string(upstream.Secret)} {
		assert.NotContains(t, out, secret)
	}
}

// TestMetricsTellWhenCertificatesExpire: of the one that the peer shows, by either
// way to TLS.
func TestMetricsTellWhenCertificatesExpire(t *testing.T) {
	slapd := ldaptest.StartSlapd(t, nil)
	conn, err := tls.Dial("tcp", slapd.TLSAddr, &tls.Config{RootCAs: slapd.CA.Pool, MinVersion: tls.VersionTLS12})
	require.NoError(t, err)
	shown := conn.ConnectionState().PeerCertificates[0]
	require.NoError(t, conn.Close())
	l := newLab(t, directoryUsers())
	ldaps, starttls, noHostname := freePort(t), freePort(t), freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" +
		l.slapdClient(slapd, "ldaps") +
		strings.Replace(l.slapdClient(slapd, "starttls"), "[ad_client]", "[ad_client2]", 1) +
		strings.Replace(l.slapdClient(slapd, "starttls", "ssl_verify_hostname=false"), "[ad_client]", "[ad_client3]", 1) +
		l.section("radius_server_challenge", ldaps, "client=ad_client") +
		l.section("radius_server_challenge2", starttls, "client=ad_client2") +
		l.section("radius_server_challenge3", noHostname, "client=ad_client3"))
	const name = "authproxy_certificate_expiry_timestamp_seconds"
	for section, port := range map[string]int{"radius_server_challenge": ldaps, "radius_server_challenge2": starttls, "radius_server_challenge3": noHostname} {
		require.True(t, p.login(nas(port), "jdoe", "jdoe-pw", "1").Accepted())
		for peer, certificate := range map[string]*x509.Certificate{"first_factor": shown, "service": l.web.Certificate()} {
			assert.Contains(t, l.get(p, "/metrics"),
				fmt.Sprintf("%s{peer=%q,section=%q} %g\n", name, peer, section, float64(certificate.NotAfter.Unix())))
		}
	}
}

func TestActiveDirectoryIsTheFirstFactor(t *testing.T) {
	dir, err := os.MkdirTemp("", "samba") //nolint:usetesting // samba leaves sockets with long names
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	samba, err := ldaptest.StartSamba(dir)
	ldaptest.Need(t, err)
	t.Cleanup(samba.Stop)
	l := newLab(t, directoryUsers())
	tls, clear, auto := freePort(t), freePort(t), freePort(t)
	account := []string{"host=" + samba.Addr, "auth_type=plain", "service_account_username=svc-radius", "service_account_password=svc-pw", "search_dn=DC=example,DC=com"}
	p := l.run(mainSection +
		l.adClient(samba.CA, append(account, "transport=starttls", "security_group_dn=CN=VPNUsers,CN=Users,DC=example,DC=com")...) +
		strings.Replace(l.adClient(samba.CA, append(account, "transport=clear")...), "[ad_client]", "[ad_client2]", 1) +
		strings.Replace(l.adClient(samba.CA, append(account, "transport=ldaps")...), "[ad_client]", "[ad_client3]", 1) +
		l.section("radius_server_challenge", tls, "client=ad_client") +
		l.section("radius_server_challenge2", clear, "client=ad_client2") +
		l.section("radius_server_auto", auto, "client=ad_client3"))
	assert.True(t, p.login(nas(tls), "jdoe", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(nas(tls), "jdoe@example.com", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(nas(tls), "prim", "prim-pw", "1").Accepted())
	assert.True(t, p.login(nas(tls), "alice", "alice-pw").Rejected(), "in the group of a group")
	assert.True(t, p.login(nas(tls), "jdoe", "wrong-pw").Rejected())
	assert.True(t, p.login(nas(auto), "jdoe", "jdoe-pw,push").Accepted())
	assert.True(t, p.login(nas(clear), "jdoe", "jdoe-pw").Rejected())
	p.logged("StartTLS") // which the controller demands
}

// TestTheFileOfTheDocumentationBindsByNTLM: its [ad_client] has no auth_type and no
// transport.
func TestTheFileOfTheDocumentationBindsByNTLM(t *testing.T) {
	const base = "cn=Users,dc=example,dc=com"
	account := func(name, password string) ldapauthtest.Entry {
		return ldapauthtest.Entry{DN: "cn=" + name + "," + base, Password: password, Attributes: map[string][]string{"sAMAccountName": {name}, "objectClass": {"user"}}}
	}
	dc := &ldapauthtest.Directory{OnNTLM: func(_, _, _ string) {}, Entries: []ldapauthtest.Entry{
		{DN: base, Attributes: map[string][]string{"objectClass": {"container"}}},
		account("duoservice", "password1"), account("jdoe", "jdoe-pw"),
	}}
	l := newLab(t, directoryUsers())
	port := freePort(t)
	p := l.run(mainSection + "[ad_client]\nhost=" + dc.Listen(t) +
		"\nservice_account_username=duoservice\nservice_account_password=password1\nsearch_dn=cn=Users,dc=example,dc=com\n" +
		l.section("radius_server_challenge", port, "failmode=safe", "client=ad_client"))
	assert.True(t, p.login(nas(port), "jdoe", "jdoe-pw", "1").Accepted())
	assert.True(t, p.login(nas(port), "jdoe", "wrong-pw").Rejected())
}
