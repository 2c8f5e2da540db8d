package radmfa_test

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
)

var update = flag.Bool("update", false, "write testdata/login.golden anew")

// TestGoldenPackets compares the octets of a whole login, and checks their hashes
// with the code of others.
func TestGoldenPackets(t *testing.T) {
	const file = "testdata/login.golden"
	cryptotest.SetGlobalRandom(t, 1) // for the State
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		nas := w.tap(nasIP + ":40000")
		var dump strings.Builder
		state := ""
		for i, answer := range []string{password, "1"} {
			request := goldenRequest(t, byte(i+1), answer, state)
			nas.send(request)
			synctest.Wait()
			replies := nas.receive()
			require.Len(t, replies, 1)
			assert.True(t, layeh.IsAuthenticResponse(replies[0], request, []byte(secret)))
			assertSigned(t, replies[0], request)
			parsed, err := layeh.Parse(replies[0], []byte(secret))
			require.NoError(t, err)
			state = rfc2865.State_GetString(parsed)
			fmt.Fprintf(&dump, "NAS -> server\n%s\nserver -> NAS\n%s\n", hex.Dump(request), hex.Dump(replies[0]))
		}
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(dump.String()), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), dump.String())
	})
}

// assertSigned: the first attribute is a right Message-Authenticator.
func assertSigned(t *testing.T, reply, request []byte) {
	const at = 22 // header, type, length
	require.Equal(t, []byte{80, 18}, reply[20:at])
	unsigned := slices.Concat(reply[:4], request[4:20], reply[20:at], make([]byte, 16), reply[at+16:])
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(unsigned)
	assert.Equal(t, mac.Sum(nil), reply[at:at+16])
}

// goldenRequest is an Access-Request without chance in it, and with two
// Proxy-States that have to come back.
func goldenRequest(t testing.TB, identifier byte, password, state string) []byte {
	p := &radius.Packet{Code: radius.CodeAccessRequest, Identifier: identifier, Secret: []byte(secret)}
	copy(p.Authenticator[:], strings.Repeat(string(rune('a'+identifier)), 16))
	require.NoError(t, rfc2865.UserName_SetString(p, "jdoe"))
	require.NoError(t, rfc2865.UserPassword_SetString(p, password))
	require.NoError(t, rfc2865.ProxyState_AddString(p, "first"))
	require.NoError(t, rfc2865.ProxyState_AddString(p, "second"))
	if state != "" {
		require.NoError(t, rfc2865.State_SetString(p, state))
	}
	b, err := p.Encode()
	require.NoError(t, err)
	return b
}
