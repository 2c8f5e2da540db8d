package ldapauth

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

// hostileNames must find nobody.
var hostileNames = []string{
	"", "*", "j*", "*)(uid=*", "jdoe)(|(uid=*", "jdoe)(&", ")(objectClass=*", "(uid=jdoe)",
	`jdoe\2a`, `\2a`, "\x00", "jdoe\x00", "jdoe\n", "\xff\xfe", "jdoe\xff", "uid=jdoe",
	"uid=jdoe,ou=people,dc=example,dc=com", "jdoe,ou=people", `\`, `EXAMPLE\`, `EXAMPLE\*`, "@", "*@*", "*@example.com",
	"<SID=S-1-5-18>", "|", "&", "!", "jdoe:caseExactMatch:", strings.Repeat("a", 5000),
}

func TestHostileNamesFindNobody(t *testing.T) {
	auth := fakeAuth(t, network{"a:389": fakeDirectory()})
	for _, name := range hostileNames {
		requireRejection(t, login(t, auth, name, "jdoe-pw"))
	}
}

func TestEmptyPasswordReachesNoDirectory(t *testing.T) {
	f := fakeDirectory()
	auth := fakeAuth(t, network{"a:389": f})
	for _, password := range []string{"", "\x00", "\x00jdoe-pw", "jdoe-pw\x00"} {
		requireRejection(t, login(t, auth, "jdoe", password))
	}
	assert.Zero(t, f.Dialed.Load())
}

func TestNamesAreLookedUpInTheirAttribute(t *testing.T) {
	f := fakeDirectory(person("alice", "mail=a.ames@example.com"))
	auth := fakeAuth(t, network{"a:389": f})
	auth.Domain = "EXAMPLE"
	for _, name := range []string{"alice", "ALICE", `EXAMPLE\alice`, `example\Alice`, "a.ames@example.com", `EXAMPLE\A.Ames@example.com`} {
		result, err := auth.Authenticate(t.Context(), request(name, "alice-pw"))
		if assert.NoError(t, err, name) {
			assert.Equal(t, "alice", result.Username, name)
		}
	}
	for _, name := range []string{`zzz\alice`, `\alice`, `EXAMPLE.COM\alice`} {
		assert.Contains(t, requireRejection(t, login(t, auth, name, "alice-pw")).Reason, "is not the directory's own")
	}
	requireRejection(t, login(t, auth, "alice@example.com", "alice-pw"))
}

func TestDomainsOfActiveDirectory(t *testing.T) {
	partition := func(netBIOS, dns, context string) ldapauthtest.Entry {
		return ldapauthtest.Entry{DN: "cn=" + netBIOS + ",cn=Partitions,cn=Configuration,dc=example,dc=com",
			Attributes: map[string][]string{"nCName": {context}, "nETBIOSName": {netBIOS}, "dnsRoot": {dns}}}
	}
	f := fakeDirectory(
		ldapauthtest.Entry{DN: "", Attributes: map[string][]string{"configurationNamingContext": {"cn=Configuration,dc=example,dc=com"}}},
		partition("EXAMPLE", "example.com", "dc=example,dc=com"),
		partition("OTHER", "other.example.com", "dc=other,dc=example,dc=com"))
	auth := fakeAuth(t, network{"a:389": f})
	for range 2 {
		for _, name := range []string{`EXAMPLE\jdoe`, `example\jdoe`, `example.com\JDOE`} {
			assert.NoError(t, login(t, auth, name, "jdoe-pw"), name)
		}
		for _, name := range []string{`OTHER\jdoe`, `other.example.com\jdoe`, `zzz\jdoe`, `\jdoe`} {
			assert.Contains(t, requireRejection(t, login(t, auth, name, "jdoe-pw")).Reason, "is not the directory's own")
		}
	}
}

func TestAnEntryWithSeveralNamesHasOneAccount(t *testing.T) {
	f := fakeDirectory(person("zoe", "uid=zmueller", "mail=zoe@example.com"))
	auth := fakeAuth(t, network{"a:389": f})
	for _, name := range []string{"zoe", "ZMueller", "zoe@example.com"} {
		result, err := auth.Authenticate(t.Context(), request(name, "zoe-pw"))
		require.NoError(t, err, name)
		assert.Equal(t, "zoe", result.Username, "the one in the DN")
	}
}

func TestGroupsAreReported(t *testing.T) {
	f := fakeDirectory(person("alice", "memberOf=cn=VPN,dc=example,dc=com", "memberOf=cn=Staff,dc=example,dc=com"))
	auth := fakeAuth(t, network{"a:389": f})
	auth.ReportGroups = true
	result, err := auth.Authenticate(t.Context(), request("alice", "alice-pw"))
	require.NoError(t, err)
	assert.Equal(t, []string{"cn=VPN,dc=example,dc=com", "cn=Staff,dc=example,dc=com"}, result.Groups)
}

// How long a login takes must not tell whether the name is there.
func TestAnUnknownNameCostsABind(t *testing.T) {
	f := fakeDirectory(person("alice"))
	auth := fakeAuth(t, network{"a:389": f})
	var passwords []string
	f.OnBind = func(_, password string) *ldapauthtest.Result {
		passwords = append(passwords, password)
		return nil
	}
	requireRejection(t, login(t, auth, "jdoe", "wrong"))
	known := f.Binds.Load()
	requireRejection(t, login(t, auth, "nobody", "secret of another service"))
	assert.EqualValues(t, 1, f.Binds.Load()-known)
	assert.NotContains(t, passwords, "secret of another service", "which belongs nowhere else")
}

func TestNameTheDirectoryMatchesLooselyIsRefused(t *testing.T) {
	auth := fakeAuth(t, network{"a:389": fakeDirectory(person("kim"))})
	for _, name := range []string{"jdoe ", " jdoe", "\u212aim"} { // the last is a Kelvin sign
		rejection := requireRejection(t, login(t, auth, name, strings.TrimSpace(name)+"-pw"))
		assert.Contains(t, rejection.Reason, "spelled otherwise")
		assert.Empty(t, rejection.Message)
	}
}

func TestTwoEntriesForANameAreRefused(t *testing.T) {
	f := fakeDirectory(person("dup1", "mail=dup@example.com"), person("dup2", "mail=dup@example.com"),
		person("dup3", "mail=dup@example.com"))
	auth := fakeAuth(t, network{"a:389": f})
	var log bytes.Buffer
	auth.Logger = slog.New(slog.NewTextHandler(&log, nil))
	assert.Contains(t, requireRejection(t, login(t, auth, "dup@example.com", "dup1-pw")).Reason, "both have mail")
	assert.Contains(t, log.String(), `more than one LDAP entry has the name" attribute=mail name=dup@example.com`)
	assert.NoError(t, login(t, auth, "dup1", "dup1-pw"), "the connection is still good")
}

func TestFilterRestrictsUsers(t *testing.T) {
	f := fakeDirectory(person("alice", "employeeType=staff"))
	for _, filter := range []string{"(employeeType=staff)", "employeeType=staff", " (&(employeeType=staff)(!(uid=bob))) "} {
		auth := fakeAuth(t, network{"a:389": f})
		auth.Filter = filter
		assert.NoError(t, login(t, auth, "alice", "alice-pw"))
		requireRejection(t, login(t, auth, "jdoe", "jdoe-pw"))
	}
}

func TestBindAnswers(t *testing.T) {
	ad := func(code string) string {
		return "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data " + code + ", v1db1"
	}
	for name, test := range map[string]struct {
		answer          ldapauthtest.Result
		message, reason string // both empty: the login is right
	}{
		"success":                 {},
		"grace":                   {answer: ldapauthtest.Result{Policy: policyGrace(2)}},
		"wrong":                   {ldapauthtest.Result{Code: 49}, "", "wrong password"},
		"policy locked":           {ldapauthtest.Result{Code: 49, Policy: policyError(1)}, "", "the account is locked"},
		"policy expired":          {ldapauthtest.Result{Code: 49, Policy: policyError(0)}, expiredText, "has expired"},
		"policy reset":            {ldapauthtest.Result{Policy: policyError(2)}, mustChangeText, "must be changed"},
		"policy reset, refused":   {ldapauthtest.Result{Code: 49, Policy: policyError(2)}, mustChangeText, "must be changed"},
		"policy, something other": {ldapauthtest.Result{Code: 49, Policy: policyError(7)}, "", "wrong password"},
		"no such user":            {ldapauthtest.Result{Code: 49, Message: ad("525")}, "", "no such user"},
		"AD wrong":                {ldapauthtest.Result{Code: 49, Message: ad("52e")}, "", "wrong password"},
		"AD restriction":          {ldapauthtest.Result{Code: 49, Message: ad("52f")}, "", "Protected Users"},
		"AD hours":                {ldapauthtest.Result{Code: 49, Message: ad("530")}, hoursText, "at this time"},
		"AD workstation":          {ldapauthtest.Result{Code: 49, Message: ad("531")}, workstationText, "workstation"},
		"AD expired":              {ldapauthtest.Result{Code: 49, Message: ad("532")}, expiredText, "has expired"},
		"AD disabled":             {ldapauthtest.Result{Code: 49, Message: ad("533")}, disabledText, "disabled"},
		"AD account expired":      {ldapauthtest.Result{Code: 49, Message: ad("701")}, accountExpiredText, "account has expired"},
		"AD must change":          {ldapauthtest.Result{Code: 49, Message: ad("773")}, mustChangeText, "must be changed"},
		"AD locked":               {ldapauthtest.Result{Code: 49, Message: ad("775")}, "", "locked"},
		"AD other":                {ldapauthtest.Result{Code: 49, Message: ad("abc")}, "", "code abc"},
		"389 DS locked":           {ldapauthtest.Result{Code: 19, Message: "Exceed password\r\nretry limit\x00"}, "", "(Exceed password retry limit)"},
		"389 DS inactive":         {ldapauthtest.Result{Code: 53, Message: "Account inactivated"}, "", "(Account inactivated)"},
		"gone":                    {ldapauthtest.Result{Code: 32}, "", "No Such Object"},
		"no password":             {ldapauthtest.Result{Code: 48}, "", "Inappropriate Authentication"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fakeDirectory()
			f.OnBind = func(name, _ string) *ldapauthtest.Result { return unless(name == serviceDN, test.answer) }
			err := login(t, fakeAuth(t, network{"a:389": f}), "jdoe", "jdoe-pw")
			if test.reason == "" {
				require.NoError(t, err)
				return
			}
			rejection := requireRejection(t, err)
			assert.Equal(t, test.message, rejection.Message)
			assert.Contains(t, rejection.Reason, test.reason)
			assert.Contains(t, rejection.Reason, personDN("jdoe"))
		})
	}
}

func FuzzUserFilterMatchesTheNameAndNothingElse(f *testing.F) {
	for _, name := range hostileNames {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		d := &directory{filter: "(objectClass=person)"}
		packet, err := ldap.CompileFilter(d.userFilter("uid", name))
		require.NoError(t, err)
		require.Len(t, packet.Children, 2)
		equal := packet.Children[0]
		require.EqualValues(t, ldap.FilterEqualityMatch, equal.Tag)
		require.Equal(t, name, equal.Children[1].Data.String())
	})
}

func FuzzADCode(f *testing.F) {
	f.Add("80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 52e, v1db1")
	f.Add("8009030C: LdapErr: DSID-0C0904DC, comment: AcceptSecurityContext error, data 775, v1db1\x00")
	f.Add(", data ")
	f.Add(", data 00000000000000000000")
	f.Add("data 52e")
	f.Fuzz(func(t *testing.T, text string) {
		code, ok := adCode(text)
		if !ok {
			return
		}
		require.Contains(t, strings.ToLower(text), ", data "+code)
		require.LessOrEqual(t, len(code), 8)
		require.NotEmpty(t, code)
		_, reason := adVerdict(code)
		require.NotEmpty(t, reason)
	})
}
