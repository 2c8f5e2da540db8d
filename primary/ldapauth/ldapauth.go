// Package ldapauth checks names and passwords against Active Directory or any
// other LDAPv3 directory.
//
// A login is one search as the service account, which finds the user's entry
// and its groups, and one bind as that entry with the user's password.
// Connections are kept and used again, in a bounded number per host.
//
//	first := &ldapauth.Authenticator{
//		Hosts:           []string{"dc1.example.com", "dc2.example.com"},
//		ServiceUser:     "svc-radius@example.com",
//		ServicePassword: radius.Secret(password),
//		BaseDN:          "DC=example,DC=com",
//		Groups:          []string{"CN=VPN Users,OU=Groups,DC=example,DC=com"},
//		NestedGroups:    true,
//	}
//	defer first.Close()
//
// With AllowPasswordChange, users whose password has expired or must be changed can
// change it in the login.
//
// The zero values fit Active Directory over StartTLS. For OpenLDAP set
// UsernameAttribute to "uid", and AtAttribute to "mail" if users type that.
package ldapauth

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// The defaults of Authenticator's fields.
const (
	DefaultTimeout     = 10 * time.Second
	DefaultIdleTimeout = time.Minute
	DefaultMaxConns    = 16
	DefaultRefusedFor  = 2 * time.Second
)

// Authenticator is a primary.Authenticator that asks a directory. Hosts and
// BaseDN are required. Do not modify or copy an Authenticator after first use. All
// methods may be called concurrently.
//
// Its errors that are not primary.ErrRejected say which host failed in what,
// and what to set.
type Authenticator struct {
	// Hosts are the directory's servers, equal replicas, each "host" or
	// "host:port". They are asked in order. The next one is asked when one cannot
	// be reached, does not answer in time, fails in TLS, is busy, or does not
	// accept the service account; never because it refuses the user. A host that
	// failed is asked last for half a minute.
	Hosts []string

	// Transport is how connections are protected. The zero value is StartTLS.
	Transport Transport

	// TLSConfig is nil, or what TLS should use, such as RootCAs or a client
	// certificate. The default verifies the host's certificate and name against
	// the system's roots. ServerName, where empty, is the host's name.
	TLSConfig *tls.Config

	// InsecureSkipHostname accepts a certificate that was issued for another name
	// than the host's, as long as a trusted CA issued it.
	InsecureSkipHostname bool

	// ServiceUser is the account that searches: a DN, or on Active Directory also
	// name@domain or DOMAIN\name. Empty: the search is anonymous.
	ServiceUser string

	// ServicePassword is ServiceUser's password. It must not be empty where
	// ServiceUser is set.
	ServicePassword radius.Secret

	// Bind is how passwords are proved, the service account's and the users'. The
	// zero value is Simple.
	Bind BindKind

	// Domain is the NetBIOS name of the accounts' domain: what users may type
	// before their name (DOMAIN\name), and what NTLM binds name. Empty: what an
	// Active Directory calls itself; other directories have none.
	Domain string

	// Workstation is what NTLM binds name as this computer. Empty: nothing.
	Workstation string

	// BaseDN is the entry below which users are.
	BaseDN string

	// UsernameAttribute contains the names that users type. Its value, as the
	// directory spells it, is the account's name in the Result, whatever was typed.
	// Empty: sAMAccountName. DOMAIN\name is looked up as name if DOMAIN is the
	// directory's own, by its NetBIOS or DNS name, and is rejected otherwise.
	//
	// A directory may find "jdoe" also for "jdoe " or "jdóe"; such a name is
	// refused. Only upper and lower case may differ.
	UsernameAttribute string

	// AtAttribute contains names with an "@". Empty: userPrincipalName.
	AtAttribute string

	// Filter is an LDAP filter (RFC 4515) that users must match too. Empty: none.
	Filter string

	// Groups are DNs of groups of which a user must be in at least one. Empty:
	// none needed. A user is in a group as its member, uniqueMember or memberUid,
	// or because it is the user's primary group (primaryGroupID, gidNumber).
	Groups []string

	// DeniedGroups are DNs of groups of which a user must be in none.
	DeniedGroups []string

	// NestedGroups counts the members of groups within groups too.
	NestedGroups bool

	// ReportGroups puts the DNs of the user's groups into the Result, as memberOf
	// lists them, at most 1,000: the direct ones, without the primary group.
	ReportGroups bool

	// GroupBaseDN is the entry below which NestedGroups looks for groups within
	// groups, except on Active Directory, which does that itself. Empty: the part
	// that BaseDN and the groups' DNs have in common.
	GroupBaseDN string

	// AllowPasswordChange lets a user whose password has expired or must be changed
	// change it in the login (see primary.PasswordChanger), with the directory's own
	// change of a password, never a reset. It needs TLS. Outside of Active Directory
	// the directory must let the user bind for that, as OpenLDAP does after a reset
	// and not after expiry.
	AllowPasswordChange bool

	// Reply are the attributes to put into the Access-Accept.
	Reply []ReplyAttribute

	// Timeout is how long one login may wait for one host. A ctx with a deadline
	// shortens it so that every host left gets its share. A directory that went
	// away less than Timeout ago is waited for, so that its restart costs no
	// login. Zero: DefaultTimeout.
	Timeout time.Duration

	// RefusedFor is how long a directory is waited for whose port refuses
	// connections. Zero: DefaultRefusedFor.
	RefusedFor time.Duration

	// MaxConns is how many connections to one host there may be for searches,
	// and how many for the users' binds. Logins wait for a free one. Zero:
	// DefaultMaxConns.
	MaxConns int

	// IdleTimeout is how long an unused connection is kept. Zero:
	// DefaultIdleTimeout.
	IdleTimeout time.Duration

	// DialContext opens connections. Nil: (&net.Dialer{}).DialContext.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)

	// Logger gets what an operator should know: hosts that fail and return, names
	// that more than one entry has. Nil: slog.Default().
	Logger *slog.Logger

	once sync.Once
	dir  *directory
	err  error
}

var _ primary.Authenticator = (*Authenticator)(nil)

// Transport is how connections to the directory are protected.
type Transport int

// The transports, with their default ports.
const (
	StartTLS Transport = iota // TLS asked for on port 389
	LDAPS                     // TLS from the start, on port 636
	Clear                     // none, on port 389: passwords cross the network readably
)

// String returns the transport's name.
func (t Transport) String() string {
	switch t {
	case StartTLS:
		return "StartTLS"
	case LDAPS:
		return "LDAPS"
	case Clear:
		return "clear text"
	}
	return "unknown transport"
}

// BindKind is how a password is proved to the directory.
type BindKind int

// The kinds of bind.
const (
	// Simple sends name and password (RFC 4513 section 5.1).
	Simple BindKind = iota
	// NTLM proves the password by NTLMv2, which only Active Directory knows. A
	// hardened domain controller refuses it, because it is neither signed nor
	// sealed. The user's entry must have a sAMAccountName.
	NTLM
)

// ReplyAttribute is an attribute of the Access-Accept that comes from the
// directory. Attribute, Group and Value decide its values.
type ReplyAttribute struct {
	// Type is the attribute, for example rfc2865.FilterID_Type.
	Type radius.Type

	// Attribute is an attribute of the user's entry. Each of its values makes
	// one reply attribute; an entry without it makes none.
	Attribute string

	// Value is a fixed value, for when Attribute is empty.
	Value string

	// Group is the DN of a group to whose members the reply attribute is
	// restricted. Empty: everybody gets it.
	Group string

	// Encode makes the attribute of a value, for example an address, or a vendor's
	// attribute by radius.NewVendorSpecific of layeh.com/radius. Nil: the value as
	// text. A user with a value that cannot be encoded, or is longer than 253
	// octets, is rejected: without the attribute the login might permit more.
	Encode func(value string) (radius.Attribute, error)
}

// Authenticate implements primary.Authenticator. It refuses a password that is
// empty or contains a NUL without asking the directory. The Message of a Rejection
// is empty except where the directory said that the password was right but has
// expired or may not be used. A name that the directory does not know takes as
// long as a wrong password.
func (a *Authenticator) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	if r.Password == "" {
		return nil, &primary.Rejection{Reason: "empty password"}
	}
	if strings.Contains(string(r.Password), "\x00") {
		// A directory written in C may take it for empty, hence for an anonymous bind.
		return nil, &primary.Rejection{Reason: "the password contains a NUL"}
	}
	dir, err := a.directory()
	if err != nil {
		return nil, err
	}
	return dir.login(ctx, r)
}

// Validate reports what is wrong with the fields, without asking anybody.
func (a *Authenticator) Validate() error {
	_, err := a.directory()
	return err
}

// Format implements fmt.Formatter: fmt would follow a pointer to an Authenticator
// without asking the fields how to print them.
func (a *Authenticator) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "ldapauth.Authenticator(%s)", strings.Join(a.Hosts, ", "))
}

// Close closes the idle connections at once, the others when their logins end,
// and makes later calls of Authenticate fail.
func (a *Authenticator) Close() error {
	dir, err := a.directory()
	if err != nil {
		return nil // there is nothing to close
	}
	for _, h := range dir.hosts {
		for i := range h.pool {
			h.pool[i].close()
		}
	}
	return nil
}

// directory sets up what Authenticate needs, the first time.
func (a *Authenticator) directory() (*directory, error) {
	a.once.Do(func() { a.dir, a.err = newDirectory(a) })
	return a.dir, a.err
}
