package config

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMigratedFilesSayTheSame: every file of testdata that can be used says the
// same in another folder, and contains no secret there.
func TestMigratedFilesSayTheSame(t *testing.T) {
	t.Setenv("RADMFA_TEST_SECRET", "from the environment")
	files, err := filepath.Glob("testdata/*.cfg")
	require.NoError(t, err)
	for _, path := range files {
		before, err := Load(path)
		if err != nil {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			after := migrated(t, path)
			require.Len(t, after.Clients, len(before.Clients))
			require.Len(t, after.Servers, len(before.Servers))
			for i, s := range before.Clients {
				assertSame(t, s, after.Clients[i])
			}
			for i, s := range before.Servers {
				assertSame(t, s, after.Servers[i])
			}
			assert.Equal(t, before.Unserved, after.Unserved)
		})
	}
}

// migrated moves a file to a new folder and loads it there.
func migrated(t *testing.T, path string) *File {
	t.Helper()
	m, err := Migrate(path)
	require.NoError(t, err)
	to := t.TempDir()
	for _, file := range m.Files {
		name := filepath.Join(to, filepath.FromSlash(file.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(file.Content), 0o600))
	}
	file, err := Load(filepath.Join(to, FileName))
	require.NoError(t, err)
	return file
}

// assertSame compares what two sections say. Paths differ, what is there does not.
func assertSame(t *testing.T, a, b *Section) {
	t.Helper()
	for name, v := range a.values {
		if key := a.kind.find(name); key != nil && key.Value.file {
			assert.Equal(t, v.content, b.values[name].content, name)
			continue
		}
		assert.True(t, v.text == b.values[name].text, "%s of %v differs", name, a) //nolint:testifylint // it would print secrets
	}
	assert.Len(t, b.values, len(a.values))
}

// FuzzMigrate: whatever a file is, nothing that stands where a secret does stays in
// it, and no name leads out of the folder.
func FuzzMigrate(f *testing.F) {
	f.Add("radius_server_auto", "skey", " = ", "v")
	f.Add("../etc", "radius_secret_7", ":", "v ; #")
	f.Add("sso", "rikey_protected", "=", "v")
	f.Fuzz(func(t *testing.T, section, key, sign, rest string) {
		const secret = "hunter2hunter2"
		line := key + sign + secret + rest + "\n"
		m, err := migrate(FileName, []byte("["+section+"]\n;"+line+line))
		if err != nil {
			return
		}
		for _, file := range m.Files {
			assert.True(t, filepath.IsLocal(filepath.FromSlash(file.Name)), file.Name)
		}
		base, suffix := splitSecret(strings.ToLower(key))
		if !plainKey.MatchString(key) || suffix != "" || !holdsSecret((&migrator{}).find(base), base) ||
			strings.TrimSpace(sign) != "=" || hasControl(section+sign+rest) {
			return
		}
		assert.NotContains(t, string(m.Files[len(m.Files)-1].Content), secret)
		for _, todo := range m.Todo {
			assert.NotContains(t, todo.Text, secret)
		}
	})
}

var plainKey = regexp.MustCompile(`^[A-Za-z][\w.-]*$`)
