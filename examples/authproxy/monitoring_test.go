package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
)

// promtool runs Prometheus' own tool, or skips the test where it is not
// installed.
func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("RADMFA_CONFORMANCE") == "require" {
			t.Fatal("promtool (Debian package prometheus) is not installed, and RADMFA_CONFORMANCE=require wants it")
		}
		t.Skip("promtool (Debian package prometheus) is not installed")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool(t, "", "check", "rules", "monitoring/alerts.yml")
	promtool(t, "", "test", "rules", "monitoring/alerts_test.yml")
}

// dashboardExpressions are what the panels of the dashboard ask for.
func dashboardExpressions(t *testing.T) (list []string) {
	content, err := os.ReadFile("monitoring/dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Title  string
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(content, &dashboard))
	require.Equal(t, "authproxy", dashboard.Title)
	for _, panel := range dashboard.Panels {
		assert.Equal(t, panel.Type == "row", len(panel.Targets) == 0, panel.Title)
		for _, target := range panel.Targets {
			list = append(list, target.Expr)
		}
	}
	require.NotEmpty(t, list)
	return list
}

func TestTheDashboardAsksWhatPrometheusUnderstands(t *testing.T) {
	variables := strings.NewReplacer("$__rate_interval", "1m", "$instance", ".*", "$section", ".*")
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for i, expr := range dashboardExpressions(t) {
		rules += fmt.Sprintf("  - record: dashboard:%d\n    expr: %q\n", i, variables.Replace(expr))
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	require.NoError(t, os.WriteFile(path, []byte(rules), 0o600))
	promtool(t, "", "check", "rules", path)
}

// manyKinds is a program in which every metric has something to tell: with a
// directory, a service, and a Redis that is not there.
func manyKinds(t *testing.T) *proxy {
	l := newLab(t, users())
	return l.run("[main]\nlog_dir=log\nlog_stdout=true\nlog_auth_events=true\nhttp_ca_certs_file=ca.pem\nmetrics_address=127.0.0.1:0\n" +
		"redis_url=redis://127.0.0.1:1\ncluster_key=" + strings.Repeat("k", 32) + "\n" +
		"\n[ad_client]\nhost=127.0.0.1:1\nservice_account_username=a\nservice_account_password=b\nsearch_dn=dc=a\n" +
		l.section("radius_server_challenge", freePort(t)))
}

func TestEveryMetricThatIsNamedExists(t *testing.T) {
	p := manyKinds(t)
	p.logged("the first factor cannot be asked")
	const name = `authproxy_certificate_expiry_timestamp_seconds`
	require.Eventually(t, func() bool { return strings.Contains(p.get(p, "/metrics"), name) }, 10*time.Second, 50*time.Millisecond)
	metrics := p.get(p, "/metrics")
	for _, path := range []string{"monitoring/alerts.yml", "monitoring/alerts_test.yml", "monitoring/dashboard.json", "README.md"} {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		names := regexp.MustCompile(`\bauthproxy_[a-z_]+[a-z]\b`).FindAllString(string(content), -1)
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			assert.True(t, regexp.MustCompile(`(?m)^`+name+`(_bucket)?[{ ]`).MatchString(metrics), "%s in %s", name, path)
		}
	}
	for _, m := range regexp.MustCompile(`="([^"]*)"`).FindAllStringSubmatch(metrics, -1) {
		assert.NotContains(t, m[1], " ", "labels have no blanks")
	}
	promtool(t, metrics, "check", "metrics")
}

// TestEveryCauseIsCountedFromTheStart compares the constants of the library with
// the ends that are counted, and with what README.md explains.
func TestEveryCauseIsCountedFromTheStart(t *testing.T) {
	source, err := os.ReadFile("../../cause.go")
	require.NoError(t, err)
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	causes := regexp.MustCompile(`Cause\w+ +Cause = "(\w+)"`).FindAllStringSubmatch(string(source), -1)
	require.Len(t, causes, len(ends))
	for _, cause := range causes {
		assert.True(t, slices.ContainsFunc(ends, func(e end) bool { return e.cause == radmfa.Cause(cause[1]) }), cause[1])
		assert.Contains(t, string(readme), "`"+cause[1]+"`")
	}
}
