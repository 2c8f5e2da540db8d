package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The daemon takes all the descriptors that it may have, and admits fewer waiting
// logins than that: first factors, the service, logs and metrics need some too.
func TestTheLimitOnOpenFilesIsRaised(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", freePort(t)))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.cmd.Process.Pid))
	require.NoError(t, err)
	found := regexp.MustCompile(`Max open files +(\S+) +(\S+)`).FindSubmatch(limits)
	require.NotNil(t, found)
	assert.Equal(t, string(found[2]), string(found[1]), "soft and hard")
	assert.Less(t, maxWaiting(), descriptors())
}

// Connections to the metrics that ask for nothing, more of them than there may
// be, stop no login, and are closed.
func TestWhoReadsNoMetricsStopsNoLogin(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", port))
	p.logged("serving metrics")
	address := metricsAt.FindStringSubmatch(p.log.String())[1]
	for range 2 * maxWebConns {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	assert.Contains(t, l.get(p, "/metrics"), "authproxy_logins_total", "after those were closed")
}
