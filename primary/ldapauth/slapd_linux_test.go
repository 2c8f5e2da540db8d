package ldapauth

import (
	"crypto/tls"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary/primarytest"
)

func slapdAuth(t testing.TB, s *ldaptest.Slapd) *Authenticator {
	return closeAfter(t, &Authenticator{
		Hosts:             []string{s.Addr},
		TLSConfig:         &tls.Config{RootCAs: s.CA.Pool},
		ServiceUser:       "cn=svc-radius,ou=services," + base,
		ServicePassword:   "svc-pw",
		BaseDN:            base,
		UsernameAttribute: "uid",
		AtAttribute:       "mail",
		Timeout:           5 * time.Second,
		Logger:            quiet,
	})
}

func TestOpenLDAPUsersAreTreatedAsTheirAccountsSay(t *testing.T) {
	runOutcomes(t, slapdAuth(t, ldaptest.StartSlapd(t, nil)), []outcome{
		{"jdoe", "jdoe-pw", "", ""},
		{"JDOE", "jdoe-pw", "", ""},
		{`ANY\jdoe`, "jdoe-pw", "not the directory's own", ""},
		{"jdoe@example.com", "jdoe-pw", "", ""},
		{"alice", "alice-pw", "", ""},
		{"zoe", "pä$$wörd-€", "", ""},
		{"jsmith", "smith-pw", "", ""},
		{"jdoe", "Not-It-77", "wrong password", ""},
		{"ghost", "ghost-pw", "no entry", ""},
		{"jdoe ", "jdoe-pw", "spelled otherwise", ""},
		{" jdoe", "jdoe-pw", "spelled otherwise", ""},
		{"dup@example.com", "dup-pw", "both have mail", ""},
		{"dup1", "dup-pw", "", ""},
		{"locked", "locked-pw", "the account is locked", ""},
		{"expired", "expired-pw", "the password has expired", expiredText},
		{"expired", "Not-It-77", "wrong password", ""},
		{"grace", "grace-pw", "", ""},
		{"reset", "reset-pw", "must be changed", mustChangeText},
		{"reset", "Not-It-77", "wrong password", ""},
		{"jdoe", "jdoe-pw", "", ""},
		{"brute", "Not-It-77", "wrong password", ""},
		{"brute", "Not-It-77", "wrong password", ""},
		{"brute", "Not-It-77", "wrong password", ""},
		{"brute", "brute-pw", "the account is locked", ""},
	})
}

func TestOpenLDAPGroups(t *testing.T) {
	s := ldaptest.StartSlapd(t, nil)
	users := []string{"jdoe", "alice", "bob", "jsmith", "dup1", "posix"}
	password := map[string]string{"jsmith": "smith-pw", "dup1": "dup-pw"}
	group := func(cn string) []string { return []string{groupDN(cn)} }
	for name, test := range map[string]struct {
		set func(*Authenticator)
		in  []string
	}{
		"direct":        {func(a *Authenticator) { a.Groups = group("vpnusers") }, []string{"jdoe", "jsmith"}},
		"nested":        {func(a *Authenticator) { a.Groups = group("vpnusers"); a.NestedGroups = true }, []string{"jdoe", "jsmith", "alice"}},
		"posix":         {func(a *Authenticator) { a.Groups = group("vpnposix") }, []string{"jdoe", "posix"}},
		"unique":        {func(a *Authenticator) { a.Groups = group("vpnunique") }, []string{"jdoe"}},
		"unique nested": {func(a *Authenticator) { a.Groups = group("vpnunique"); a.NestedGroups = true }, []string{"jdoe", "bob"}},
		"loop":          {func(a *Authenticator) { a.Groups = group("loop2"); a.NestedGroups = true }, []string{"dup1"}},
		"denied":        {func(a *Authenticator) { a.DeniedGroups = group("vpnusers") }, []string{"alice", "bob", "dup1", "posix"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := slapdAuth(t, s)
			test.set(a)
			for _, u := range users {
				pw := password[u]
				if pw == "" {
					pw = u + "-pw"
				}
				err := login(t, a, u, pw)
				if slices.Contains(test.in, u) {
					assert.NoError(t, err, u)
				} else {
					assert.Contains(t, requireRejection(t, err).Reason, "group", u)
				}
			}
		})
	}
}

func TestHostileNamesFindNobodyInOpenLDAP(t *testing.T) {
	auth := slapdAuth(t, ldaptest.StartSlapd(t, nil))
	for _, name := range hostileNames {
		requireRejection(t, login(t, auth, name, "jdoe-pw"))
	}
}

func TestOpenLDAPSaysWhatIsWrongAndWeWhatToSet(t *testing.T) {
	s := ldaptest.StartSlapd(t, &ldaptest.Slapd{RequireTLS: true})
	for name, test := range map[string]struct {
		set  func(*Authenticator)
		want string
	}{
		"wants TLS":        {func(a *Authenticator) { a.Transport = Clear }, "result 13 Confidentiality Required (confidentiality required): the directory takes passwords only over TLS: set Transport to StartTLS or LDAPS"},
		"no DN":            {func(a *Authenticator) { a.ServiceUser = "svc-radius" }, "wants a DN: set ServiceUser to one"},
		"service password": {func(a *Authenticator) { a.ServicePassword = "not-it" }, "check ServiceUser and ServicePassword"},
		"blind service": {func(a *Authenticator) {
			a.ServiceUser, a.ServicePassword = "cn=svc-blind,ou=services,"+base, "blind-pw"
		}, "the entry does not exist, or the service account may not see it"},
		"anonymous":         {func(a *Authenticator) { a.ServiceUser, a.ServicePassword = "", "" }, "give the service account the right"},
		"wrong base":        {func(a *Authenticator) { a.BaseDN = "ou=nowhere," + base }, "the entry does not exist"},
		"other's base":      {func(a *Authenticator) { a.BaseDN = "dc=example,dc=org" }, "the entry does not exist"},
		"NTLM":              {func(a *Authenticator) { a.Bind = NTLM }, "the directory knows no NTLM: set Bind to Simple"},
		"no such group":     {func(a *Authenticator) { a.Groups = []string{groupDN("typo")} }, `search for groups at "cn=typo,`},
		"LDAPS on 389":      {func(a *Authenticator) { a.Transport, a.Timeout = LDAPS, time.Second }, "TLS: "},
		"StartTLS on 636":   {func(a *Authenticator) { a.Hosts, a.Timeout = []string{s.TLSAddr}, time.Second }, "StartTLS: "},
		"another CA":        {func(a *Authenticator) { a.TLSConfig = nil }, "set TLSConfig.RootCAs to the CA of the directory"},
		"another's name":    {func(a *Authenticator) { a.TLSConfig.ServerName = "dc9.example.com" }, "set Hosts to the names in its certificate"},
		"name nobody knows": {func(a *Authenticator) { a.Hosts, a.Timeout = []string{"ldap.invalid"}, time.Second }, "ldap.invalid:389: connect: "},
	} {
		t.Run(name, func(t *testing.T) {
			auth := slapdAuth(t, s)
			test.set(auth)
			err := login(t, auth, "bob", "bob-pw")
			assertUnknown(t, err)
			assert.ErrorContains(t, err, test.want)
			_, err = auth.Check(t.Context())
			assert.Error(t, err)
		})
	}
}

func TestOpenLDAPCheckAndReplyAttributes(t *testing.T) {
	auth := slapdAuth(t, ldaptest.StartSlapd(t, nil))
	auth.Groups = []string{groupDN("vpnusers")}
	auth.Reply = []ReplyAttribute{
		{Type: 11, Attribute: "description"},
		{Type: 25, Value: "vpn", Group: groupDN("vpnusers")},
		{Type: 25, Value: "other", Group: groupDN("others")},
	}
	statuses, err := auth.Check(t.Context())
	require.NoError(t, err)
	assert.Contains(t, statuses[0].String(), "connected with StartTLS; bound as")

	result, err := auth.Authenticate(t.Context(), request("jdoe", "jdoe-pw"))
	require.NoError(t, err)
	var got []string
	for _, a := range result.Attributes {
		got = append(got, string(a.Attribute))
	}
	assert.Equal(t, []string{"net-admins", "staff", "vpn"}, got)
}

func TestOpenLDAPKeepsTheContract(t *testing.T) {
	auth := slapdAuth(t, ldaptest.StartSlapd(t, nil))
	unreachable := closeAfter(t, &Authenticator{Hosts: []string{ldaptest.BlackHole(t)}, BaseDN: base, Logger: quiet})
	primarytest.TestAuthenticator(t, primarytest.Subject{
		Authenticator: auth, Username: "jdoe", Password: "jdoe-pw", Unreachable: unreachable,
	})
}
