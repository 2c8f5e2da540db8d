package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/prompt"
)

func loadTexts(t *testing.T, content string) (*File, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "texts.txt"), []byte(content), 0o600))
	path := filepath.Join(dir, "authproxy.cfg")
	require.NoError(t, os.WriteFile(path, []byte("[duo_only_client]\n[radius_server_challenge]\nikey=DI\nskey=s\n"+
		"api_host=api-1.duosecurity.com\nradius_ip_1=192.0.2.1\nradius_secret_1=secret\ntexts_file=texts.txt\n"), 0o600))
	return Load(path)
}

func TestTextsAreRead(t *testing.T) {
	file, err := loadTexts(t, "# deutsch\nmenu.phone = Anruf bei %s\r\nmenu.passcode.ask = \"Code: \"\nwords.phone=anruf, telefon\n")
	require.NoError(t, err)
	assert.Equal(t, prompt.Texts{
		"menu.phone": "Anruf bei %s", "menu.passcode.ask": "Code: ", "words.phone": "anruf, telefon",
	}, file.Servers[0].Texts())
}

func TestTextsThatCannotBeUsed(t *testing.T) {
	for problem, content := range map[string]string{
		"line 2 is not of the form id = text":        "# none\nmenu.phone",
		`line 1: there is no text "menu.fone"`:       "menu.fone = x",
		`line 1: the text "menu.phone" must contain`: "menu.phone = Anruf",
		"line 1: the text begins with a":             "menu.passcode = \"Code",
		"line 2: menu.passcode is there already":     "menu.passcode = a\nmenu.passcode = b",
		"it is not UTF-8":                            "menu.passcode = \xff",
	} {
		_, err := loadTexts(t, content)
		require.ErrorContains(t, err, problem)
		require.ErrorContains(t, err, "texts.txt")
	}
}
