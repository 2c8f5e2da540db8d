package radmfa

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius"
)

func TestNamesAndKeysAreExtractedByHKDF(t *testing.T) {
	for _, key := range []radius.Secret{"", "a secret of the cluster"} {
		s := newSealer(key)
		for range 2 {
			want, err := hkdf.Extract(sha256.New, []byte("session\x00STATE"), []byte(key))
			require.NoError(t, err)
			assert.Equal(t, base64.RawURLEncoding.EncodeToString(want[:16]), s.box(purposeSession, "STATE").name)
		}
	}
}

func TestABoxOpensWhatItSealed(t *testing.T) {
	one, other := newSealer(""), newSealer("a secret of the cluster")
	sealed := one.box(purposeSession, "STATE").seal([]byte("content"))
	plain, err := one.box(purposeSession, "STATE").open(sealed)
	require.NoError(t, err)
	assert.Equal(t, "content", string(plain))
	for name, b := range map[string]box{
		"another id":      one.box(purposeSession, "STATF"),
		"another purpose": one.box(purposeNode, "STATE"),
		"another key":     other.box(purposeSession, "STATE"),
	} {
		_, err := b.open(sealed)
		assert.ErrorIs(t, err, errSealed, name)
	}
	for i := range sealed {
		forged := append([]byte(nil), sealed...)
		forged[i] ^= 1
		_, err := one.box(purposeSession, "STATE").open(forged)
		assert.ErrorIs(t, err, errSealed, i)
	}
}
