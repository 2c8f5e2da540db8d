package radius

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// printed returns v in every form in which a program may print it.
func printed(t *testing.T, v any) string {
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", []any{v})
	}
	encoded, _ := json.Marshal(v) // a struct with functions has none
	out.Write(encoded)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
	return out.String()
}

func assertHidden(t *testing.T, out, hidden string) {
	t.Helper()
	assert.NotContains(t, out, hidden)
	assert.NotContains(t, strings.ToLower(out), fmt.Sprintf("%x", hidden))
	assert.NotContains(t, out, base64.StdEncoding.EncodeToString([]byte(hidden))[:8])
	assert.NotContains(t, out, strings.Trim(fmt.Sprintf("%d", []byte(hidden)), "[]"))
}

func TestNoTypePrintsASecret(t *testing.T) {
	client := Client{Name: "vpn", Prefix: netip.MustParsePrefix("192.0.2.0/24"), Secret: vectorSecret}
	list, err := NewClients(client)
	require.NoError(t, err)
	serving := &Server{Clients: list}
	u := serving.newSocket(new(scriptedConn))
	defer u.cancel()
	u.keyOf(list.Client(netip.MustParseAddr("192.0.2.1")))
	serving.sockets = map[*socket]struct{}{u.socket: {}}
	for _, v := range []any{
		client, &client, list, *list,
		&Server{Clients: list}, serving,
		Exchanger{}, &Exchanger{}, Exchanger{TLS: &TLSPool{}}, &TLSPool{},
		Drop{Client: &client}, &Drop{Client: &client},
		Stats{},
	} {
		out := printed(t, v)
		assert.NotEmpty(t, out)
		assertHidden(t, out, vectorSecret)
	}
}
