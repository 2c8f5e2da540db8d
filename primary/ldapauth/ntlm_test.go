package ldapauth

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

// said is what a client says in an NTLM bind.
type said struct{ domain, user, workstation string }

// ntlmDirectory knows NTLM and not simple binds.
func ntlmDirectory() *ldapauthtest.Directory {
	f := fakeDirectory(person("zoe", "sAMAccountName=zoe"), person("noname"))
	f.Entries[1].Attributes = map[string][]string{"sAMAccountName": {"svc"}}
	f.Entries[2].Attributes["sAMAccountName"] = []string{"JDoe"}
	f.Entries[3].Password = "pä$$wörd-€"
	f.OnNTLM = func(_, _, _ string) {}
	f.OnBind = func(string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: 8} }
	return f
}

func TestNTLMBindsServiceAndUsers(t *testing.T) {
	for name, test := range map[string]struct {
		service, domain string
		want            []said
	}{
		"domain in the name": {`EXAMPLE\svc`, "", []said{{"EXAMPLE", "svc", "RADIUS1"}, {"", "JDoe", "RADIUS1"}}},
		"domain":             {"svc", "EXAMPLE", []said{{"EXAMPLE", "svc", "RADIUS1"}, {"EXAMPLE", "JDoe", "RADIUS1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := ntlmDirectory()
			var heard []said
			f.OnNTLM = func(domain, user, workstation string) { heard = append(heard, said{domain, user, workstation}) }
			auth := fakeAuth(t, network{"a:389": f})
			auth.Bind, auth.ServiceUser, auth.Domain, auth.Workstation = NTLM, test.service, test.domain, "RADIUS1"
			require.NoError(t, login(t, auth, "jdoe@example.com", "jdoe-pw"))
			assert.Equal(t, test.want, heard)
			assert.Contains(t, requireRejection(t, login(t, auth, "jdoe", "Not-It-77")).Reason, "wrong password")
			require.NoError(t, login(t, auth, "zoe", "pä$$wörd-€"))
			assert.EqualValues(t, 2, f.Dialed.Load())
		})
	}
}

func TestNTLMNeedsAnAccountName(t *testing.T) {
	auth := fakeAuth(t, network{"a:389": ntlmDirectory()})
	auth.Bind, auth.ServiceUser = NTLM, "svc"
	err := login(t, auth, "noname", "noname-pw")
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "no sAMAccountName")
}

func TestRefusedNTLMSaysWhatToSet(t *testing.T) {
	for code, want := range map[uint16]string{
		8: "wants binds signed or sealed, which NTLM here is not: set Bind to Simple, and Transport to StartTLS or LDAPS",
		7: "knows no NTLM: set Bind to Simple",
		2: "knows no NTLM: set Bind to Simple",
	} {
		f := ntlmDirectory()
		f.OnNTLM, f.OnBind = nil, func(string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: code} }
		auth := fakeAuth(t, network{"a:389": f})
		auth.Bind = NTLM
		err := login(t, auth, "jdoe", "jdoe-pw")
		assertUnknown(t, err)
		assert.ErrorContains(t, err, want)
	}
}
