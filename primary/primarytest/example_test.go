package primarytest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
)

func ExampleUsers() {
	users := primarytest.Users{"jdoe": "correct horse"}
	for _, password := range []radius.Secret{"correct horse", "guess"} {
		_, err := users.Authenticate(context.Background(), &primary.Request{Username: "jdoe", Password: password})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// primary: rejected: wrong password
}

// The contract of primary.Authenticator as a test of your own kind.
func ExampleTestAuthenticator() {
	_ = func(t *testing.T) { // in your package: func TestContract(t *testing.T)
		primarytest.TestAuthenticator(t, primarytest.Subject{
			Authenticator: primarytest.Users{"jdoe": "correct horse"},
			Username:      "jdoe",
			Password:      "correct horse",
		})
	}
	// Output:
}

func TestUsersKeepTheContract(t *testing.T) {
	primarytest.TestAuthenticator(t, primarytest.Subject{
		Authenticator: primarytest.Users{"jdoe": "correct horse"},
		Username:      "jdoe",
		Password:      "correct horse",
	})
}
