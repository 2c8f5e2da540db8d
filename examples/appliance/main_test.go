package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// environment is a complete one, for a service that nobody can reach.
func environment(name string) string {
	return map[string]string{
		"VPN_SECRET": "xyzzy5461", "DUO_HOST": "127.0.0.1:1", "DUO_IKEY": "DIXXXXXXXXXXXXXXXXXX", "DUO_SKEY": "the secret key",
	}[name]
}

func TestANewAccountCanLogIn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.json")
	var printed bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-new", "jdoe"}, environment, strings.NewReader("correct horse\n"), &printed, io.Discard))
	assert.NotContains(t, printed.String(), "horse")
	require.NoError(t, os.WriteFile(file, printed.Bytes(), 0o600))

	list, err := loadAccounts(file)
	require.NoError(t, err)
	_, err = list.check("jdoe", "correct horse")
	assert.NoError(t, err)
	_, err = list.check("jdoe", "horse")
	assert.ErrorIs(t, err, errPassword)
	_, err = list.check("mallory", "correct horse")
	assert.ErrorIs(t, err, errPassword)
	_, err = accounts{"jdoe": {}}.check("jdoe", "correct horse")
	assert.ErrorIs(t, err, errPassword, "an account without a hash")
}

func TestItServesUntilASignal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.json")
	require.NoError(t, os.WriteFile(file, []byte("{}"), 0o600))
	ctx, signal := context.WithCancel(t.Context())
	signal()
	var log bytes.Buffer
	err := run(ctx, []string{"-listen", "127.0.0.1:0", "-accounts", file}, environment, strings.NewReader(""), io.Discard, &log)
	assert.NoError(t, err)
	assert.Contains(t, log.String(), "serving RADIUS")
	assert.Contains(t, log.String(), "the second factor does not work yet")
	assert.NotContains(t, log.String(), "the secret key")
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.json")
	require.NoError(t, os.WriteFile(broken, []byte("jdoe"), 0o600))
	nothing := func(string) string { return "" }
	for name, c := range map[string]struct {
		args   []string
		getenv func(string) string
		says   string
	}{
		"secret":          {nil, nothing, "VPN_SECRET is not set: the secret shared with the VPN daemon"},
		"key":             {nil, nothing, "DUO_SKEY is not set: its secret key"},
		"accounts":        {[]string{"-accounts", filepath.Join(dir, "none.json")}, environment, "make one with -new"},
		"broken accounts": {[]string{"-accounts", broken}, environment, "broken.json: invalid character"},
		"password":        {[]string{"-new", "jdoe"}, environment, "no password on stdin"},
		"flag":            {[]string{"-fail", "secure"}, environment, "not defined: -fail"},
		"help":            {[]string{"-h"}, environment, flag.ErrHelp.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, run(t.Context(), c.args, c.getenv, strings.NewReader(""), io.Discard, io.Discard), c.says)
		})
	}
}
