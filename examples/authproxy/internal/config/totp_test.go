package config

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
)

const encodedKey = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// loadKeys loads a configuration whose file of keys has a content and a mode.
func loadKeys(t *testing.T, content string, mode os.FileMode, lines string) (*File, error) {
	t.Helper()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.txt")
	require.NoError(t, os.WriteFile(keys, []byte(content), 0o600))
	require.NoError(t, os.Chmod(keys, mode))
	path := filepath.Join(dir, "authproxy.cfg")
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, "[duo_only_client]\n[radius_server_challenge]\nikey=DI\nskey=s\n"+
		"api_host=api-1.duosecurity.com\nradius_ip_1=192.0.2.1\nradius_secret_1=secret\n%s\n", lines), 0o600))
	return Load(path)
}

const withKeys = "failmode=totp\ntotp_file=keys.txt"

func TestKeysAreFoundInAnyCaseOfLetters(t *testing.T) {
	file, err := loadKeys(t, "# apps\n\nJDoe = "+encodedKey+"\r\n; no more\nalice=gezd gnbv gy3t qojq\n", 0o640, withKeys)
	require.NoError(t, err)
	keyOf := file.Servers[0].KeyOf()
	assert.Equal(t, duo.Secret("12345678901234567890"), keyOf("jdoe"))
	assert.Equal(t, duo.Secret("1234567890"), keyOf("ALICE"))
	assert.Empty(t, keyOf("nobody"))
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", file, file, file.Servers[0]), "GEZDGNBV")
}

func TestFilesOfKeysThatCannotBeUsed(t *testing.T) {
	for problem, content := range map[string]string{
		"line 2 is not of the form name = key":         "# apps\njdoe " + encodedKey,
		"line 1: the key is not base32":                "jdoe = 0" + encodedKey,
		"line 1: the key has 5 bytes, want 10 or more": "jdoe = GEZDGNBV",
		"line 2 has an account that has a key already": "jdoe = " + encodedKey + "\nJDOE = " + encodedKey,
		"it contains no key":                           "# none\n",
	} {
		_, err := loadKeys(t, content, 0o600, withKeys)
		require.ErrorContains(t, err, problem)
		assert.NotContains(t, err.Error(), "GEZDGNBV")
	}
}

func TestFilesOfKeysThatOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has no such modes")
	}
	for _, mode := range []os.FileMode{0o644, 0o660, 0o602} {
		_, err := loadKeys(t, "jdoe = "+encodedKey, mode, withKeys)
		require.ErrorContains(t, err, "others can read or change the keys in it; run chmod 640 ")
	}
}

func TestFailModeAndKeysGoTogether(t *testing.T) {
	_, err := loadKeys(t, "", 0o600, "failmode=totp")
	require.ErrorContains(t, err, "requires totp_file, which is not set")
	file, err := loadKeys(t, "jdoe = "+encodedKey, 0o600, "failmode=secure\ntotp_file=keys.txt")
	require.NoError(t, err)
	assert.Contains(t, fmt.Sprint(file.Warnings), "totp_file: has no effect without failmode=totp")
}
