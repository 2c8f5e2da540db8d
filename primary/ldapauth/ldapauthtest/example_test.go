package ldapauthtest_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/radius"
)

// A test of a program that asks a directory: a member of the group, and a user
// who is not one.
func Example() {
	person := func(name string) ldapauthtest.Entry {
		return ldapauthtest.Entry{
			DN: "uid=" + name + ",dc=example,dc=com", Password: name + "-pw",
			Attributes: map[string][]string{"uid": {name}},
		}
	}
	dir := &ldapauthtest.Directory{Entries: []ldapauthtest.Entry{
		{DN: "cn=svc,dc=example,dc=com", Password: "svc-pw"},
		person("jdoe"), person("eve"),
		{DN: "cn=vpn,dc=example,dc=com", Attributes: map[string][]string{"member": {"uid=jdoe,dc=example,dc=com"}}},
	}}
	first := &ldapauth.Authenticator{
		Hosts: []string{"dc1.example.com"}, Transport: ldapauth.Clear, DialContext: dir.Dial,
		ServiceUser: "cn=svc,dc=example,dc=com", ServicePassword: "svc-pw",
		BaseDN: "dc=example,dc=com", UsernameAttribute: "uid",
		Groups: []string{"cn=vpn,dc=example,dc=com"},
		Logger: slog.New(slog.DiscardHandler),
	}
	defer first.Close()

	login := func(name, password string) {
		_, err := first.Authenticate(context.Background(), &primary.Request{Username: name, Password: radius.Secret(password)})
		fmt.Println(err)
	}
	login("jdoe", "jdoe-pw")
	login("jdoe", "guess")
	login("eve", "eve-pw")
	fmt.Println(dir.Binds.Load(), "binds")
	// Output:
	// <nil>
	// primary: rejected: uid=jdoe,dc=example,dc=com: wrong password, or an account that may not log in
	// primary: rejected: "uid=eve,dc=example,dc=com" is in none of the allowed groups
	// 4 binds
}
