package main

import (
	"encoding/pem"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/ldaptest"
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

func TestOpenLDAPIsTheFirstFactor(t *testing.T) {
	slapd := ldaptest.StartSlapd(t, nil)
	host, ldapPort, err := net.SplitHostPort(slapd.Addr)
	require.NoError(t, err)
	l := newLab(t, directoryUsers())
	port := freePort(t)
	p := l.run(mainSection + l.adClient(slapd.CA,
		"host="+host, "port="+ldapPort, "timeout=2", "transport=starttls", "auth_type=plain",
		"bind_dn=cn=svc-radius,ou=services,dc=example,dc=com", "service_account_password=svc-pw",
		"search_dn=dc=example,dc=com", "security_group_dn=cn=vpnusers,ou=groups,dc=example,dc=com",
		"username_attribute=uid", "at_attribute=mail", "ldap_filter=(!(uid=zoe))",
	) + l.section("radius_server_challenge", port))
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
	account := func(name, password string) ldaptest.Entry {
		return ldaptest.Entry{DN: "cn=" + name + "," + base, Password: password, Attributes: map[string][]string{"sAMAccountName": {name}, "objectClass": {"user"}}}
	}
	dc := &ldaptest.Fake{NTLM: true, Entries: []ldaptest.Entry{
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
