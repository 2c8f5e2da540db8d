package ldapauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

func TestWrongFieldsAreNamed(t *testing.T) {
	for want, spoil := range map[string]func(*Authenticator){
		"Hosts is empty":               func(a *Authenticator) { a.Hosts = nil },
		"Transport sets what ldaps://": func(a *Authenticator) { a.Hosts = []string{"ldaps://dc1"} },
		"the global catalog": func(a *Authenticator) {
			a.Hosts, a.AllowPasswordChange, a.Transport = []string{"dc1:3269"}, true, LDAPS
		},
		"BaseDN is empty":                func(a *Authenticator) { a.BaseDN = "" },
		`BaseDN "example.com" is no DN`:  func(a *Authenticator) { a.BaseDN = "example.com" },
		"ServiceUser is not":             func(a *Authenticator) { a.ServiceUser = "" },
		"ServicePassword is not":         func(a *Authenticator) { a.ServicePassword = "" },
		`the Filter "(uid=" is no`:       func(a *Authenticator) { a.Filter = "(uid=" },
		`"uid)(" is no attribute name`:   func(a *Authenticator) { a.UsernameAttribute = "uid)(" },
		`Groups holds "vpn"`:             func(a *Authenticator) { a.Groups = []string{"vpn"} },
		`DeniedGroups holds ""`:          func(a *Authenticator) { a.DeniedGroups = []string{""} },
		"set GroupBaseDN":                func(a *Authenticator) { a.Groups = []string{"cn=x,o=other"}; a.NestedGroups = true },
		`GroupBaseDN "x" is no DN`:       func(a *Authenticator) { a.GroupBaseDN = "x" },
		"Reply[0].Type is 0":             func(a *Authenticator) { a.Reply = []ReplyAttribute{{Value: "x"}} },
		"one of Attribute and Value":     func(a *Authenticator) { a.Reply = []ReplyAttribute{{Type: 11}} },
		`Reply[0].Group holds "x"`:       func(a *Authenticator) { a.Reply = []ReplyAttribute{{Type: 11, Value: "x", Group: "x"}} },
		`Reply[0].Attribute "a b" is no`: func(a *Authenticator) { a.Reply = []ReplyAttribute{{Type: 11, Attribute: "a b"}} },
		"is negative":                    func(a *Authenticator) { a.Timeout = -time.Second },
		"unknown Transport 9":            func(a *Authenticator) { a.Transport = 9 },
		"unknown Bind -1":                func(a *Authenticator) { a.Bind = -1 },
	} {
		t.Run(want, func(t *testing.T) {
			f := fakeDirectory()
			auth := fakeAuth(t, network{"a:389": f})
			spoil(auth)
			err := login(t, auth, "jdoe", "jdoe-pw")
			assertUnknown(t, err)
			assert.ErrorContains(t, err, want)
			statuses, err := auth.Check(t.Context())
			assert.Empty(t, statuses)
			assert.ErrorContains(t, err, want)
			assert.Zero(t, f.Dialed.Load())
		})
	}
}

func TestHostsGetTheirTransportsPort(t *testing.T) {
	for _, test := range []struct {
		host      string
		transport Transport
		want      string
	}{
		{"dc1", StartTLS, "dc1:389"}, {"dc1", Clear, "dc1:389"}, {"dc1", LDAPS, "dc1:636"},
		{"dc1:3269", LDAPS, "dc1:3269"}, {"::1", LDAPS, "[::1]:636"}, {"[::1]", Clear, "[::1]:389"}, {"[::1]:1389", Clear, "[::1]:1389"},
	} {
		auth := &Authenticator{Hosts: []string{test.host}, Transport: test.transport, BaseDN: base}
		dir, err := auth.directory()
		require.NoError(t, err)
		assert.Equal(t, test.want, dir.hosts[0].addr)
	}
}

func TestGroupBaseIsWhatUsersAndGroupsShare(t *testing.T) {
	auth := &Authenticator{
		Hosts: []string{"a"}, NestedGroups: true, BaseDN: "OU=People,DC=example,DC=com",
		Groups: []string{"cn=vpn,ou=groups,dc=Example,dc=com"},
	}
	dir, err := auth.directory()
	require.NoError(t, err)
	assert.Equal(t, "dc=example,dc=com", dir.groupBase)
}

func TestPasswordsAreNeverPrinted(t *testing.T) {
	f := fakeDirectory()
	auth := fakeAuth(t, network{"a:389": f})
	f.Entries[1].Password, auth.ServicePassword = "hidden-secret", "hidden-secret"
	var out bytes.Buffer
	auth.Logger = slog.New(slog.NewTextHandler(&out, nil))
	require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
	fmt.Fprintln(&out, requireRejection(t, login(t, auth, "jdoe", "hidden-secret")))
	f.Entries[1].Password = "changed"
	f.CloseConns()
	err := login(t, auth, "jdoe", "hidden-secret")
	assertUnknown(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, verb+"\n", auth)
		fmt.Fprintf(&out, verb+"\n", err)
	}
	auth.DialContext, auth.TLSConfig = nil, nil
	auth.Logger.Info("all", "auth", auth)
	if encoded, err := json.Marshal(auth.ServicePassword); assert.NoError(t, err) {
		out.Write(encoded)
	}
	assert.NotContains(t, out.String(), "hidden-secret")
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", "hidden-secret"))
}

func TestTLSVerifiesUnlessToldOtherwise(t *testing.T) {
	ca, err := ldaptest.NewCA()
	require.NoError(t, err)
	other, err := ldaptest.NewCA()
	require.NoError(t, err)
	cert, err := ca.Issue("dc1.example.com")
	require.NoError(t, err)
	for name, test := range map[string]struct {
		host string
		set  func(*Authenticator)
		want string // in the error; empty: the login is right
	}{
		"right CA and name":   {"dc1.example.com", func(*Authenticator) {}, ""},
		"ServerName":          {"127.0.0.1", func(a *Authenticator) { a.TLSConfig.ServerName = "dc1.example.com" }, ""},
		"wrong name":          {"dc2.example.com", func(*Authenticator) {}, "not dc2.example.com"},
		"unknown CA":          {"dc1.example.com", func(a *Authenticator) { a.TLSConfig.RootCAs = other.Pool }, "set TLSConfig.RootCAs"},
		"system's CAs":        {"dc1.example.com", func(a *Authenticator) { a.TLSConfig = nil }, "set TLSConfig.RootCAs"},
		"skip name":           {"dc2.example.com", func(a *Authenticator) { a.InsecureSkipHostname = true }, ""},
		"skip name, wrong CA": {"dc1.example.com", func(a *Authenticator) { a.InsecureSkipHostname = true; a.TLSConfig.RootCAs = other.Pool }, "unknown authority"},
		"skip all": {"dc2.example.com", func(a *Authenticator) {
			a.TLSConfig = &tls.Config{InsecureSkipVerify: true}
		}, ""},
	} {
		for _, transport := range []Transport{StartTLS, LDAPS} {
			t.Run(name+" "+transport.String(), func(t *testing.T) {
				f := fakeDirectory()
				f.TLS, f.LDAPS = &tls.Config{Certificates: []tls.Certificate{cert}}, transport == LDAPS
				auth := fakeAuth(t, network{test.host + ":1": f})
				addr := f.Listen(t) // net.Pipe cannot take the alert that ends a handshake
				auth.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, addr)
				}
				auth.Transport, auth.Timeout = transport, 5*time.Second
				auth.TLSConfig = &tls.Config{RootCAs: ca.Pool}
				test.set(auth)
				err := login(t, auth, "jdoe", "jdoe-pw")
				if test.want == "" {
					require.NoError(t, err)
					return
				}
				assertUnknown(t, err)
				assert.ErrorContains(t, err, test.want)
				assert.Zero(t, f.Binds.Load())
			})
		}
	}
}

func TestRefusedStartTLSSaysWhatToSet(t *testing.T) {
	auth := fakeAuth(t, network{"a:389": fakeDirectory()})
	auth.Transport = StartTLS
	err := login(t, auth, "jdoe", "jdoe-pw")
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "offers no StartTLS: set Transport to LDAPS")
}

func TestCheckSaysWhatWorksAndWhatDoesNot(t *testing.T) {
	good, bad, blind, nogroup := grouped(false), fakeDirectory(), fakeDirectory(), fakeDirectory()
	bad.OnBind = func(string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: 49} }
	blind.Entries = blind.Entries[:2]
	auth := fakeAuth(t, network{"a:389": good, "b:389": bad, "c:389": blind, "d:389": nogroup})
	auth.Hosts = append(auth.Hosts, "e:389")
	auth.Timeout = 100 * time.Millisecond
	auth.Groups = []string{groupDN("vpn")}
	statuses, err := auth.Check(t.Context())
	require.Len(t, statuses, 5)
	assert.Equal(t, `a:389: connected with clear text; bound as "cn=svc,dc=example,dc=com"; `+
		`found users below "dc=example,dc=com"; found all groups`, statuses[0].String())
	assert.Contains(t, statuses[1].String(), "b:389: connected with clear text; FAILED: bind as the service account")
	assert.Contains(t, statuses[1].String(), "check ServiceUser and ServicePassword")
	assert.Contains(t, statuses[2].String(), "FAILED: search below")
	assert.Contains(t, statuses[3].String(), `FAILED: search for the group "cn=vpn,`)
	assert.Contains(t, statuses[4].String(), "e:389: FAILED: connect: ")
	for _, host := range []string{"b:389", "c:389", "d:389", "e:389"} {
		assert.ErrorContains(t, err, host)
	}
	assert.NotContains(t, err.Error(), "a:389")
}
