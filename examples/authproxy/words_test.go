package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

const serverKeys = "[radius_server_challenge]\nikey=a\nskey=b\napi_host=c\nradius_ip_1=192.0.2.1\nradius_secret_1=d\n"

// loaded is a file with a client section and a server section.
func loaded(t *testing.T, client string) *config.File {
	path := filepath.Join(t.TempDir(), configName)
	require.NoError(t, os.WriteFile(path, []byte(client+serverKeys), 0o600))
	file, err := config.Load(path)
	require.NoError(t, err)
	return file
}

func TestErrorsNameKeysAndLines(t *testing.T) {
	file := loaded(t, "[ad_client]\nhost=dc1\nservice_account_username=svc\nservice_account_password=b\nsearch_dn=dc=a\nauth_type=plain\n")
	w := directoryWords(file.Clients[0])
	fields := primary.FieldErrorf("check {ServiceUser} and {ServicePassword}; set {Transport} to {StartTLS}, {Bind} to {Simple}, {TLSConfig.RootCAs}; all busy ({MaxConns})")
	const said = "check service_account_username (line 3) and service_account_password (line 4); set transport to starttls, auth_type (line 6) to plain, ssl_ca_certs_file; all busy"
	assert.EqualError(t, w.err(fields), said)
	assert.NoError(t, w.err(nil))
	assert.ErrorIs(t, w.err(fmt.Errorf("%w%.0w", fields, context.Canceled)), context.Canceled)
	other := &primary.Rejection{Reason: "wrong password"}
	assert.Same(t, other, w.err(other))

	var b bytes.Buffer
	w.logger(slog.New(slog.NewTextHandler(&b, nil))).With("cause", fields).WithGroup("g").Warn("m", "error", errors.Join(fields), "n", 1)
	assert.Contains(t, b.String(), `msg=m cause="`+said+`" g.error="`+said+`" g.n=1`)
}

func TestAClientSectionsOwnProblemsAreTold(t *testing.T) {
	file := loaded(t, "[radius_client]\nhost=192.0.2.9\nhost_2=192.0.2.9\nsecret=s\npass_through_attr_names=Class,Proxy-State\n")
	status, out := call("validate", "-config", file.Path)
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, out, file.Path+":1: [radius_client] pass_through_attr_names (line 5) holds Proxy-State, which cannot be sent on\n")

	file = loaded(t, "[radius_client]\nhost=192.0.2.9\nhost_2=192.0.2.9\nsecret=s\n")
	_, out = call("validate", "-config", file.Path)
	assert.Contains(t, out, file.Path+":1: [radius_client] host (line 2): 192.0.2.9:1812 is there twice\n")
}

func TestDropsNameTheLinesToChange(t *testing.T) {
	file := loaded(t, "[duo_only_client]\n")
	s := file.Servers[0]
	clients, err := nasClients(s)
	require.NoError(t, err)
	l := &listener{current: &instance{section: s, clients: clients}}
	source := netip.MustParseAddrPort("192.0.2.1:1024")
	known := clients.Client(source.Addr())
	require.NotNil(t, known)
	for reason, want := range map[radius.DropReason]string{
		radius.DropUnknownClient:           "add radius_ip_2=192.0.2.1 with its radius_secret_2 to [radius_server_challenge]",
		radius.DropBadMessageAuthenticator: "differs from its radius_secret_1 (line 7)",
		radius.DropNoMessageAuthenticator:  "set radius_message_authenticator_1 to false",
		radius.DropNoLongerSigned:          "set radius_message_authenticator_1 to false, or reload",
		radius.DropProxyState:              "set radius_is_proxy_1 to true",
		radius.DropTooManyInFlight:         "LimitNOFILE=",
		radius.DropMalformed:               "something other than RADIUS",
	} {
		assert.Contains(t, l.dropHint(radius.Drop{Reason: reason, Source: source, Client: known}), want)
	}
	assert.Contains(t, l.dropHint(radius.Drop{Reason: radius.DropProxyState, Source: source}), "set radius_is_proxy_N to true")
}
