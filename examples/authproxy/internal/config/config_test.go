package config

import (
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the expected results anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFilesGiveWhatStandsBesideThem: each .cfg of testdata has a .want with its
// problems or its effective values.
func TestFilesGiveWhatStandsBesideThem(t *testing.T) {
	t.Setenv("RADMFA_TEST_SECRET", "from the environment")
	t.Setenv("LOGS_DIRECTORY", "")
	files, err := filepath.Glob("testdata/*.cfg")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			file, err := Load(path)
			assert.Equal(t, strings.HasPrefix(filepath.Base(path), "bad-"), err != nil, "%v", err)
			got := ""
			if err != nil {
				got = err.Error() + "\n"
				for _, w := range file.Warnings {
					if w.Line > 0 { // the mode of the file is the checkout's
						got += fmt.Sprintf("warning: %s\n", w)
					}
				}
			} else {
				got = dump(file)
			}
			assert.NotContains(t, got, "hunter", "a secret is told")
			got = strings.ReplaceAll(got, `\`, "/")
			want := strings.TrimSuffix(path, ".cfg") + ".want"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(got), 0o600))
			}
			expected, err := os.ReadFile(want)
			require.NoError(t, err)
			assert.Equal(t, string(expected), got)
		})
	}
}

// dump is every value that a file sets.
func dump(f *File) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log folder %s\n", f.LogDir())
	for _, s := range slices.Concat([]*Section{f.Main}, f.Clients, f.Servers) {
		fmt.Fprintf(&b, "%v", s)
		if s.kind.Role == RoleServer {
			fmt.Fprintf(&b, " client %v, listens on %s, asks %s", s.Client, listens(s, f.Main), s.APIHost())
		}
		b.WriteString("\n")
		for _, key := range s.kind.Keys {
			if key.Numbering == Single {
				dumpKey(&b, s, key.Name, key.Value.secret)
				continue
			}
			for _, n := range s.Numbers(key.Name) {
				dumpKey(&b, s, s.Numbered(key.Name, n), key.Value.secret)
			}
		}
	}
	for _, w := range f.Warnings {
		if w.Line > 0 { // the mode of the file is the checkout's
			fmt.Fprintf(&b, "warning: %s\n", w)
		}
	}
	return b.String()
}

func listens(s, main *Section) string {
	udp, tls := s.Listens(main)
	if tls != "" {
		tls += "/tls"
	}
	return strings.TrimSpace(udp + " " + tls)
}

func dumpKey(b *strings.Builder, s *Section, name string, hidden bool) {
	if !s.Set(name) {
		return
	}
	v := s.Text(name)
	if hidden {
		v = fmt.Sprintf("%v, %d bytes", s.Secret(name), len(v))
	}
	fmt.Fprintf(b, "  %s = %s\n", name, v)
}

func TestSecretsKeepTheirCharacters(t *testing.T) {
	t.Setenv("RADMFA_TEST_SECRET", "from the environment")
	file, err := Load("testdata/syntax.cfg")
	require.NoError(t, err)
	s := file.Servers[0]
	for key, want := range map[string]string{
		"skey":            `a=b;c#d%e%%f "g" 'h' \`,
		"radius_secret_1": `"quoted"`,
		"radius_secret_2": "`back",
		"radius_secret_3": `"""three`,
		"radius_secret_4": "from the environment",
		"radius_secret_5": "file secret=1",
		"radius_secret_6": `$%{x} $ {y} %(z)s`,
	} {
		assert.Equal(t, want, s.Text(key), key)
	}
	assert.Equal(t, `C:\Program Files\Proxy\log\`, file.Main.Text("log_dir"))
	assert.False(t, file.Main.Set("http_proxy_host"), "an empty value is as none")
}

func TestHostsHaveTheirOwnPortOrThatOfTheKey(t *testing.T) {
	const text = "[ad_client]\nhost=dc1:3269\nhost_2=2001:db8::1\nhost_3=[2001:db8::2]\n%sservice_account_username=a\nservice_account_password=b\nsearch_dn=dc=a\n" +
		"[radius_server_challenge]\nikey=a\nskey=b\napi_host=c\nradius_ip_1=192.0.2.1\nradius_secret_1=x\n"
	for line, want := range map[string][]string{
		"":            {"dc1:3269", "2001:db8::1", "2001:db8::2"},
		"port=3269\n": {"dc1:3269", "[2001:db8::1]:3269", "[2001:db8::2]:3269"},
	} {
		f, err := read("a.cfg", fmt.Appendf(nil, text, line))
		require.NoError(t, err)
		assert.Equal(t, want, f.Clients[0].Hosts("host", "port"))
	}
}

func TestSectionsNeverPrintTheirSecrets(t *testing.T) {
	file, err := Load("testdata/radius.cfg")
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		got := fmt.Sprintf(verb, file) + fmt.Sprintf(verb, file.Clients[0]) + fmt.Sprintf(verb, *file.Servers[0].Client)
		assert.NotContains(t, got, "radiusclientsecret", verb)
		assert.NotContains(t, got, "radiussecret1", verb)
	}
}

func TestEqualSectionsSayTheSame(t *testing.T) {
	const text = "[radius_client]\nhost=192.0.2.1\nsecret=%s\n%s[radius_server_challenge]\nikey=a\nskey=b\napi_host=c\nradius_ip_1=192.0.2.1\nradius_secret_1=x\n"
	load := func(secret, between string) *Section {
		f, err := read("a.cfg", fmt.Appendf(nil, text, secret, between))
		require.NoError(t, err)
		return f.Servers[0]
	}
	assert.True(t, load("one", "").Equal(load("one", "; a comment\n")))
	assert.False(t, load("one", "").Equal(load("two", "")), "the client's secret counts")
	assert.False(t, load("one", "").Equal(nil))
}

func TestAFileThatCannotBeReadIsAProblem(t *testing.T) {
	_, err := Load("testdata/nowhere.cfg")
	assert.ErrorContains(t, err, "testdata/nowhere.cfg: the file cannot be read")
}

func TestLogsLieBesideTheConfFolder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOGS_DIRECTORY", "")
	for path, want := range map[string]string{
		filepath.Join(dir, "conf", "authproxy.cfg"): filepath.Join(dir, "log"),
		filepath.Join(dir, "etc", "authproxy.cfg"):  filepath.Join(dir, "etc", "log"),
	} {
		f, err := read(path, []byte("[radius_server_duo_only]\nikey=a\nskey=b\napi_host=c\nradius_ip_1=192.0.2.1\nradius_secret_1=x\n"))
		require.NoError(t, err)
		assert.Equal(t, want, f.LogDir())
		t.Setenv("LOGS_DIRECTORY", dir)
		assert.Equal(t, dir, f.LogDir(), "systemd's")
		t.Setenv("LOGS_DIRECTORY", "")
	}
}

func TestRangesAreCutIntoTheFewestPrefixes(t *testing.T) {
	for s, want := range map[string]string{
		"192.0.2.1":                                  "192.0.2.1/32",
		"192.0.2.77/24":                              "192.0.2.0/24",
		"192.0.2.0/255.255.255.128":                  "192.0.2.0/25",
		"192.0.2.0-192.0.2.255":                      "192.0.2.0/24",
		"192.0.2.1 - 192.0.2.6":                      "192.0.2.1/32 192.0.2.2/31 192.0.2.4/31 192.0.2.6/32",
		"0.0.0.0-255.255.255.255":                    "0.0.0.0/0",
		"255.255.255.254-255.255.255.255":            "255.255.255.254/31",
		"2001:db8::-2001:db8::ffff":                  "2001:db8::/112",
		"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff": "::/0",
		"::ffff:192.0.2.1":                           "192.0.2.1/32",
		"::ffff:192.0.2.77/120":                      "192.0.2.0/24",
	} {
		prefixes, err := parsePrefixes(s)
		require.NoError(t, err, s)
		assert.Equal(t, want, strings.Trim(fmt.Sprint(prefixes), "[]"), s)
	}
	for _, s := range []string{"", "-", "1-", "192.0.2.1-2001:db8::1", "192.0.2.0/33", "::ffff:192.0.2.0/90", "192.0.2.0/255.0.255.0", "2001:db8::/255.0.0.0", "fe80::1%eth0", "fe80::1%a-fe80::2%a", "name"} {
		_, err := parsePrefixes(s)
		assert.Error(t, err, s)
	}
}

func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.cfg")
	for _, path := range files {
		data, err := os.ReadFile(path)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := read(filepath.Join(t.TempDir(), "a.cfg"), data)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		dump(file)
		require.NotEmpty(t, file.Servers)
		for _, s := range file.Servers {
			for _, n := range s.Numbers("radius_ip") {
				require.NotEmpty(t, s.Prefixes(s.Numbered("radius_ip", n)))
				require.NotEmpty(t, s.Secret(s.Numbered("radius_secret", n)))
			}
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("192.0.2.1-192.0.2.200")
	f.Add("::1-::ffff")
	f.Add("fe80::1%a-fe80::2%a")
	f.Fuzz(func(t *testing.T, s string) {
		prefixes, err := parsePrefixes(s)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(prefixes), 2*128)
		require.NotEmpty(t, prefixes)
		for i, p := range prefixes {
			require.True(t, p.IsValid())
			require.Equal(t, p.Masked(), p)
			if i > 0 {
				require.Equal(t, lastOf(prefixes[i-1]).Next(), p.Addr(), "no gap and no overlap")
			}
		}
		if first, _, found := strings.Cut(s, "-"); found {
			from, err := netip.ParseAddr(strings.TrimSpace(first))
			require.NoError(t, err)
			require.Equal(t, from.Unmap(), prefixes[0].Addr())
		}
	})
}

func TestNearestNameIsFound(t *testing.T) {
	names := []string{"failmode", "port", "prompt_format", "radius_ip_1"}
	for s, want := range map[string]string{"failmod": "failmode", "fail_mode": "failmode", "radius_ip": "radius_ip_1", "promptformat": "prompt_format", "quite_else": ""} {
		assert.Equal(t, want, nearest(s, names), s)
	}
	assert.Equal(t, "a whole number, 0 or more", integer(0, math.MaxInt).Expect)
}
