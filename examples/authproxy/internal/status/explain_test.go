package status

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
)

func TestARefusalNamesTheLineThatDecides(t *testing.T) {
	at := place(t)
	for _, test := range []struct {
		reason, why string
		decides     []string
	}{
		{
			`the first factor is wrong: "CN=J. Doe,DC=example,DC=com" is in none of the allowed groups`,
			"not a member of security_group_dn", []string{"security_group_dn=cn=vpn,dc=example,dc=com (authproxy.cfg line 10)"},
		},
		{
			`the first factor is wrong: no entry below "dc=example,dc=com" matches (uid=is in none of the allowed groups)`,
			"the directory shows no such user",
			[]string{"search_dn=dc=example,dc=com (authproxy.cfg line 9)", "username_attribute=sAMAccountName, the default ([ad_client] does not set it)"},
		},
		{
			`the first factor is wrong: the domain "the account is locked" is not the directory's own`,
			"the domain before the name is not the directory's",
			[]string{"ntlm_domain, which [ad_client] does not set", "the directory: its NetBIOS and DNS names"},
		},
		{
			"the first factor is wrong: CN=jdoe: the account is locked",
			"the account is locked", []string{"the directory: lockoutTime of the account (OpenLDAP: pwdAccountLockedTime)"},
		},
		{
			"the service cannot be contacted, and the fail mode is closed: nobody is let in without it",
			"the service cannot be contacted, and the fail mode is closed: nobody is let in without it",
			[]string{"failmode=safe, the default ([radius_server_challenge] does not set it)"},
		},
		{
			"over the limit on pushes", "too many pushes, calls or SMS",
			[]string{"max_pushes_waiting=2 (authproxy.cfg line 18)", "max_pushes_per_minute=10, the default ([radius_server_challenge] does not set it)"},
		},
		{
			"the User-Password is not readable: the shared secret of the NAS probably differs from the one configured here",
			"the password cannot be read: the shared secret of the device is another one",
			[]string{"radius_secret_1 (authproxy.cfg line 16)", "the device"},
		},
		{
			"the service denies this user", "the service denies this user",
			[]string{"the service: the user's status there, or the application's policy"},
		},
		{
			"the first factor is wrong: CN=jdoe: the password has expired", "the password has expired",
			[]string{"password_change=false, the default ([ad_client] does not set it)", "the directory: its maximum age of passwords"},
		},
		{"something new", "something new", nil},
	} {
		e := event("1", radmfa.StageLogin, radmfa.ResultRejected)
		e.Reason = test.reason
		v := at.explain(e)
		assert.Equal(t, test.why, v.Why, test.reason)
		assert.Equal(t, test.decides, v.Decides, test.reason)
	}
}

func TestOtherVerdicts(t *testing.T) {
	at := place(t)
	exempt := event("1", radmfa.StageLogin, radmfa.ResultAccepted)
	exempt.Username, exempt.Reason = "BACKUP", "exempt from the second factor"
	assert.Equal(t, []string{"exempt_username_3=Backup (authproxy.cfg line 17)"}, at.explain(exempt).Decides)

	refused := event("1", radmfa.StageLogin, radmfa.ResultFailed)
	refused.Reason, refused.Err = "the service cannot be asked", &duo.Error{Call: "preauth", Status: 401, Code: duo.CodeBadSignature}
	v := at.explain(refused)
	assert.Equal(t, []string{"skey (authproxy.cfg line 13)", "api_host=api-1.duosecurity.com (authproxy.cfg line 14)"}, v.Decides)
	assert.Contains(t, v.Why, "check the secret key")

	down := event("1", radmfa.StageLogin, radmfa.ResultFailed)
	down.Reason, down.Err = "the first factor cannot be asked", errors.New("dc1\x1b[2J: connection refused")
	v = at.explain(down)
	assert.Equal(t, []string{"host=dc1.example.com (authproxy.cfg line 5)", "host_2=dc2.example.com (authproxy.cfg line 6)"}, v.Decides)
	assert.NotContains(t, v.Why, "\x1b")

	app := event("1", radmfa.StageLogin, radmfa.ResultAccepted)
	app.Factor, app.Fallback = duo.FactorPasscode, true
	v = at.explain(app)
	assert.Contains(t, v.Why, "the code of the app is right")
	assert.Equal(t, []string{"failmode=safe, the default ([radius_server_challenge] does not set it)"}, v.Decides)

	bypass := event("1", radmfa.StageLogin, radmfa.ResultAccepted)
	bypass.Status = duo.StatusBypass
	assert.Equal(t, "the service asks this user for no second factor", at.explain(bypass).Why)
}

// TestTheReasonsAreTheLibrarys: a reason that the library says otherwise would
// match nothing.
func TestTheReasonsAreTheLibrarys(t *testing.T) {
	var source bytes.Buffer
	root := filepath.Join("..", "..", "..", "..")
	for _, dir := range []string{root, filepath.Join(root, "primary")} {
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || strings.HasSuffix(path, "_test.go") {
				return err
			}
			if d.IsDir() && dir == root && path != root {
				return fs.SkipDir
			}
			if filepath.Ext(path) == ".go" {
				content, err := os.ReadFile(path)
				source.Write(content)
				return err
			}
			return nil
		}))
	}
	text := strings.ReplaceAll(source.String(), `wrongPasswordReason + "`, `"wrong password`)
	require.Contains(t, text, strings.TrimSpace(wrongFirstFactor))
	for _, list := range [][]rule{firstFactorRules, rules} {
		for _, rule := range list {
			assert.Contains(t, text, rule.reason)
		}
	}
}

// TestTheKeysOfTheRulesExist: where the section has them at all.
func TestTheKeysOfTheRulesExist(t *testing.T) {
	at := place(t)
	for _, list := range [][]rule{firstFactorRules, rules} {
		for _, rule := range list {
			for _, key := range rule.keys {
				s, name := at.owner(key)
				if s != nil {
					continue
				}
				assert.Contains(t, []string{"delimiter", "delimited_password_length", "factors", "client/pw_codec"}, key,
					"%s is a key of other kinds of section", name)
			}
		}
	}
}

func TestTextForATerminal(t *testing.T) {
	at := place(t)
	var r Recorder
	e := event("1", radmfa.StagePrimary, radmfa.ResultRejected)
	e.Reason = `"cn=jdoe" is in none of the allowed groups`
	r.Event(e, at)
	e.Stage, e.Reason = radmfa.StageLogin, wrongFirstFactor+e.Reason
	r.Event(e, at)
	report := Report{
		Time: noon.Add(time.Minute), State: "serving", Version: "v1.2.3", Build: "linux/amd64 go1.26", Config: at.File.Path, Started: noon.Add(-time.Hour),
		Sections: []Section{{Name: at.Section.Name, Listens: ":1812", Peers: []Peer{
			{Name: "directory", Address: "dc1.example.com", PeerState: PeerState{State: Down, Failure: noon, Error: "dc1: connection refused"}},
		}}},
		Waiting: []Waiting{{User: "jdoe", Factor: "push", Since: noon}}, Logins: r.Logins(10, Filter{}),
		Senders:      []Sender{{Address: "198.51.100.7", Count: 3, Last: noon, Hint: "if this device may ask", Lines: []string{"a=1", "b=2"}}},
		OtherDrops:   7,
		Minutes:      []Minute{{Accepted: 1}, {FailedOpen: 2}},
		Certificates: []Certificate{{Server: "dc1", Peer: FirstFactor, Expires: noon}},
		Warnings:     []string{"authproxy.cfg:1: beware"},
	}
	var b strings.Builder
	require.NoError(t, report.WriteText(&b))
	for _, want := range []string{
		"authproxy v1.2.3, serving for 1 h 1 min", "directory  dc1.example.com  down  last answer never", "dc1: connection refused, 1 min ago",
		"1 min  jdoe  push", "jdoe  denied  not a member of security_group_dn", "if this device may ask: a=1 and b=2", "7 datagrams",
		"RENEW IT", "beware", "last hour: 1 let in, 0 denied, 0 failed, 2 let in without",
	} {
		assert.Contains(t, b.String(), want)
	}
	b.Reset()
	require.NoError(t, Explain(&b, "jdoe", report.Logins))
	assert.Contains(t, b.String(), "denied: not a member of security_group_dn\n  decided by security_group_dn=cn=vpn,dc=example,dc=com (authproxy.cfg line 10)\n")
	b.Reset()
	require.NoError(t, (&Report{Version: "\x1b[2J", Waiting: make([]Waiting, 60)}).WriteText(&b))
	assert.NotContains(t, b.String(), "\x1b", "whatever answers at the socket")
	assert.Contains(t, b.String(), "and 10 more")
	b.Reset()
	require.NoError(t, Explain(&b, "nobody", nil))
	assert.Contains(t, b.String(), `no login of "nobody"`)
}
