package radius

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const hidden = "xyzzy5461"
	type holder struct {
		Name string
		Key  Secret
		Keys []Secret
		ByID map[string]Secret
	}
	h := holder{"n", hidden, []Secret{hidden}, map[string]Secret{"a": hidden}}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", h)
		fmt.Fprintf(&out, verb+"\n", &h)
		fmt.Fprintf(&out, verb+"\n", h.Key)
	}
	fmt.Fprintln(&out, h.Key.String())
	encoded, err := json.Marshal(h)
	require.NoError(t, err)
	out.Write(encoded)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "holder", h, "key", h.Key)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "holder", h, "key", h.Key)

	assert.NotContains(t, out.String(), hidden)
	assert.NotContains(t, out.String(), fmt.Sprintf("%x", hidden))
	assert.Contains(t, out.String(), redactedText)
	assert.Equal(t, hidden, string(h.Key))
}
