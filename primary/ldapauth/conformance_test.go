package ldapauth

import (
	"testing"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/primary/primarytest"
)

func TestKeepsTheContractOfAuthenticator(t *testing.T) {
	silent := fakeDirectory()
	silent.Hung.Store(true)
	primarytest.TestAuthenticator(t, primarytest.Subject{
		Authenticator: fakeAuth(t, network{"a:389": fakeDirectory()}),
		Username:      "jdoe",
		Password:      "jdoe-pw",
		Unreachable:   fakeAuth(t, network{"a:389": silent, "b:389": &ldapauthtest.Directory{}}),
	})
}
