package ldapauth_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/radius"
)

func Example() {
	first := &ldapauth.Authenticator{
		Hosts:           []string{"dc1.example.com", "dc2.example.com"},
		ServiceUser:     "svc-radius@example.com",
		ServicePassword: radius.Secret("from a file that only the service can read"),
		BaseDN:          "DC=example,DC=com",
		Groups:          []string{"CN=VPN Users,OU=Groups,DC=example,DC=com"},
		NestedGroups:    true,
	}
	defer first.Close()

	_, err := first.Authenticate(context.Background(), &primary.Request{Username: "jdoe", Password: ""})
	fmt.Println(errors.Is(err, primary.ErrRejected), err)
	// Output:
	// true primary: rejected: empty password
}

func ExampleHostStatus() {
	works := ldapauth.HostStatus{Host: "dc1.example.com:389", Works: []string{"connected with StartTLS", `found users below "DC=example,DC=com"`}}
	fails := ldapauth.HostStatus{Host: "dc2.example.com:389", Err: errors.New("connect: connection refused")}
	fmt.Println(works)
	fmt.Println(fails)
	// Output:
	// dc1.example.com:389: connected with StartTLS; found users below "DC=example,DC=com"
	// dc2.example.com:389: FAILED: connect: connection refused
}

func ExampleAuthenticator_Stats() {
	first := &ldapauth.Authenticator{Hosts: []string{"dc1.example.com"}, BaseDN: "DC=example,DC=com"}
	for _, s := range first.Stats() {
		fmt.Println(s.Host, s.Busy+s.Idle, s.Failures)
	}
	// Output:
	// dc1.example.com:389 0 0
}
