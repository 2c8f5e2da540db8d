package radiusauth_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestWrongFieldsAreNamed(t *testing.T) {
	for want, change := range map[string]func(*radiusauth.Authenticator){
		"Servers is empty":                          func(a *radiusauth.Authenticator) { a.Servers = nil },
		"Servers[0]: the Address is \"\"":           func(a *radiusauth.Authenticator) { a.Servers[0].Address = "" },
		"Servers[0]: the Address is \"radius://a\"": func(a *radiusauth.Authenticator) { a.Servers[0].Address = "radius://a" },
		"Servers[0]: the Address is \":1812\"":      func(a *radiusauth.Authenticator) { a.Servers[0].Address = ":1812" },
		"Servers[0]: 192.0.2.1:1812 has no Secr":    func(a *radiusauth.Authenticator) { a.Secret = "" },
		"Servers: 192.0.2.1:1812 is there tw": func(a *radiusauth.Authenticator) {
			a.Servers = append(a.Servers, radiusauth.Server{Address: "192.0.2.1"})
		},
		"Interval, Tries and RefusedFor":       func(a *radiusauth.Authenticator) { a.Interval = -time.Second },
		"NASIdentifier has 254 bytes":          func(a *radiusauth.Authenticator) { a.NASIdentifier = strings.Repeat("n", 254) },
		"PassThrough holds Proxy-State":        func(a *radiusauth.Authenticator) { a.PassThrough = []radius.AttributeType{{Type: 33}} },
		"RequestAttributes holds State":        func(a *radiusauth.Authenticator) { a.RequestAttributes = []radius.AttributeType{{Type: 24}} },
		"RequestAttributes holds CHAP-Passwor": func(a *radiusauth.Authenticator) { a.RequestAttributes = []radius.AttributeType{{Type: 3}} },
		"RequestAttributes holds MS-CHAP2-Res": func(a *radiusauth.Authenticator) {
			a.RequestAttributes = []radius.AttributeType{{Vendor: 311, Type: 25}}
		},
	} {
		t.Run(want, func(t *testing.T) {
			a := asks(new(radiustest.Network), first)
			change(a)
			for range 2 {
				_, err := a.Authenticate(t.Context(), jdoe("good"))
				assertUnknown(t, err)
				assert.ErrorContains(t, err, "radiusauth: "+want)
				statuses, err := a.Check(t.Context())
				assert.Empty(t, statuses)
				assert.ErrorContains(t, err, "radiusauth: "+want)
			}
		})
	}
}

func TestPortIs1812UnlessGiven(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		for address, want := range map[string]string{
			"192.0.2.1":             "192.0.2.1:1812",
			"192.0.2.1:1645":        "192.0.2.1:1645",
			"2001:db8::1":           "[2001:db8::1]:1812",
			"[2001:db8::1]":         "[2001:db8::1]:1812",
			"[2001:db8::1]:1645":    "[2001:db8::1]:1645",
			"radius.example.com":    "radius.example.com:1812",
			"radius.example.com:18": "radius.example.com:18",
		} {
			statuses, _ := asks(n, address).Check(t.Context())
			require.Len(t, statuses, 1)
			assert.Equal(t, want, statuses[0].Server)
		}
	})
}

func TestCheckTellsOfEachServer(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		const third, fourth = "192.0.2.3:1812", "192.0.2.4:1812"
		serve(t, listen(t, n, first), nil)
		serve(t, listen(t, n, third), replies(radius.CodeAccessAccept))
		conn := listen(t, n, fourth)
		defer func() { _ = conn.Close() }()
		go unsigned(conn)

		statuses, err := asks(n, first, second, third, fourth).Check(t.Context())
		var lines []string
		for _, s := range statuses {
			lines = append(lines, s.String())
		}
		assert.Equal(t, "192.0.2.1:1812: answers Status-Server; answers logins", lines[0])
		assert.Contains(t, lines[1], "192.0.2.2:1812: FAILED: radiusauth: radius: no reply from 192.0.2.2:1812 within 6s: it is down, or")
		assert.Equal(t, "192.0.2.3:1812: answers Status-Server; "+
			"FAILED: radiusauth: 192.0.2.3:1812 accepts any user with any password", lines[2])
		assert.Contains(t, lines[3], "192.0.2.4:1812: FAILED: ")
		assert.Contains(t, lines[3], "without Message-Authenticator (FreeRADIUS sends one from 3.2.5 on)")
		assert.Len(t, strings.Split(err.Error(), "\n"), 3)

		_, err = asks(n, first).Check(t.Context())
		assert.NoError(t, err)
	})
}

func TestSecretsAreNotPrinted(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, first), nil)
		a := asks(n, first)
		a.Servers[0].Secret = secret
		took(t, a)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "a", a, "s", a.Servers)
		a.DialContext = nil // json cannot print it
		text, _ := json.Marshal(a.Servers)
		for _, printed := range []string{
			fmt.Sprintf("%v %+v %#v", a, a, a), fmt.Sprintf("%v %+v %#v", a.Servers, a.Servers, a.Servers), log.String(), string(text),
		} {
			assert.NotContains(t, printed, secret)
		}
	})
}
