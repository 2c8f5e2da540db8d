package radmfa_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// Every exported type that holds a secret, printed in every way, by value and
// behind a pointer, alone and in others.
func TestNoTypePrintsItsSecret(t *testing.T) {
	const hidden = "hush5461"
	clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Secret: hidden})
	require.NoError(t, err)
	store := &challenge.MemoryStore{}
	require.NoError(t, store.Put(t.Context(), hidden, []byte(hidden), time.Hour))
	ldap := &ldapauth.Authenticator{ServiceUser: "svc", ServicePassword: hidden}
	upstream := &radiusauth.Authenticator{Secret: hidden, Servers: []radiusauth.Server{{Secret: hidden}}}
	client := &duo.Client{Host: "api-test.duosecurity.com", SecretKey: hidden}
	values := []any{
		radius.Secret(hidden),
		radius.Client{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Secret: hidden},
		clients,
		&radius.Server{Clients: clients},
		radiustest.NAS{Secret: hidden},
		primary.Request{Username: "jdoe", Password: hidden},
		primarytest.Users{"jdoe": hidden},
		&primary.Failover{Authenticators: []primary.Authenticator{ldap, upstream, primarytest.Users{"jdoe": hidden}}},
		ldap,
		upstream,
		client,
		duo.PreauthRequest{TrustedDeviceToken: hidden},
		duo.AuthRequest{Passcode: hidden, Prompt: hidden},
		duo.AuthResponse{TrustedDeviceToken: hidden},
		duo.EnrollResponse{ActivationCode: hidden},
		prompt.Selection{Passcode: hidden, Prompt: hidden},
		&duotest.Service{SecretKey: hidden},
		store,
		&radmfa.Server{Clients: clients, Primary: upstream, SecondFactor: client, Store: store},
	}
	for _, v := range values {
		var out bytes.Buffer
		type holder struct{ V any }
		for _, printed := range []any{v, &v, holder{v}, []any{v}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", printed)
			}
			encoded, err := json.Marshal(printed)
			fmt.Fprintf(&out, "%s %v\n", encoded, err)
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", printed)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", printed)
		}
		for _, form := range []string{hidden, fmt.Sprintf("%x", hidden), "104 117 115 104"} { // text, hexadecimal, bytes
			assert.NotContains(t, out.String(), form, "%T", v)
		}
	}
}
