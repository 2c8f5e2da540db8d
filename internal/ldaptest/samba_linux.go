package ldaptest

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode/utf16"

	"github.com/go-ldap/ldap/v3"
)

// Samba is a running Active Directory domain controller, dc1 of the domain
// EXAMPLE.COM (NetBIOS EXAMPLE). Its accounts are in sambaUsers; a user's
// password is the name and "-pw", except where it says otherwise. It listens on
// the usual ports of a loopback address of its own, which takes root.
type Samba struct {
	CA   *CA
	Addr string // an address of 127.0.0.0/8

	dir  string
	path string
	proc *process
}

const (
	sambaBase     = "DC=example,DC=com"
	sambaPeople   = "CN=Users," + sambaBase
	sambaPackages = "samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules ldb-tools"
)

// StartSamba sets up a domain in dir, which takes about 15 s, and starts it.
// Stop must be called in the end. Need tells what to do about an error.
func StartSamba(dir string) (*Samba, error) {
	s := &Samba{dir: dir}
	var tool, ldbadd string
	for name, path := range map[string]*string{
		"samba": &s.path, "samba-tool": &tool, "ldbadd": &ldbadd,
	} {
		var err error
		if *path, err = program(name, sambaPackages); err != nil {
			return nil, err
		}
	}
	if _, err := os.Stat("/usr/share/samba/setup/ad-schema"); err != nil {
		return nil, fmt.Errorf("samba's schema: %w: apt-get install %s", errAbsent, sambaPackages)
	}
	if os.Getuid() != 0 {
		return nil, fmt.Errorf("samba can only run as root, so here it counts as %w", errAbsent)
	}
	if err := s.provision(tool); err != nil {
		return nil, err
	}
	if err := s.edit(sambaPolicy); err != nil {
		return nil, err
	}
	if err := run(sambaLDIF(), ldbadd, "-H", filepath.Join(dir, "private", "sam.ldb")); err != nil {
		return nil, err
	}
	if err := s.edit(sambaChanges, permitPwdLastSet); err != nil {
		return nil, err
	}
	if err := s.Start("yes"); err != nil {
		return nil, err
	}
	return s, s.asAdmin(setPrimaryGroups)
}

// freeLoopback returns an address of 127.0.0.0/8 on which no LDAP server is.
func freeLoopback() (string, error) {
	for range 100 {
		addr := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
		if l, err := net.Listen("tcp", addr+":389"); err == nil {
			return addr, l.Close()
		}
	}
	return "", errors.New("no address of 127.0.0.0/8 has a free port 389")
}

func (s *Samba) provision(tool string) (err error) {
	if s.CA, err = NewCA(); err != nil {
		return err
	}
	if s.Addr, err = freeLoopback(); err != nil {
		return err
	}
	for _, sub := range []string{"run", "ncalrpc", "wb", "logs", "pki"} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o755); err != nil {
			return err
		}
	}
	if err := s.CA.write(filepath.Join(s.dir, "pki"), "dc1.example.com", s.Addr); err != nil {
		return err
	}
	// An empty configuration, or the machine's own would be merged in. The NT ACLs
	// go into a file, since not every file system can keep them.
	empty := filepath.Join(s.dir, "empty.conf")
	if err := os.WriteFile(empty, []byte("[global]\n"), 0o600); err != nil {
		return err
	}
	return run("", tool, "domain", "provision", "-s", empty, "--targetdir="+s.dir,
		"--realm=EXAMPLE.COM", "--domain=EXAMPLE", "--server-role=dc", "--dns-backend=NONE",
		"--host-name=dc1", "--host-ip="+s.Addr, "--adminpass=Admin-Pw1!",
		"--option=interfaces="+s.Addr+"/8", "--option=bind interfaces only=yes",
		"--option=posix:eadb="+filepath.Join(s.dir, "eadb.tdb"))
}

// Start starts the controller again after Stop. strongAuth is the setting "ldap
// server require strong auth": yes or no.
func (s *Samba) Start(strongAuth string) error {
	config := strings.NewReplacer("DIR", s.dir, "ADDR", s.Addr, "STRONG", strongAuth).Replace(`[global]
netbios name = DC1
realm = EXAMPLE.COM
workgroup = EXAMPLE
server role = active directory domain controller
server services = rpc, ldap, cldap, kdc
interfaces = ADDR/8
bind interfaces only = yes
disable netbios = yes
prefork children = 2
private dir = DIR/private
state directory = DIR/state
cache directory = DIR/cache
lock directory = DIR
binddns dir = DIR/bind-dns
pid directory = DIR/run
ncalrpc dir = DIR/ncalrpc
winbindd socket directory = DIR/wb
log file = DIR/logs/log.%m
posix:eadb = DIR/eadb.tdb
tls certfile = DIR/pki/server.pem
tls keyfile = DIR/pki/server.key
tls cafile = DIR/pki/ca.pem
ldap server require strong auth = STRONG
`)
	file := filepath.Join(s.dir, "test.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	var err error
	s.proc, err = start(filepath.Join(s.dir, "log"), s.path, "-F", "--no-process-group", "-s", file, "--debug-stdout")
	if err != nil {
		return err
	}
	if err := await(30*time.Second, func() error { return s.Bind("svc-radius@example.com", "svc-pw") }); err != nil {
		s.Stop()
		return s.proc.failed(err)
	}
	_ = s.Bind("locked@example.com", "wrong") // once is enough for this user
	return nil
}

// Stop ends the controller.
func (s *Samba) Stop() {
	if s != nil {
		s.proc.end(syscall.SIGTERM)
	}
}

// Bind tries a password.
func (s *Samba) Bind(name, password string) error {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return c.Bind(name, password)
}

// sambaUser is a user; cn is empty for the name, password for name-pw, upn for
// name@example.com, and "-" for none.
type sambaUser struct {
	name, cn, password, upn, mail string
	control                       int // userAccountControl, 0 for a normal account
}

func sambaUsers() []sambaUser {
	const disabled = 514
	users := []sambaUser{
		{name: "svc-radius", password: "svc-pw"},
		{name: "zoe", password: "pä$$wörd-€"},
		{name: "dup1", password: "dup-pw", mail: "dup@example.com"},
		{name: "dup2", password: "dup-pw", mail: "dup@example.com"},
		{name: "jsmith", cn: `Smith\, John (admin)`},
		{name: "upn", upn: "login.name@corp.example"},
		{name: "noupn", upn: "-"},
		{name: "disabled", control: disabled},
	}
	for _, name := range []string{
		"jdoe", "alice", "bob", "prim", "primnest", "mustchange", "locked", "expired",
		"acctexp", "hours", "station", "protected", "brute",
		"change1", "change2", "change3", "change4",
	} {
		users = append(users, sambaUser{name: name})
	}
	return users
}

// sambaLDIF has the users, groups and password policies.
func sambaLDIF() string {
	var b strings.Builder
	for _, u := range sambaUsers() {
		writeUser(&b, u)
	}
	writeGroup(&b, "Contractors", "alice", "primnest")
	writeGroup(&b, "VPNUsers", "jdoe", "zoe", `Smith\, John (admin)`, "Contractors", "prim", "disabled",
		"mustchange", "locked", "change1", "change2", "change3", "change4", "expired", "acctexp", "hours", "station", "protected", "brute")
	const minute, day = 60 * 1e7, 24 * 60 * 60 * 1e7
	writePolicy(&b, "lock1min", "brute", 3, minute, 0)
	writePolicy(&b, "lockforever", "locked", 1, 60*day, 0)
	writePolicy(&b, "expiring", "expired", 0, minute, 2*day)
	return b.String()
}

func writeUser(b *strings.Builder, u sambaUser) {
	if u.cn == "" {
		u.cn = u.name
	}
	if u.password == "" {
		u.password = u.name + "-pw"
	}
	if u.control == 0 {
		u.control = 512
	}
	if u.mail == "" {
		u.mail = u.name + "@example.com"
	}
	fmt.Fprintf(b, "dn: CN=%s,%s\nobjectClass: user\nsAMAccountName: %s\nmail: %s\n"+
		"userAccountControl: %d\nunicodePwd:: %s\n", u.cn, sambaPeople, u.name, u.mail, u.control, unicodePwd(u.password))
	switch u.upn {
	case "":
		fmt.Fprintf(b, "userPrincipalName: %s@example.com\n", u.name)
	case "-":
	default:
		fmt.Fprintf(b, "userPrincipalName: %s\n", u.upn)
	}
	b.WriteString("\n")
}

func unicodePwd(password string) string {
	return base64.StdEncoding.EncodeToString([]byte(quoted(password)))
}

// quoted is a password in quotes and UTF-16, as Active Directory wants it.
func quoted(password string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + password + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

func writeGroup(b *strings.Builder, name string, members ...string) {
	fmt.Fprintf(b, "dn: CN=%s,%s\nobjectClass: group\nsAMAccountName: %[1]s\n", name, sambaPeople)
	for _, m := range members {
		fmt.Fprintf(b, "member: CN=%s,%s\n", m, sambaPeople)
	}
	b.WriteString("\n")
}

// writePolicy writes a fine-grained policy for one user. Times are in units of
// 100 ns; a maxAge of 0 is for ever.
func writePolicy(b *strings.Builder, name, user string, threshold int, lockFor, maxAge int64) {
	expires := int64(math.MinInt64)
	if maxAge > 0 {
		expires = -maxAge
	}
	fmt.Fprintf(b, `dn: CN=%s,CN=Password Settings Container,CN=System,%s
objectClass: msDS-PasswordSettings
msDS-PasswordSettingsPrecedence: 1
msDS-PasswordReversibleEncryptionEnabled: FALSE
msDS-PasswordHistoryLength: 0
msDS-PasswordComplexityEnabled: FALSE
msDS-MinimumPasswordLength: 4
msDS-MinimumPasswordAge: 0
msDS-MaximumPasswordAge: %d
msDS-LockoutThreshold: %d
msDS-LockoutObservationWindow: %d
msDS-LockoutDuration: %[5]d
msDS-PSOAppliesTo: CN=%[6]s,%[7]s

`, name, sambaBase, expires, threshold, -lockFor, user, sambaPeople)
}

// The changes of entries that exist: the domain's policy, without which the
// passwords would be refused, and what no user can be created with.
const (
	sambaPolicy = `dn: ` + sambaBase + `
changetype: modify
replace: minPwdLength
minPwdLength: 4
-
replace: pwdProperties
pwdProperties: 0
-
replace: minPwdAge
minPwdAge: 0
-
replace: maxPwdAge
maxPwdAge: -9223372036854775808
-
replace: lockoutThreshold
lockoutThreshold: 0

`
	sambaChanges = `dn: CN=mustchange,` + sambaPeople + `
changetype: modify
replace: pwdLastSet
pwdLastSet: 0

dn: CN=expired,` + sambaPeople + `
changetype: modify
replace: pwdLastSet
pwdLastSet: 131000000000000000

dn: CN=acctexp,` + sambaPeople + `
changetype: modify
replace: accountExpires
accountExpires: 131000000000000000

dn: CN=hours,` + sambaPeople + `
changetype: modify
replace: logonHours
logonHours:: AAAAAAAAAAAAAAAAAAAAAAAAAAAA

dn: CN=station,` + sambaPeople + `
changetype: modify
replace: userWorkstations
userWorkstations: PC1

dn: CN=Protected Users,` + sambaPeople + `
changetype: modify
add: member
member: CN=protected,` + sambaPeople + `

`
)

// asAdmin runs change as the domain's administrator.
func (s *Samba) asAdmin(change func(*ldap.Conn) error) error {
	c, err := s.dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	if err := c.Bind("Administrator@example.com", "Admin-Pw1!"); err != nil {
		return err
	}
	return change(c)
}

// setPrimaryGroups makes VPNUsers and Contractors the primary groups of two
// users, which takes them out of the groups' members.
func setPrimaryGroups(c *ldap.Conn) error {
	for user, group := range map[string]string{"prim": "VPNUsers", "primnest": "Contractors"} {
		found, err := c.Search(ldap.NewSearchRequest("CN="+group+","+sambaPeople, ldap.ScopeBaseObject, 0, 0, 0,
			false, "(objectClass=group)", []string{"primaryGroupToken"}, nil))
		if err != nil {
			return err
		}
		change := ldap.NewModifyRequest("CN="+user+","+sambaPeople, nil)
		change.Replace("primaryGroupID", found.Entries[0].GetAttributeValues("primaryGroupToken"))
		if err := c.Modify(change); err != nil {
			return err
		}
	}
	return nil
}

func (s *Samba) dial() (*ldap.Conn, error) {
	return ldap.DialURL("ldaps://"+s.Addr, ldap.DialWithTLSConfig(s.CA.config("dc1.example.com")))
}
