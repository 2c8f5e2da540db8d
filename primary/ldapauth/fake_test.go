package ldapauth

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

const (
	base      = "dc=example,dc=com"
	serviceDN = "cn=svc," + base
)

// person is an entry of a fake directory, with the password name-pw.
func person(name string, attributes ...string) ldapauthtest.Entry {
	e := ldapauthtest.Entry{
		DN:         "uid=" + name + ",ou=people,dc=example,dc=com",
		Password:   name + "-pw",
		Attributes: map[string][]string{"uid": {name}},
	}
	for _, a := range attributes {
		attr, value, _ := strings.Cut(a, "=")
		e.Attributes[attr] = append(e.Attributes[attr], value)
	}
	return e
}

func groupEntry(name string, attributes ...string) ldapauthtest.Entry {
	e := person(name, attributes...)
	e.DN, e.Password = groupDN(name), ""
	delete(e.Attributes, "uid")
	return e
}

func groupDN(name string) string { return "cn=" + name + ",ou=groups,dc=example,dc=com" }

func personDN(name string) string { return person(name).DN }

// fakeDirectory has jdoe, and the service account.
func fakeDirectory(more ...ldapauthtest.Entry) *ldapauthtest.Directory {
	return &ldapauthtest.Directory{Entries: slices.Concat([]ldapauthtest.Entry{
		{DN: "dc=example,dc=com"},
		{DN: serviceDN, Password: "svc-pw"},
		person("jdoe", "mail=jdoe@example.com"),
	}, more)}
}

// policyError is the value of a password policy control with an error
// (draft-behera-ldap-password-policy).
func policyError(code byte) []byte { return []byte{0x30, 3, 0x81, 1, code} }

// policyGrace is the value of a password policy control with grace logins left.
func policyGrace(left byte) []byte { return []byte{0x30, 5, 0xa0, 3, 0x81, 1, left} }

// unless gives a result except where the entries should decide.
func unless(entries bool, r ldapauthtest.Result) *ldapauthtest.Result {
	if entries {
		return nil
	}
	return &r
}

// network is hosts by address.
type network map[string]*ldapauthtest.Directory

func (n network) dial(ctx context.Context, network, address string) (net.Conn, error) {
	f := n[address]
	if f == nil { // a black hole
		<-ctx.Done()
		return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
	}
	return f.Dial(ctx, network, address)
}

// fakeAuth asks the hosts of n, in the order of their names.
func fakeAuth(t testing.TB, n network) *Authenticator {
	a := &Authenticator{
		Transport:         Clear,
		ServiceUser:       serviceDN,
		ServicePassword:   "svc-pw",
		BaseDN:            "dc=example,dc=com",
		UsernameAttribute: "uid",
		AtAttribute:       "mail",
		DialContext:       n.dial,
		Logger:            quiet,
	}
	for address := range n {
		a.Hosts = append(a.Hosts, address)
	}
	slices.Sort(a.Hosts)
	require.NotEmpty(t, a.Hosts)
	return closeAfter(t, a)
}
