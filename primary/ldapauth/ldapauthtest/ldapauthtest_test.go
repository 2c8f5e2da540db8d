package ldapauthtest_test

import (
	"crypto/tls"
	"testing"
	"testing/synctest"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	base = "dc=example,dc=com"
	jdoe = "uid=jdoe," + base
)

func directory() *ldapauthtest.Directory {
	return &ldapauthtest.Directory{Entries: []ldapauthtest.Entry{
		{DN: base, Attributes: map[string][]string{"minPwdLength": {"8"}}},
		{DN: jdoe, Password: "jdoe-pw", Attributes: map[string][]string{
			"uid": {"jdoe"}, "sAMAccountName": {"jdoe"}, "userPrincipalName": {"jdoe@example.com"}, "uidNumber": {"1001"},
			"userAccountControl": {"514"}, "pwdPolicySubentry": {"cn=policy," + base},
		}},
		{DN: "uid=bob,ou=people," + base, Attributes: map[string][]string{"uid": {"bob"}}},
		{DN: "cn=inner," + base, Attributes: map[string][]string{"member": {jdoe}}},
		{DN: "cn=outer," + base, Attributes: map[string][]string{"member": {"cn=inner," + base}}},
		{DN: "cn=policy," + base, Attributes: map[string][]string{"pwdMinLength": {"8"}}},
	}}
}

func dial(t *testing.T, d *ldapauthtest.Directory) *ldap.Conn {
	raw, err := d.Dial(t.Context(), "tcp", "directory")
	require.NoError(t, err)
	c := ldap.NewConn(raw, false)
	c.Start()
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func code(err error) uint16 {
	if e, ok := err.(*ldap.Error); ok { //nolint:errorlint // as go-ldap returns it
		return e.ResultCode
	}
	return 0
}

func TestFiltersFindWhatTheySay(t *testing.T) {
	c := dial(t, directory())
	require.NoError(t, c.Bind(jdoe, "jdoe-pw"))
	for filter, want := range map[string][]string{
		"(uid=JDOE)": {jdoe}, "(uid=j*)": {jdoe}, "(uid=*do*)": {jdoe}, "(uid=*oe)": {jdoe}, "(uid=j*x*e)": nil, "(uid=d*)": nil,
		"(&(uid=*)(!(uid=bob)))": {jdoe}, "(|(uid=bob)(uid=ann))": {"uid=bob,ou=people," + base},
		"(uidNumber>=999)": {jdoe}, "(uidNumber<=999)": nil, "(uid~=jdoe)": {jdoe},
		"(userAccountControl:1.2.840.113556.1.4.803:=2)": {jdoe}, "(userAccountControl:1.2.840.113556.1.4.803:=16)": nil,
		"(member:1.2.840.113556.1.4.1941:=" + jdoe + ")": {"cn=inner," + base, "cn=outer," + base},
		"(uid:9.9.9:=jdoe)": nil,
	} {
		found, err := c.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, 0, 0, 0, false, filter, []string{"UID"}, nil))
		require.NoError(t, err, filter)
		var got []string
		for _, e := range found.Entries {
			got = append(got, e.DN)
			for _, a := range e.Attributes {
				assert.Equal(t, "uid", a.Name, "only what was asked for")
			}
		}
		assert.ElementsMatch(t, want, got, filter)
		assert.Len(t, found.Referrals, 1, "as Active Directory sends")
	}
	for scope, want := range []int{1, 4, 6} {
		found, err := c.Search(ldap.NewSearchRequest(base, scope, 0, 0, 0, false, "(objectClass=*)", nil, nil))
		require.NoError(t, err)
		assert.Len(t, found.Entries, want)
	}
	_, err := c.Search(ldap.NewSearchRequest("dc=nowhere", 2, 0, 0, 0, false, "(uid=*)", nil, nil))
	assert.EqualValues(t, ldap.LDAPResultNoSuchObject, code(err))
}

func TestOnlyARightBindMaySearch(t *testing.T) {
	d := directory()
	c := dial(t, d)
	search := func() error {
		_, err := c.Search(ldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(uid=*)", nil, nil))
		return err
	}
	assert.EqualValues(t, ldap.LDAPResultInsufficientAccessRights, code(search()))
	assert.EqualValues(t, ldap.LDAPResultInvalidCredentials, code(c.Bind(jdoe, "guess")))
	assert.EqualValues(t, ldap.LDAPResultInvalidCredentials, code(c.Bind("jdoe@example.com", "jdoe-pw")))
	d.ActiveDirectory = true
	for _, name := range []string{jdoe, "jdoe@example.com", `EXAMPLE\jdoe`} {
		require.NoError(t, c.Bind(name, "jdoe-pw"), name)
	}
	require.NoError(t, search())
	d.OnSearch = func(string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: ldap.LDAPResultReferral} }
	assert.EqualValues(t, ldap.LDAPResultReferral, code(search()))
	d.Entries[1].MustChange = true
	assert.ErrorContains(t, c.Bind(jdoe, "jdoe-pw"), "data 773")
	assert.EqualValues(t, 6, d.Binds.Load())
}

func TestTLSByBothWays(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := directory()
			server, roots := ldapauthtest.NewTLS("dc1.example.com")
			client := &tls.Config{RootCAs: roots, ServerName: "dc1.example.com"}
			d.TLS, d.LDAPS = server, implicit
			raw, err := d.Dial(t.Context(), "tcp", "dc1")
			require.NoError(t, err)
			if implicit {
				raw = tls.Client(raw, client)
			}
			c := ldap.NewConn(raw, implicit)
			c.Start()
			defer func() { _ = c.Close() }()
			if !implicit {
				require.NoError(t, c.StartTLS(client))
			}
			require.NoError(t, c.Bind(jdoe, "jdoe-pw"))
		})
	}
	c := dial(t, directory())
	assert.EqualValues(t, ldap.LDAPResultProtocolError, code(c.StartTLS(&tls.Config{InsecureSkipVerify: true})))
}

func TestSwitches(t *testing.T) {
	d := directory()
	address := d.Listen(t)
	c, err := ldap.DialURL("ldap://" + address)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.Bind(jdoe, "jdoe-pw"))
	assert.EqualValues(t, 1, d.Dialed.Load())
	d.CloseConns()
	assert.Error(t, c.Bind(jdoe, "jdoe-pw"))
	d.Down.Store(true)
	_, err = d.Dial(t.Context(), "tcp", address)
	assert.ErrorContains(t, err, "is down")
}

func TestPasswordsAreChangedAsInActiveDirectory(t *testing.T) {
	d := directory()
	d.ActiveDirectory, d.Entries[1].MustChange = true, true
	d.Entries = append(d.Entries, ldapauthtest.Entry{DN: "cn=svc," + base, Password: "svc-pw"})
	server, roots := ldapauthtest.NewTLS("dc1")
	d.TLS = server
	c := dial(t, d)
	require.NoError(t, c.Bind("cn=svc,"+base, "svc-pw"))
	change := func(before, after string) error {
		r := ldap.NewModifyRequest(jdoe, nil)
		r.Delete("unicodePwd", []string{quoted(before)})
		r.Add("unicodePwd", []string{quoted(after)})
		return c.Modify(r)
	}
	assert.ErrorContains(t, change("jdoe-pw", "new-secret"), "0000001F", "in clear text")
	require.NoError(t, c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "dc1"}))
	assert.ErrorContains(t, change("guess", "new-secret"), "00000056")
	assert.ErrorContains(t, change("jdoe-pw", "short"), "0000052D")
	reset := ldap.NewModifyRequest(jdoe, nil)
	reset.Replace("unicodePwd", []string{quoted("new-secret")})
	assert.EqualValues(t, ldap.LDAPResultInsufficientAccessRights, code(c.Modify(reset)))
	require.NoError(t, change("jdoe-pw", "new-secret"))
	require.NoError(t, c.Bind(jdoe, "new-secret"))
	assert.EqualValues(t, 3, d.Changes.Load())
}

func TestPasswordsAreChangedByTheirOwners(t *testing.T) {
	d := directory()
	d.Entries[1].MustChange = true
	server, roots := ldapauthtest.NewTLS("dc1")
	d.TLS = server
	c := dial(t, d)
	change := func(dn, before, after string) error {
		_, err := c.PasswordModify(ldap.NewPasswordModifyRequest(dn, before, after))
		return err
	}
	require.NoError(t, c.Bind(jdoe, "jdoe-pw"))
	_, err := c.Search(ldap.NewSearchRequest(base, 2, 0, 0, 0, false, "(uid=*)", nil, nil))
	assert.EqualValues(t, ldap.LDAPResultInsufficientAccessRights, code(err), "until the password is changed")
	assert.EqualValues(t, ldap.LDAPResultConfidentialityRequired, code(change(jdoe, "jdoe-pw", "new-secret")))
	require.NoError(t, c.StartTLS(&tls.Config{RootCAs: roots, ServerName: "dc1"}))
	assert.EqualValues(t, ldap.LDAPResultUnwillingToPerform, code(change(jdoe, "guess", "new-secret")))
	assert.EqualValues(t, ldap.LDAPResultConstraintViolation, code(change(jdoe, "jdoe-pw", "short")))
	assert.EqualValues(t, ldap.LDAPResultInsufficientAccessRights, code(change("uid=bob,ou=people,"+base, "", "new-secret")))
	require.NoError(t, change("", "jdoe-pw", "new-secret"))
	require.NoError(t, c.Bind(jdoe, "new-secret"))
	d.OnChange = func(string, string, string) *ldapauthtest.Result {
		return &ldapauthtest.Result{Code: ldap.LDAPResultBusy}
	}
	assert.EqualValues(t, ldap.LDAPResultBusy, code(change("", "new-secret", "newer-secret")))
}

// quoted is a password as Active Directory wants it.
func quoted(password string) string {
	var b []byte
	for _, c := range []byte(`"` + password + `"`) { // ASCII
		b = append(b, c, 0)
	}
	return string(b)
}
