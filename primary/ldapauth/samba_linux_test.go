package ldapauth

import (
	"crypto/tls"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary/primarytest"
)

// dc is the domain controller of all tests, since setting one up takes a while.
var dc struct {
	sync.Mutex
	*ldaptest.Samba
	dir string
	err error
}

// samba returns a running domain controller with the setting "ldap server
// require strong auth".
func samba(t *testing.T) *ldaptest.Samba {
	t.Helper()
	dc.Lock()
	defer dc.Unlock()
	if dc.dir == "" {
		dir, err := os.MkdirTemp("", "samba") //nolint:usetesting // it outlives this test
		require.NoError(t, err)
		dc.dir = dir
		dc.Samba, dc.err = ldaptest.StartSamba(dir)
	}
	ldaptest.Need(t, dc.err)
	return dc.Samba
}

func stopSamba() {
	dc.Stop()
	_ = os.RemoveAll(dc.dir)
}

const (
	adBase = "DC=example,DC=com"
	adVPN  = "CN=VPNUsers,CN=Users," + adBase
)

func adAuth(t *testing.T, s *ldaptest.Samba) *Authenticator {
	return closeAfter(t, &Authenticator{
		Hosts:           []string{s.Addr},
		TLSConfig:       &tls.Config{RootCAs: s.CA.Pool},
		ServiceUser:     "svc-radius@example.com",
		ServicePassword: "svc-pw",
		BaseDN:          adBase,
		Timeout:         5 * time.Second,
		Logger:          quiet,
	})
}

func TestActiveDirectoryUsersAreTreatedAsTheirAccountsSay(t *testing.T) {
	s := samba(t)
	require.NoError(t, s.ClearLockout("brute"))
	runOutcomes(t, adAuth(t, s), []outcome{
		{"jdoe", "jdoe-pw", "", ""},
		{"JDoe", "jdoe-pw", "", ""},
		{`EXAMPLE\jdoe`, "jdoe-pw", "", ""},
		{`example.com\jdoe`, "jdoe-pw", "", ""},
		{`zzz\jdoe`, "jdoe-pw", "not the directory's own", ""},
		{`OTHERDOMAIN\jdoe`, "jdoe-pw", "not the directory's own", ""},
		{"jdoe@otherdomain.com", "jdoe-pw", "no entry", ""},
		{"jdoe@example.com", "jdoe-pw", "", ""},
		{"login.name@corp.example", "upn-pw", "", ""},
		{"upn", "upn-pw", "", ""},
		{"noupn", "noupn-pw", "", ""},
		{"noupn@example.com", "noupn-pw", "no entry", ""},
		{"jsmith", "jsmith-pw", "", ""},
		{"zoe", "pä$$wörd-€", "", ""},
		{"prim", "prim-pw", "", ""},
		{"jdoe", "Not-It-77", "wrong password", ""},
		{"ghost", "ghost-pw", "no entry", ""},
		{"disabled", "disabled-pw", "the account is disabled", disabledText},
		{"disabled", "Not-It-77", "wrong password", ""},
		{"mustchange", "mustchange-pw", "must be changed", mustChangeText},
		{"mustchange", "Not-It-77", "wrong password", ""},
		{"locked", "locked-pw", "the account is locked", ""},
		{"expired", "expired-pw", "the password has expired", expiredText},
		{"acctexp", "acctexp-pw", "the account has expired", accountExpiredText},
		{"hours", "hours-pw", "at this time", hoursText},
		{"station", "station-pw", "from this workstation", workstationText},
		{"brute", "Not-It-77", "wrong password", ""},
		{"brute", "Not-It-77", "wrong password", ""},
		{"brute", "Not-It-77", "wrong password", ""},
		{"brute", "brute-pw", "the account is locked", ""},
	})
}

func TestActiveDirectoryNamesTheAccount(t *testing.T) {
	a := adAuth(t, samba(t))
	for typed, account := range map[string]string{
		"JDOE": "jdoe", `EXAMPLE\jdoe`: "jdoe", "jdoe@example.com": "jdoe", "login.name@corp.example": "upn",
	} {
		password := account + "-pw"
		result, err := a.Authenticate(t.Context(), request(typed, password))
		if assert.NoError(t, err, typed) {
			assert.Equal(t, account, result.Username, typed)
		}
	}
}

func TestActiveDirectoryGroups(t *testing.T) {
	s := samba(t)
	users := []string{"jdoe", "alice", "bob", "prim", "primnest"}
	for name, test := range map[string]struct {
		set func(*Authenticator)
		in  []string
	}{
		"direct and primary":        {func(a *Authenticator) { a.Groups = []string{adVPN} }, []string{"jdoe", "prim"}},
		"nested and primary nested": {func(a *Authenticator) { a.Groups = []string{adVPN}; a.NestedGroups = true }, []string{"jdoe", "alice", "prim", "primnest"}},
		"denied":                    {func(a *Authenticator) { a.DeniedGroups = []string{adVPN} }, []string{"alice", "bob", "primnest"}},
		"denied nested":             {func(a *Authenticator) { a.DeniedGroups = []string{adVPN}; a.NestedGroups = true }, []string{"bob"}},
		"one of two":                {func(a *Authenticator) { a.Groups = []string{"cn=contractors, cn=users, dc=example, dc=com", adVPN} }, []string{"jdoe", "prim", "alice", "primnest"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := adAuth(t, s)
			test.set(a)
			for _, u := range users {
				err := login(t, a, u, u+"-pw")
				if slices.Contains(test.in, u) {
					assert.NoError(t, err, u)
				} else {
					assert.Contains(t, requireRejection(t, err).Reason, "group", u)
				}
			}
		})
	}
}

func TestHostileNamesFindNobodyInActiveDirectory(t *testing.T) {
	auth := adAuth(t, samba(t))
	for _, name := range append([]string{"jdoe ", " jdoe", "S-1-5-18", "CN=jdoe,CN=Users," + adBase}, hostileNames...) {
		requireRejection(t, login(t, auth, name, "jdoe-pw"))
	}
}

func TestActiveDirectoryServiceAccountNames(t *testing.T) {
	s := samba(t)
	for _, user := range []string{"svc-radius@example.com", `EXAMPLE\svc-radius`, "CN=svc-radius,CN=Users," + adBase} {
		for _, transport := range []Transport{StartTLS, LDAPS} {
			auth := adAuth(t, s)
			auth.ServiceUser, auth.Transport = user, transport
			statuses, err := auth.Check(t.Context())
			require.NoError(t, err, "%s %v", user, statuses)
			require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		}
	}
}

func TestActiveDirectorySaysWhatIsWrongAndWeWhatToSet(t *testing.T) {
	s := samba(t)
	for name, test := range map[string]struct {
		set  func(*Authenticator)
		want string
	}{
		"clear text": {func(a *Authenticator) { a.Transport = Clear }, "the directory takes passwords only over TLS: set Transport to StartTLS or LDAPS"},
		"NTLM":       {func(a *Authenticator) { a.Bind, a.Timeout = NTLM, time.Second }, "a directory without NTLM may hang up (Samba does): then set Bind to Simple"},
		"NTLM clear": {func(a *Authenticator) { a.Bind, a.Transport, a.Timeout = NTLM, Clear, time.Second }, "a directory without NTLM may hang up (Samba does): then set Bind to Simple"},
		"bare name":  {func(a *Authenticator) { a.ServiceUser = "svc-radius" }, `ServiceUser must be a DN, or on Active Directory name@domain or DOMAIN\name`},
		"password":   {func(a *Authenticator) { a.ServicePassword = "not-it" }, "wrong password: check ServiceUser and ServicePassword"},
		"locked":     {func(a *Authenticator) { a.ServiceUser = "locked@example.com" }, "the account is locked: check ServiceUser"},
		"anonymous":  {func(a *Authenticator) { a.ServiceUser, a.ServicePassword = "", "" }, "lets nobody search without a bind: set ServiceUser"},
		"wrong base": {func(a *Authenticator) { a.BaseDN = "OU=nowhere," + adBase }, "the entry does not exist"},
		"other base": {func(a *Authenticator) { a.BaseDN = "DC=example,DC=org" }, "search below"},
	} {
		t.Run(name, func(t *testing.T) {
			auth := adAuth(t, s)
			test.set(auth)
			err := login(t, auth, "jdoe", "jdoe-pw")
			assertUnknown(t, err)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestRelaxedControllerTakesClearText(t *testing.T) {
	s := samba(t)
	s.Stop()
	require.NoError(t, s.Start("no"))
	defer func() {
		s.Stop()
		require.NoError(t, s.Start("yes"))
	}()
	auth := adAuth(t, s)
	auth.Transport = Clear
	require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
	requireRejection(t, login(t, auth, "jdoe", "Not-It-77"))
}

func TestActiveDirectoryRestartedUnderLoadCostsNoLogin(t *testing.T) {
	s := samba(t)
	auth := adAuth(t, s)
	auth.RefusedFor = 10 * time.Second                             // it takes longer to start than a directory of one process
	auth.Timeout, auth.RefusedFor = 20*time.Second, 20*time.Second // it takes longer to start than slapd
	auth.Groups, auth.NestedGroups = []string{adVPN}, true
	leavesNothing(t, func() {
		during(t, auth, 20*time.Second, func() {
			s.Stop()
			assert.NoError(t, s.Start("yes"))
		})
		require.NoError(t, auth.Close())
	})
}

func TestActiveDirectoryKeepsTheContract(t *testing.T) {
	auth := adAuth(t, samba(t))
	unreachable := closeAfter(t, &Authenticator{Hosts: []string{ldaptest.BlackHole(t)}, BaseDN: base, Logger: quiet})
	primarytest.TestAuthenticator(t, primarytest.Subject{
		Authenticator: auth, Username: "jdoe", Password: "jdoe-pw", Unreachable: unreachable,
	})
}
