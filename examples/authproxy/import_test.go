package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// oldConfig is that of a closed proxy on Windows. Its secrets begin with hunter.
const oldConfig = "; our proxy\r\n" +
	"[main]\r\n" +
	"log_dir=C:\\Logs\r\n" +
	"http_ca_certs_file=C:\\Program Files\\Proxy\\conf\\ca.pem\r\n" +
	"\r\n" +
	"[ad_client]\r\n" +
	"host=192.0.2.10\r\n" +
	"service_account_username=svc\r\n" +
	"service_account_password=hunter2 ;#\"x\"\r\n" +
	"search_dn=DC=example,DC=com\r\n" +
	"transport=starttls\r\n" +
	"ssl_ca_certs_file=ca.pem\r\n" +
	"[radius_server_auto]\r\n" +
	"ikey=DIXXXXXXXXXXXXXXXXXX\r\n" +
	"SKEY : hunterXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\r\n" +
	"; skey=hunter-old\r\n" +
	"api_host=api-12345678.duosecurity.com\r\n" +
	"radius_ip_1=192.0.2.1\r\n" +
	"radius_secret_1=hunter-radius-secret-one\r\n" +
	"radius_ip_2=192.0.2.2\r\n" +
	"radius_secret_2=hunter-radius-secret-two\r\n" +
	"client=ad_client\r\n" +
	"failmode=secure\r\n" +
	"[ldap_server_auto]\r\n" +
	"skey=hunter-ldap\r\n" +
	"skey_protected=AQAAANCM\r\n"

// installation writes an old installation and returns its folder.
func installation(t *testing.T, text string) string {
	t.Helper()
	ca, err := os.ReadFile("internal/config/testdata/ca.pem")
	require.NoError(t, err)
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	require.NoError(t, os.Mkdir(conf, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(conf, "ca.pem"), ca, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(conf, configName), []byte(text), 0o600))
	return dir
}

// tree reads all files below a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(content)
		return err
	}))
	return files
}

func TestImportMovesSecretsIntoFiles(t *testing.T) {
	from, to := installation(t, oldConfig), filepath.Join(t.TempDir(), "etc", "authproxy")
	status, out := call("import", from, "-to", to)
	assert.NotContains(t, out, "hunter", "a secret is printed")
	assert.Contains(t, out, "no problems")
	files := tree(t, to)
	text := files[configName]
	delete(files, configName)
	assert.Equal(t, map[string]string{
		"ca.pem": string(mustRead(t, "internal/config/testdata/ca.pem")),
		"secrets/ad_client.service_account_password": "hunter2 ;#\"x\"\n",
		"secrets/radius_server_auto.skey":            "hunterXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX\n",
		"secrets/radius_server_auto.radius_secret_1": "hunter-radius-secret-one\n",
		"secrets/radius_server_auto.radius_secret_2": "hunter-radius-secret-two\n",
		"secrets/ldap_server_auto.skey":              "hunter-ldap\n",
	}, files)
	assert.NotContains(t, text, "hunter")
	for _, line := range []string{
		"[main]\nlog_dir=C:\\Logs\nhttp_ca_certs_file=ca.pem\n\n[ad_client]\n",
		"service_account_password_file=secrets/ad_client.service_account_password\nsearch_dn=",
		"ssl_ca_certs_file=ca.pem\n", "\nskey_file=secrets/radius_server_auto.skey\n; skey=\napi_host",
		"radius_secret_2_file=secrets/radius_server_auto.radius_secret_2\n",
	} {
		assert.Contains(t, text, line)
	}
	assert.Contains(t, out, configName+":16: [radius_server_auto] skey: the value in this comment was left out")
	assert.Contains(t, out, "1 sections are not served here: ldap_server_auto")
	if runtime.GOOS != "windows" {
		assert.Contains(t, out, configName+":3: [main] log_dir: the packaged service may write to /var/log/authproxy only")
		assert.Equal(t, exitFailed, status, "there is something left to do")
	}
	assert.Equal(t, oldConfig, tree(t, from)["conf/"+configName], "the old installation stays as it is")

	file, err := config.Load(filepath.Join(to, configName))
	require.NoError(t, err)
	assert.Equal(t, `hunter2 ;#"x"`, file.Clients[0].Text("service_account_password"))
	assert.Equal(t, "hunter-radius-secret-two", file.Servers[0].Text("radius_secret_2"))
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}

func TestImportedFilesAreForTheServiceOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders pass on their access rights")
	}
	to := filepath.Join(t.TempDir(), "authproxy")
	call("import", installation(t, oldConfig), "-to", to)
	require.NoError(t, filepath.WalkDir(to, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		want := fs.FileMode(0o640)
		if entry.IsDir() {
			want = 0o750
		}
		assert.Equal(t, want, info.Mode().Perm(), path)
		return nil
	}))
	_, out := call("validate", "-config", filepath.Join(to, configName))
	assert.NotContains(t, out, "chmod")
}

func TestImportNamesProtectedValues(t *testing.T) {
	text := strings.Replace(strings.ReplaceAll(oldConfig, "log_dir=C:\\Logs\r\n", ""), "SKEY : hunterXX", "skey_protected=AQXX", 1)
	text = strings.Replace(text, "radius_secret_2=hunter-", "radius_secret_protected_2=AQ", 1)
	from, to := installation(t, text), t.TempDir()
	status, out := call("import", "-to", to, from)
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, out, filepath.Join(to, configName)+":14: [radius_server_auto] skey_protected: only the Windows machine that encrypted this value can decrypt it: type the secret into the file secrets/radius_server_auto.skey, which is empty")
	assert.Contains(t, out, ":20: [radius_server_auto] radius_secret_protected_2: only the Windows machine")
	files := tree(t, to)
	assert.Empty(t, files["secrets/radius_server_auto.skey"])
	assert.NotContains(t, files[configName], "AQXX")

	secret := filepath.Join(to, "secrets", "radius_server_auto.skey")
	require.NoError(t, os.WriteFile(secret, []byte("typed\n"), 0o640))
	_, out = call("import", "-force", "-to", to, from)
	assert.Contains(t, out, "kept  "+secret)
	assert.Equal(t, "typed\n", tree(t, to)["secrets/radius_server_auto.skey"], "what was typed is kept")
}

func TestImportOverwritesNothingUnasked(t *testing.T) {
	from, to := installation(t, oldConfig), t.TempDir()
	other := filepath.Join(to, "ca.pem")
	require.NoError(t, os.WriteFile(other, []byte("mine"), 0o600))
	status, out := call("import", "-to", to, from)
	assert.Equal(t, exitFailed, status)
	assert.Contains(t, out, "nothing was imported, as there is already\n  "+other+"\n")
	assert.Equal(t, map[string]string{"ca.pem": "mine"}, tree(t, to))

	_, out = call("import", "-to", to, from, "-force")
	assert.Contains(t, out, "wrote "+other)
	assert.NotEqual(t, "mine", tree(t, to)["ca.pem"])

	_, out = call("import", "-to", to, from)
	assert.NotContains(t, out, "nothing was imported", "the same again changes nothing")
}

func TestImportReplacesTheSample(t *testing.T) {
	to := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(to, configName), sample, 0o600))
	_, out := call("import", "-to", to, installation(t, oldConfig))
	assert.Contains(t, out, "wrote "+filepath.Join(to, configName))
}

func TestImportCopiesOnlyWhatTheKeyExpects(t *testing.T) {
	from := installation(t, "")
	shadow := filepath.Join(from, "conf", "shadow")
	require.NoError(t, os.WriteFile(shadow, []byte("root:hunter\nbin:hunter\n"), 0o600))
	text := "[main]\nhttp_ca_certs_file=" + shadow + "\n[radius_server_auto]\nskey_file=shadow\nradius_secret_1_file=/dev/zero\nradius_secret_2=${VPN_SECRET}\n" +
		"[../../radius_server_auto]\nskey=hunter3\n"
	require.NoError(t, os.WriteFile(filepath.Join(from, "conf", configName), []byte(text), 0o600))
	to := filepath.Join(t.TempDir(), "to")
	status, out := call("import", "-to", to, filepath.Join(from, "conf", configName))
	assert.Equal(t, exitFailed, status)
	assert.NotContains(t, out, "hunter")
	assert.Contains(t, out, ":2: [main] http_ca_certs_file: the file "+`"`+shadow+`"`+" was not copied: it holds no certificate")
	assert.Contains(t, out, ":4: [radius_server_auto] skey_file: the file "+`"`+shadow+`"`+" must hold the secret on one line")
	assert.Contains(t, out, ":5: [radius_server_auto] radius_secret_1_file: the file \"/dev/zero\" was not copied")
	assert.Contains(t, out, ":6: [radius_server_auto] radius_secret_2: needs the environment variable VPN_SECRET")
	files := tree(t, to)
	assert.Len(t, files, 2)
	assert.Equal(t, "hunter3\n", files["secrets/____radius_server_auto.skey"], "no name leads out of the folder")
}

// TestImportMovesAnImportedFolder: what import has made is as good a source.
func TestImportMovesAnImportedFolder(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	call("import", "-to", filepath.Join(first, "conf"), installation(t, oldConfig))
	t.Chdir(first)
	_, out := call("import", "conf", "-to", second)
	assert.Contains(t, out, "no problems")
	assert.Equal(t, tree(t, filepath.Join(first, "conf")), tree(t, second))
}

func TestImportCommandLine(t *testing.T) {
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"import"}, exitUsage, "usage: authproxy import"},
		{[]string{"import", "-help"}, exitOK, "usage: authproxy import"},
		{[]string{"import", "a", "b"}, exitUsage, "usage: authproxy import"},
		{[]string{"import", "-nonsense", "a"}, exitUsage, "nonsense"},
		{[]string{"import", "nowhere"}, exitFailed, filepath.Join("nowhere", configName) + ": the file cannot be read"},
	} {
		status, out := call(test.args...)
		assert.Equal(t, test.status, status, test.args)
		assert.Contains(t, out, test.want)
	}
}

// TestTheSampleAsksForWhatIsMissing: as it is installed, validate names each value
// that has to be filled in; filled in, there is nothing to add.
func TestTheSampleAsksForWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, configName)
	require.NoError(t, os.WriteFile(path, sample, 0o600))
	status, out := call("validate", "-config", path)
	assert.Equal(t, exitFailed, status)
	for _, key := range []string{"host", "service_account_password", "search_dn", "ikey", "skey", "api_host", "radius_ip_1", "radius_secret_1"} {
		assert.Contains(t, out, key+": is missing")
	}
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("0123456789012345678901234567890123456789\n"), 0o600))
	filled := string(sample)
	for key, value := range map[string]string{
		"host": "dc1.example.com", "service_account_username": "svc", "service_account_password_file": "secret", "search_dn": "DC=example,DC=com",
		"ikey": "DIXXXXXXXXXXXXXXXXXX", "skey_file": "secret", "api_host": "api-12345678.duosecurity.com", "radius_ip_1": "192.0.2.1", "radius_secret_1_file": "secret",
	} {
		filled = strings.Replace(filled, "\n"+key+"=\n", "\n"+key+"="+value+"\n", 1)
	}
	require.NoError(t, os.WriteFile(path, []byte(filled), 0o600))
	status, out = call("validate", "-config", path)
	assert.Equal(t, exitOK, status, out)
	assert.NotContains(t, out, "warning")
}

// TestTheManPageNamesEveryCommand: those of the usage.
func TestTheManPageNamesEveryCommand(t *testing.T) {
	page := string(mustRead(t, "packaging/authproxy.8"))
	_, commands, _ := strings.Cut(usage, "The commands are\n")
	commands, _, _ = strings.Cut(commands, "\n\n")
	for line := range strings.Lines(commands) {
		assert.Contains(t, page, "\n.B "+strings.Fields(line)[0]+"\n")
	}
}
