package ldaptest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Slapd is a running OpenLDAP with the suffix dc=example,dc=com. Its accounts
// and groups are in slapdUsers and slapdGroups; a user's password is the name
// and "-pw", except where it says otherwise.
type Slapd struct {
	CA      *CA
	Addr    string // clear text and StartTLS
	TLSAddr string // LDAPS

	// RequireTLS makes slapd refuse simple binds in clear text.
	RequireTLS bool

	dir  string
	path string
	proc *process
}

const (
	slapdBase   = "dc=example,dc=com"
	slapdPeople = "ou=people," + slapdBase
	slapdGroup  = "ou=groups," + slapdBase
	slapdAdmin  = "cn=admin," + slapdBase
)

// StartSlapd starts an OpenLDAP that ends with the test. s may be nil.
func StartSlapd(tb testing.TB, s *Slapd) *Slapd {
	tb.Helper()
	if s == nil {
		s = &Slapd{}
	}
	Need(tb, s.setUp(tb.TempDir()))
	tb.Cleanup(s.Stop)
	if err := s.Start(); err != nil {
		tb.Fatal(err)
	}
	if err := s.addGroups(); err != nil {
		tb.Fatal(err)
	}
	return s
}

func (s *Slapd) setUp(dir string) (err error) {
	if s.path, err = program("slapd", "slapd"); err != nil {
		return err
	}
	slapadd, err := program("slapadd", "slapd")
	if err != nil {
		return err
	}
	if s.CA, err = NewCA(); err != nil {
		return err
	}
	s.dir = dir
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		return err
	}
	if err := s.CA.write(dir, "localhost", "ldap.example.com", "127.0.0.1"); err != nil {
		return err
	}
	if err := os.WriteFile(s.config(), []byte(s.configText()), 0o600); err != nil {
		return err
	}
	if err := run(slapdLDIF(), slapadd, "-q", "-f", s.config()); err != nil {
		return err
	}
	for _, addr := range []*string{&s.Addr, &s.TLSAddr} {
		port, err := freePort()
		if err != nil {
			return err
		}
		*addr = fmt.Sprintf("127.0.0.1:%d", port)
	}
	return nil
}

func (s *Slapd) config() string { return filepath.Join(s.dir, "slapd.conf") }

func (s *Slapd) configText() string {
	security := ""
	if s.RequireTLS {
		security = "security simple_bind=112"
	}
	return strings.NewReplacer("DIR", s.dir, "SECURITY", security, "SUFFIX", slapdBase).Replace(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile DIR/pid
argsfile DIR/args
TLSCACertificateFile DIR/ca.pem
TLSCertificateFile DIR/server.pem
TLSCertificateKeyFile DIR/server.key
SECURITY
database mdb
maxsize 67108864
suffix "SUFFIX"
rootdn "cn=admin,SUFFIX"
rootpw admin-pw
directory DIR/db
index objectClass,uid,mail,member,uniqueMember,memberOf eq
overlay memberof
memberof-dangling ignore
overlay ppolicy
ppolicy_default "cn=default,ou=policies,SUFFIX"
ppolicy_use_lockout
access to attrs=userPassword by anonymous auth by self write by * none
access to * by dn.exact="cn=svc-radius,ou=services,SUFFIX" read by self read by anonymous auth by * none
`)
}

// Start starts slapd again after Stop or Kill, with the data it had.
func (s *Slapd) Start() (err error) {
	s.proc, err = start(filepath.Join(s.dir, "log"), s.path,
		"-d", "256", "-f", s.config(), "-h", "ldap://"+s.Addr+" ldaps://"+s.TLSAddr)
	if err != nil {
		return err
	}
	if err := await(10*time.Second, func() error {
		c, err := ldap.DialURL("ldap://" + s.Addr)
		if err == nil {
			_ = c.Close()
		}
		return err
	}); err != nil {
		return s.proc.failed(err)
	}
	return nil
}

// Stop ends slapd in an orderly way.
func (s *Slapd) Stop() { s.proc.end(syscall.SIGTERM) }

// Kill ends slapd at once.
func (s *Slapd) Kill() { s.proc.end(syscall.SIGKILL) }

// Freeze makes slapd accept connections and answer nothing, until Thaw.
func (s *Slapd) Freeze() { _ = s.proc.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Slapd) Thaw() { _ = s.proc.cmd.Process.Signal(syscall.SIGCONT) }

// slapdUser is a person; rdn is empty for uid=name, password for name-pw.
type slapdUser struct{ name, rdn, password, mail, extra string }

func slapdUsers() []slapdUser {
	const policy = "pwdPolicySubentry: cn=%s,ou=policies," + slapdBase + "\n"
	const changedLongAgo = "pwdChangedTime: 20200101000000Z\n"
	return []slapdUser{
		{name: "jdoe", extra: "description: net-admins\ndescription: staff\n"},
		{name: "alice"},
		{name: "bob"},
		{name: "zoe", password: "pä$$wörd-€"},
		{name: "jsmith", rdn: `cn=Smith\, John (admin)`, password: "smith-pw"},
		{name: "dup1", password: "dup-pw", mail: "dup@example.com"},
		{name: "dup2", password: "dup-pw", mail: "dup@example.com"},
		{name: "locked", extra: "pwdAccountLockedTime: 000001010000Z\n"},
		{name: "expired", extra: fmt.Sprintf(policy, "expiring") + changedLongAgo},
		{name: "grace", extra: fmt.Sprintf(policy, "gracing") + changedLongAgo},
		{name: "reset", extra: "pwdReset: TRUE\n"},
		{name: "change1", extra: fmt.Sprintf(policy, "strict") + "pwdReset: TRUE\n"},
		{name: "change4", extra: fmt.Sprintf(policy, "strict") + "pwdReset: TRUE\n"},
		{name: "change2", extra: "pwdReset: TRUE\n"},
		{name: "change3", extra: fmt.Sprintf(policy, "fixed") + "pwdReset: TRUE\n"},
		{name: "brute", extra: fmt.Sprintf(policy, "lockafter3")},
		{name: "posix", extra: "objectClass: posixAccount\nuidNumber: 5001\ngidNumber: 5001\nhomeDirectory: /\n"},
	}
}

func slapdLDIF() string {
	var b strings.Builder
	b.WriteString("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n")
	for _, ou := range []string{"people", "groups", "services", "policies"} {
		fmt.Fprintf(&b, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %[1]s\n\n", ou, slapdBase)
	}
	for _, p := range []struct {
		name                          string
		age, failures, lockFor, grace int
	}{{"default", 0, 0, 0, 0}, {"expiring", 1, 0, 0, 0}, {"gracing", 1, 0, 0, 3}, {"lockafter3", 0, 3, 2, 0}} {
		fmt.Fprintf(&b, "dn: cn=%s,ou=policies,%s\nobjectClass: device\nobjectClass: pwdPolicy\ncn: %[1]s\n"+
			"pwdAttribute: userPassword\npwdMustChange: TRUE\npwdLockout: TRUE\npwdMaxAge: %[3]d\n"+
			"pwdMaxFailure: %d\npwdLockoutDuration: %d\npwdGraceAuthNLimit: %d\n\n",
			p.name, slapdBase, p.age, p.failures, p.lockFor, p.grace)
	}
	for name, rules := range map[string]string{
		"strict": "pwdMinLength: 8\npwdCheckQuality: 2\npwdInHistory: 3\n", "fixed": "pwdAllowUserChange: FALSE\n",
	} {
		fmt.Fprintf(&b, "dn: cn=%s,ou=policies,%s\nobjectClass: device\nobjectClass: pwdPolicy\ncn: %[1]s\n"+
			"pwdAttribute: userPassword\npwdMustChange: TRUE\n%[3]s\n", name, slapdBase, rules)
	}
	for name, password := range map[string]string{"svc-radius": "svc-pw", "svc-blind": "blind-pw"} {
		fmt.Fprintf(&b, "dn: cn=%s,ou=services,%s\nobjectClass: organizationalRole\n"+
			"objectClass: simpleSecurityObject\ncn: %[1]s\nuserPassword: %[3]s\n\n", name, slapdBase, password)
	}
	for _, u := range slapdUsers() {
		writePerson(&b, u)
	}
	return b.String()
}

func writePerson(b *strings.Builder, u slapdUser) {
	if u.rdn == "" {
		u.rdn = "uid=" + u.name
	}
	if u.password == "" {
		u.password = u.name + "-pw"
	}
	if u.mail == "" {
		u.mail = u.name + "@example.com"
	}
	fmt.Fprintf(b, "dn: %s,%s\nobjectClass: inetOrgPerson\n%suid: %s\nsn: %[4]s\ncn: %[4]s\nmail: %s\nuserPassword:: %s\n\n",
		u.rdn, slapdPeople, u.extra, u.name, u.mail, base64.StdEncoding.EncodeToString([]byte(u.password)))
}

// slapdGroups are the groups: name to object class, attribute and members.
var slapdGroups = []struct {
	name, class, attr string
	members           []string
}{
	{"contractors", "groupOfNames", "member", []string{"uid=alice," + slapdPeople}},
	{"vpnusers", "groupOfNames", "member", []string{
		"uid=jdoe," + slapdPeople, "uid=zoe," + slapdPeople, `cn=Smith\, John (admin),` + slapdPeople,
		"uid=locked," + slapdPeople, "uid=expired," + slapdPeople, "uid=grace," + slapdPeople,
		"uid=reset," + slapdPeople, "uid=brute," + slapdPeople, "cn=contractors," + slapdGroup,
	}},
	{"others", "groupOfNames", "member", []string{"uid=bob," + slapdPeople}},
	{"vpnposix", "posixGroup", "memberUid", []string{"jdoe"}},
	{"vpnunique", "groupOfUniqueNames", "uniqueMember", []string{"uid=jdoe," + slapdPeople, "cn=others," + slapdGroup}},
	// Two groups that contain each other.
	{"loop1", "groupOfNames", "member", []string{"uid=dup1," + slapdPeople, "cn=loop2," + slapdGroup}},
	{"loop2", "groupOfNames", "member", []string{"cn=loop1," + slapdGroup}},
}

// addGroups adds the groups by LDAP, for only then memberOf is kept.
func (s *Slapd) addGroups() error {
	c, err := ldap.DialURL("ldaps://"+s.TLSAddr, ldap.DialWithTLSConfig(s.CA.config("localhost")))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Bind(slapdAdmin, "admin-pw"); err != nil {
		return err
	}
	for _, g := range slapdGroups {
		add := ldap.NewAddRequest("cn="+g.name+","+slapdGroup, nil)
		add.Attribute("objectClass", []string{g.class})
		add.Attribute("cn", []string{g.name})
		add.Attribute(g.attr, g.members)
		if g.class == "posixGroup" {
			add.Attribute("gidNumber", []string{"5001"})
		}
		if err := c.Add(add); err != nil {
			return fmt.Errorf("adding group %s: %w", g.name, err)
		}
	}
	return nil
}
