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
			if reply.Challenged() {
				reply, err = w.nas.Answer(t.Context(), reply, "push")
				require.NoError(t, err)
			}
			assert.Equal(t, l.want, reply.String())
		})
	}
}

type directoryLogin struct{ name, password, want string }

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
	}, []directoryLogin{
		{"jdoe", "jdoe-pw", letIn},
		{"zoe", "pä$$wörd-€", letIn},
		{"jdoe", "guess", "Access-Reject"},
		{"jdoe", "", "Access-Reject"},
		{"ghost", "guess", "Access-Reject"},
		{"jdoe)(uid=*", "jdoe-pw", "Access-Reject"},
		{"locked", "locked-pw", "Access-Reject"},
		{"expired", "expired-pw", "Access-Reject: Your password has expired. Change it and log in again."},
		{"reset", "reset-pw", "Access-Reject: You must change your password before you can log in here."},
	})
}

func TestLoginsWithActiveDirectory(t *testing.T) {
	dir, err := os.MkdirTemp("", "samba") //nolint:usetesting // short enough for the sockets in it
	require.NoError(t, err)
	s, err := ldaptest.StartSamba(dir)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ldaptest.Need(t, err)
	t.Cleanup(s.Stop)
	loginTo(t, &ldapauth.Authenticator{
		Hosts:           []string{s.Addr},
		TLSConfig:       &tls.Config{RootCAs: s.CA.Pool},
		ServiceUser:     "svc-radius@example.com",
		ServicePassword: "svc-pw",
		BaseDN:          "DC=example,DC=com",
		Groups:          []string{"CN=VPNUsers,CN=Users,DC=example,DC=com"},
		Timeout:         5 * time.Second,
	}, []directoryLogin{
		{"jdoe", "jdoe-pw", letIn},
		{`EXAMPLE\jdoe`, "jdoe-pw", letIn},
		{"jdoe", "guess", "Access-Reject"},
		{"ghost", "guess", "Access-Reject"},
		{"alice", "alice-pw", "Access-Reject"}, // a nested member, which is not asked for
		{"prim", "prim-pw", letIn},
	})
}
