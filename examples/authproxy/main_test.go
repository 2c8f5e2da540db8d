package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// call runs the program in this process.
func call(args ...string) (status int, out string) {
	var b bytes.Buffer
	status = run(context.Background(), args, &b, &b)
	return status, b.String()
}

func TestCommands(t *testing.T) {
	t.Setenv("RADMFA_TEST_SECRET", "from the environment")
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"version"}, exitOK, "authproxy "},
		{[]string{"--version"}, exitOK, runtime.Version()},
		{[]string{"-help"}, exitOK, "usage:"},
		{[]string{"-nonsense"}, exitUsage, "usage:"},
		{[]string{"dance"}, exitUsage, "usage:"},
		{[]string{"validate", "more"}, exitUsage, "usage:"},
		{[]string{"validate", "-config", "nowhere.cfg"}, exitFailed, "nowhere.cfg: the file cannot be read"},
		{[]string{"-config", "nowhere.cfg"}, exitFailed, "not started"},
		{[]string{"check", "-config", "nowhere.cfg"}, exitFailed, "cannot be read"},
		{[]string{"validate"}, exitFailed, "authproxy.cfg: the file cannot be read"},
	} {
		status, out := call(test.args...)
		assert.Equal(t, test.status, status, test.args)
		assert.Contains(t, out, test.want)
	}
}

func TestTheVersionNamesTheCommit(t *testing.T) {
	printed, err := exec.Command(program(t), "--version").Output()
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("authproxy v1.2.3-test %s/%s %s commit 0123456789ab+dirty\n",
		runtime.GOOS, runtime.GOARCH, runtime.Version()), string(printed))
}

func TestTheFileIsFoundWithoutAFlag(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile(configName, []byte("[nonsense]\n"), 0o600))
	_, out := call("validate")
	assert.Contains(t, out, "authproxy.cfg:1: [nonsense] unknown section")

	t.Chdir(t.TempDir())
	conf := filepath.Join(filepath.Dir(program(t)), "conf")
	require.NoError(t, os.MkdirAll(conf, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(conf, configName), []byte("[other]\n"), 0o600))
	printed, _ := exec.Command(program(t), "validate").CombinedOutput()
	assert.Contains(t, string(printed), "[other] unknown section")
}

// TestValidateAgreesWithTheReader: what the reader lets pass can be put to work, and
// no secret is printed.
func TestValidateAgreesWithTheReader(t *testing.T) {
	t.Setenv("RADMFA_TEST_SECRET", "from the environment")
	files, err := filepath.Glob("internal/config/testdata/*.cfg")
	require.NoError(t, err)
	for _, path := range files {
		status, out := call("validate", "-config", path)
		if strings.HasPrefix(filepath.Base(path), "bad-") {
			assert.Equal(t, exitFailed, status, path)
		} else {
			assert.Equal(t, exitOK, status, out)
			assert.Contains(t, out, "no problems")
			assert.Equal(t, filepath.Base(path) == "warnings.cfg", strings.Contains(out, "warning: "+path+":2: [main] log_file: nothing is logged"), path)
		}
		for _, secret := range []string{"hunter", "radiussecret1", "radiusclientsecret", "password1", "XXXXXXXXXXXXXXXXXXXXXXXX", "from the environment", "file secret"} {
			assert.NotContains(t, out, secret, path)
		}
	}
}

func TestCheckTriesEveryConnection(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	good := mainSection + noPrimary + l.section("radius_server_challenge", port)
	path := l.write("authproxy.cfg", good)
	status, out := call("check", "-config", path)
	assert.Equal(t, exitOK, status, out)
	for _, want := range []string{"[radius_server_challenge]", "ok      first factor: none", "ping answered", "the clocks differ by", "the keys are right"} {
		assert.Contains(t, out, want)
	}

	l.service.Skew = 10 * time.Minute
	l.service.SecretKey = "another"
	path = l.write("authproxy.cfg", strings.Replace(good, noPrimary,
		"\n[ad_client]\nhost=127.0.0.1:1\nservice_account_username=a\nservice_account_password=b\nsearch_dn=dc=a\n", 1))
	status, out = call("check", "-config", path)
	assert.Equal(t, exitFailed, status)
	for _, want := range []string{"FAILED  first factor: 127.0.0.1:1", "set this machine's clock", "FAILED  service " + l.host + ": check of the keys"} {
		assert.Contains(t, out, want)
	}

	l.web.Close()
	_, out = call("check", "-config", path)
	assert.Contains(t, out, "FAILED  service "+l.host+": ping")
}

func TestCheckNamesTheKeysToLookAt(t *testing.T) {
	l := newLab(t, users())
	good := mainSection + noPrimary + l.section("radius_server_challenge", freePort(t))
	ping, keys := "FAILED  service [^ ]+: ping: ", "FAILED  service [^ ]+: check of the keys: "
	for _, test := range []struct{ old, new, want string }{
		{"skey=" + duotest.DefaultSecretKey, "skey=abc", keys + `error 40103: .*: see skey \(line 12\) and api_host \(line 13\)\n`},
		{"ikey=" + duotest.DefaultIntegrationKey, "ikey=DIABC", keys + `error 40102: .*: see ikey \(line 11\) and api_host \(line 13\)\n`},
		{"http_ca_certs_file=ca.pem\n", "", ping + ".*: if a proxy on the way opens TLS, set http_ca_certs_file in \\[main\\] to its CA\n"},
		{"api_host=" + l.host, "api_host=127.0.0.1:1", ping + `.*: see api_host \(line 13\); where a proxy is needed, set http_proxy_host\n`},
		{"debug=true", "http_proxy_host=127.0.0.1\nhttp_proxy_port=1", ping + `.*: see http_proxy_host \(line 2\)\n`},
		{"[radius_server_challenge]", "[radius_server_challenge]\nhttp_proxy_host=127.0.0.1\nhttp_proxy_port=1", ping + `.*: see http_proxy_host \(line 11\)\n`},
	} {
		require.Contains(t, good, test.old)
		status, out := call("check", "-config", l.write("authproxy.cfg", strings.Replace(good, test.old, test.new, 1)))
		assert.Equal(t, exitFailed, status)
		assert.Regexp(t, test.want, out)
		assert.NotContains(t, out, "duo: ")
	}
}

func TestTheLogNamesTheKeysToLookAt(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + noPrimary + strings.Replace(l.section("radius_server_challenge", port), "skey="+duotest.DefaultSecretKey, "skey=abc", 1))
	assert.True(t, p.login(nas(port), "jdoe", userPass).Rejected())
	p.logged("(check the secret key and the API host): see skey (line 12) and api_host (line 13)")
}

func TestConnectivityIsTestedOnStartup(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + "test_connectivity_on_startup=true\n" + noPrimary + l.section("radius_server_challenge", freePort(t)))
	p.logged("the keys are right")
}

func TestNoSecretReachesLogsEventsOrMetrics(t *testing.T) {
	l := newLab(t, users())
	port, auto := freePort(t), freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", port) + l.section("radius_server_auto", auto))
	secrets := []string{nasSecret, userPass, duotest.DefaultSecretKey, "123456", "987654"}
	for _, answer := range []string{"1", "123456", "987654", "sms", "nonsense"} {
		challenge := p.login(nas(port), "jdoe", userPass)
		secrets = append(secrets, string(challenge.Get(24)))
		_, err := nas(port).Answer(context.Background(), challenge, answer)
		require.NoError(t, err)
	}
	p.login(nas(auto), "jdoe", userPass+",123456")
	p.login(nas(auto), "jdoe", userPass+",987654")
	wrong := nas(port)
	wrong.Secret = "not-the-secret"
	wrong.Exchanger.Tries, wrong.Exchanger.Interval = 1, 200*time.Millisecond
	_, err := wrong.Login(context.Background(), "jdoe", userPass)
	require.Error(t, err)
	p.logged("authentication")
	all := p.log.String() + l.get(p, "/metrics") + l.get(p, "/healthz")
	for _, secret := range secrets {
		assert.NotContains(t, all, secret)
	}
}

var metricsAt = regexp.MustCompile(`serving metrics" address=(\S+)`)

// get asks the metrics server.
func (l *lab) get(p *proxy, path string) string {
	l.t.Helper()
	p.logged("serving metrics")
	response, err := http.Get("http://" + metricsAt.FindStringSubmatch(p.log.String())[1] + path)
	require.NoError(l.t, err)
	defer func() { _ = response.Body.Close() }()
	http.DefaultClient.CloseIdleConnections()
	body, err := io.ReadAll(response.Body)
	require.NoError(l.t, err)
	return string(body)
}

func TestMetricsTellWhatHappened(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", port, "api_timeout=1"))
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	assert.True(t, p.login(nas(port), "denies", userPass, "1").Rejected())
	none := `authproxy_waiting_logins{listener=":` + fmt.Sprint(port) + `",section="radius_server_challenge"} 0`
	require.Eventually(t, func() bool { return strings.Contains(l.get(p, "/metrics"), none) }, 5*time.Second, 10*time.Millisecond, "no login waits once its answer is out")
	metrics := l.get(p, "/metrics")
	for _, want := range []string{
		`authproxy_logins_total{factor="push",reason="proved",result="accepted",section="radius_server_challenge"} 1`,
		`authproxy_logins_total{factor="push",reason="denied",result="rejected",section="radius_server_challenge"} 1`,
		`authproxy_logins_total{factor="push",reason="fraud",result="rejected",section="radius_server_challenge"} 0`,
		`authproxy_responses_total{code="access_challenge",section="radius_server_challenge"} 2`,
		`authproxy_responses_total{code="access_accept",section="radius_server_challenge"} 1`,
		`authproxy_stage_duration_seconds_count{section="radius_server_challenge",stage="preauth"} 2`,
		`authproxy_stage_duration_seconds_count{section="radius_server_challenge",stage="first_factor"} 2`,
		`authproxy_person_duration_seconds_count{factor="push",section="radius_server_challenge"} 2`,
		`authproxy_person_duration_seconds_bucket{factor="phone",section="radius_server_challenge",le="120"} 0`,
		`authproxy_service_errors_total{code="40103",section="radius_server_challenge"} 0`,
		`authproxy_service_outage{section="radius_server_challenge"} 0`,
		`authproxy_service_clock_offset_seconds{section="radius_server_challenge"} `,
		`authproxy_config_last_reload_successful 1`,
		`authproxy_reloads_total{result="failed"} 0`,
		`authproxy_peer_condition{condition="refusing",peer="service",section="radius_server_challenge"} 0`,
		`authproxy_up{peer="service",section="radius_server_challenge"} 1`,
		`authproxy_up{peer="first_factor",section="radius_server_challenge"} 1`,
		`how="handled",listener=":` + fmt.Sprint(port) + `",section="radius_server_challenge"} 4`,
		`authproxy_dropped_total{listener=":` + fmt.Sprint(port) + `",reason="unknown_client",section="radius_server_challenge"} 0`,
		`version="v1.2.3-test"} 1`,
	} {
		assert.Contains(t, metrics, want)
	}
	expiry := fmt.Sprintf("%g", float64(l.web.Certificate().NotAfter.Unix()))
	assert.Contains(t, metrics, `authproxy_certificate_expiry_timestamp_seconds{peer="service",section="radius_server_challenge"} `+expiry)
	assert.Contains(t, l.get(p, "/healthz"), `"service":"up"`)
	l.web.CloseClientConnections()
	l.web.Close()
	assert.True(t, p.login(nas(port), "jdoe", userPass).Accepted())
	assert.Contains(t, l.get(p, "/healthz"), `"service":"down"`)
	assert.Contains(t, l.get(p, "/metrics"), `authproxy_failed_open_total{section="radius_server_challenge"} 1`)
}

func TestTheServiceIsAskedThroughTheHTTPProxy(t *testing.T) {
	connects := make(chan string, 16)
	tunnel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connects <- r.Method + " " + r.Host
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.WriteHeader(http.StatusOK)
		down, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(up, down); _ = up.Close() }()
		_, _ = io.Copy(down, up)
		_ = down.Close()
	}))
	defer tunnel.Close()
	at, err := url.Parse(tunnel.URL)
	require.NoError(t, err)
	l := newLab(t, users())
	path := l.write("authproxy.cfg", mainSection+"http_proxy_host="+at.Hostname()+"\nhttp_proxy_port=1\n"+noPrimary+
		l.section("radius_server_challenge", 1812, "http_proxy_port="+at.Port()))
	status, out := call("check", "-config", path)
	assert.Equal(t, exitOK, status, out)
	assert.Equal(t, "CONNECT "+l.host, <-connects)
}

func TestEventsAreOneObjectALineWithoutLinks(t *testing.T) {
	var b strings.Builder
	require.NoError(t, writeEvent(&b, "radius_server_auto", radmfa.Event{
		Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), LoginID: "L1", Stage: radmfa.StageLogin, Result: radmfa.ResultRejected,
		Username: "jdoe", Factor: duo.FactorPush, Message: "Enroll at https://example.com/?code=x now", Cause: radmfa.CauseDenied, Reason: "r", Status: duo.StatusDeny, StatusMessage: "m", Duration: time.Second,
	}))
	assert.JSONEq(t, `{"timestamp":"2026-01-02T03:04:05Z","event_type":"authentication","login_id":"L1","server_section":"radius_server_auto","auth_stage":"login","status":"rejected","username":"jdoe","factor":"push","msg":"Enroll at [link] now","cause":"denied","reason":"r","service_status":"deny","service_msg":"m","duration_ms":1000}`, b.String())
	assert.Equal(t, 1, strings.Count(b.String(), "\n"))
}

func TestTheServiceAccountIsNamedSoThatADirectoryKnowsIt(t *testing.T) {
	for _, test := range []struct{ lines, want string }{
		{"service_account_username=svc\nsearch_dn=OU=a,DC=example, dc = com", "svc"},
		{"auth_type=plain\nservice_account_username=svc\nsearch_dn=OU=a,DC=example, dc = com", "svc@example.com"},
		{"auth_type=plain\nservice_account_username=EXAMPLE\\svc\nsearch_dn=DC=example,DC=com", `EXAMPLE\svc`},
		{"auth_type=plain\nservice_account_username=svc@a.b\nsearch_dn=DC=example,DC=com", "svc@a.b"},
		{"auth_type=plain\nservice_account_username=svc\nsearch_dn=o=example", "svc"},
		{"auth_type=plain\nservice_account_username=svc\nusername_attribute=uid\nsearch_dn=DC=example,DC=com", "svc"},
		{"auth_type=plain\nservice_account_username=svc\nbind_dn=cn=svc\nsearch_dn=DC=example,DC=com", "cn=svc"},
	} {
		path := filepath.Join(t.TempDir(), configName)
		require.NoError(t, os.WriteFile(path, []byte("[ad_client]\nhost=a\nservice_account_password=b\n"+test.lines+
			"\n[radius_server_challenge]\nikey=a\nskey=b\napi_host=c\nradius_ip_1=192.0.2.1\nradius_secret_1=d\n"), 0o600))
		file, err := config.Load(path)
		require.NoError(t, err)
		assert.Equal(t, test.want, serviceUser(file.Clients[0]), test.lines)
	}
}

func TestLogSizesAreRoundedUp(t *testing.T) {
	assert.Equal(t, 1, mebibytes(1))
	assert.Equal(t, 1, mebibytes(1<<20))
	assert.Equal(t, 2, mebibytes(1<<20+1))
	assert.Greater(t, mebibytes(0), 1<<20)
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "authproxy.cfg")
	if err := os.WriteFile(path, []byte("[radius_server_challenge]\nfailmode=open\n"), 0o600); err != nil {
		panic(err)
	}
	var out strings.Builder
	status := run(context.Background(), []string{"validate", "-config", path}, &out, io.Discard)
	line, _, _ := strings.Cut(out.String()[strings.Index(out.String(), "failmode"):], "\n")
	fmt.Println(line)
	fmt.Println("exit status", status)
	// Output:
	// failmode: "open" is not safe, secure or totp
	// exit status 1
}
