package radmfa_test

import (
	"crypto/tls"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary/ldapauth"
)

const letIn = "Access-Accept: Success. Logging you in..."

// loginTo plays whole logins with the directory as the first factor. A user whose
// first factor is right pushes and is let in.
func loginTo(t *testing.T, directory *ldapauth.Authenticator, logins []directoryLogin) {
	w := newWorld(t)
	t.Cleanup(func() { _ = directory.Close() })
	w.service.Unknown = &duotest.User{}
	w.server.Primary = directory
	w.start()
	for _, l := range logins {
		t.Run(l.name+" "+l.password, func(t *testing.T) {
			reply, err := w.nas.Login(t.Context(), l.name, l.password)
			require.NoError(t, err)
			for _, answer := range append([]string{"push"}, l.then...) {
				if reply.Challenged() {
					reply, err = w.nas.Answer(t.Context(), reply, answer)
					require.NoError(t, err)
				}
			}
			assert.Equal(t, l.want, reply.String())
		})
	}
}

type directoryLogin struct {
	name, password, want string
	then                 []string // answers after the second factor
}

const (
	changed    = "Access-Accept: Your password has been changed."
	notAllowed = "Access-Reject: You may not change your password. Please ask your administrator."
	again      = "Enter a new password: "
)

func TestLoginsWithOpenLDAP(t *testing.T) {
	s := ldaptest.StartSlapd(t, nil)
	loginTo(t, &ldapauth.Authenticator{
		Hosts:             []string{s.Addr},
		TLSConfig:         &tls.Config{RootCAs: s.CA.Pool},
		ServiceUser:       "cn=svc-radius,ou=services,dc=example,dc=com",
		ServicePassword:   "svc-pw",
		BaseDN:            "dc=example,dc=com",
		UsernameAttribute: "uid",
		Timeout:           5 * time.Second,

		AllowPasswordChange: true,
	}, []directoryLogin{
		{"jdoe", "jdoe-pw", letIn, nil},
		{"zoe", "pä$$wörd-€", letIn, nil},
		{"jdoe", "guess", "Access-Reject", nil},
		{"jdoe", "", "Access-Reject", nil},
		{"ghost", "guess", "Access-Reject", nil},
		{"jdoe)(uid=*", "jdoe-pw", "Access-Reject", nil},
		{"locked", "locked-pw", "Access-Reject", nil},
		{"expired", "expired-pw", "Access-Reject: Your password has expired. Change it and log in again.", nil},
		{"reset", "reset-pw", "Access-Challenge: Your password must be changed. Enter a new password: ", nil},
		{"change1", "change1-pw", "Access-Challenge: The new password is too short.\n" +
			"It must have at least 8 characters.\nIt must not be one of your last 3 passwords.\n" + again, []string{"short", "short"}},
		{"change1", "change1-pw", "Access-Challenge: The new password was used before.\n" +
			"It must have at least 8 characters.\nIt must not be one of your last 3 passwords.\n" + again, []string{"change1-pw", "change1-pw"}},
		{"change1", "change1-pw", "Access-Challenge: The two passwords are not the same.\n" + again, []string{"another-pw", "anotter-pw"}},
		{"change1", "change1-pw", changed, []string{" päss, push ", " päss, push "}},
		{"change1", "change1-pw", "Access-Reject", nil},
		{"change1", " päss, push ", letIn, nil},
		{"change3", "change3-pw", notAllowed, []string{"another-pw", "another-pw"}},
	})
}

func TestLoginsWithActiveDirectory(t *testing.T) {
	dir, err := os.MkdirTemp("", "samba") //nolint:usetesting // short enough for the sockets in it
	require.NoError(t, err)
	s, err := ldaptest.StartSamba(dir)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ldaptest.Need(t, err)
	t.Cleanup(s.Stop)
	require.NoError(t, s.ForbidChange("change2"))
	require.NoError(t, s.Expire("expired"))
	for _, user := range []string{"change1", "change2"} {
		require.NoError(t, s.MustChange(user, user+"-pw"))
	}
	require.NoError(t, s.Modify("DC=example,DC=com", map[string]string{"minPwdLength": "9", "pwdProperties": "1", "pwdHistoryLength": "5"}))
	const demands = "Access-Challenge: The new password was refused.\nIt must have at least 9 characters.\n" +
		"It must have three of: capital letters, small letters, digits, other characters; and nothing of your name.\n" +
		"It must not be one of your last 5 passwords.\n" + again
	loginTo(t, &ldapauth.Authenticator{
		Hosts:           []string{s.Addr},
		TLSConfig:       &tls.Config{RootCAs: s.CA.Pool},
		ServiceUser:     "svc-radius@example.com",
		ServicePassword: "svc-pw",
		BaseDN:          "DC=example,DC=com",
		Groups:          []string{"CN=VPNUsers,CN=Users,DC=example,DC=com"},
		Timeout:         5 * time.Second,

		AllowPasswordChange: true,
	}, []directoryLogin{
		{"jdoe", "jdoe-pw", letIn, nil},
		{`EXAMPLE\jdoe`, "jdoe-pw", letIn, nil},
		{"jdoe", "guess", "Access-Reject", nil},
		{"ghost", "guess", "Access-Reject", nil},
		{"alice", "alice-pw", "Access-Reject", nil}, // a nested member, which is not asked for
		{"prim", "prim-pw", letIn, nil},
		{"change1", "change1-pw", demands, []string{"Aa-1", "Aa-1"}},             // length
		{"change1", "change1-pw", demands, []string{"change1-pw", "change1-pw"}}, // history
		{"change1", "change1-pw", demands, []string{"only small", "only small"}}, // complexity
		{"change1", "change1-pw", changed, []string{" Päss, push ", " Päss, push "}},
		{"change1", " Päss, push ", letIn, nil},
		{"change2", "change2-pw", notAllowed, []string{"Another-pw-2", "Another-pw-2"}},
		{"expired", "expired-pw", changed, []string{"short", "short"}}, // its policy demands 4 characters
		{"expired", "short", letIn, nil},
	})
}
