package ldaptest

import (
	"path/filepath"

	"github.com/go-ldap/ldap/v3"
)

// ClearLockout ends the lock that wrong passwords brought upon a user.
func (s *Samba) ClearLockout(user string) error {
	return s.asAdmin(func(c *ldap.Conn) error {
		change := ldap.NewModifyRequest("CN="+user+","+sambaPeople, nil)
		change.Replace("lockoutTime", []string{"0"})
		return c.Modify(change)
	})
}

// MustChange gives a user a password that must be changed.
func (s *Samba) MustChange(user, password string) error {
	return s.Modify("CN="+user+","+sambaPeople, map[string]string{"unicodePwd": quoted(password), "pwdLastSet": "0"})
}

// Expire makes a user's password an old one.
func (s *Samba) Expire(user string) error {
	change := "dn: CN=" + user + "," + sambaPeople + "\nchangetype: modify\nreplace: pwdLastSet\npwdLastSet: 131000000000000000\n"
	return s.edit(change, permitPwdLastSet)
}

// permitPwdLastSet is an option of ldbmodify that permits writing pwdLastSet.
const permitPwdLastSet = "--controls=local_oid:1.3.6.1.4.1.7165.4.3.20:0"

// edit changes the domain in its files.
func (s *Samba) edit(ldif string, args ...string) error {
	ldbmodify, err := program("ldbmodify", sambaPackages)
	if err != nil {
		return err
	}
	return run(ldif, ldbmodify, append([]string{"-H", filepath.Join(s.dir, "private", "sam.ldb")}, args...)...)
}

// Modify replaces attributes as the domain's administrator.
func (s *Samba) Modify(dn string, attributes map[string]string) error {
	return s.asAdmin(func(c *ldap.Conn) error {
		change := ldap.NewModifyRequest(dn, nil)
		for name, value := range attributes {
			change.Replace(name, []string{value})
		}
		return c.Modify(change)
	})
}

// ForbidChange takes the right to change the user's password from everybody.
func (s *Samba) ForbidChange(user string) error {
	tool, err := program("samba-tool", sambaPackages)
	if err != nil {
		return err
	}
	const changePassword = "ab721a53-1e2f-11d0-9819-00aa0040529b" // User-Change-Password
	deny := ""
	for _, whom := range []string{"WD", "PS"} { // Everyone, Self
		deny += "(OD;;CR;" + changePassword + ";;" + whom + ")"
	}
	return run("", tool, "dsacl", "set", "-s", filepath.Join(s.dir, "test.conf"), "-H", filepath.Join(s.dir, "private", "sam.ldb"),
		"--objectdn=CN="+user+","+sambaPeople, "--sddl="+deny)
}
