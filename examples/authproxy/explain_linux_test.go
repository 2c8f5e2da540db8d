package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/internal/redistest"
)

// lineOf is how the commands name the line of authproxy.cfg that begins so.
func (p *proxy) lineOf(text string) string {
	p.t.Helper()
	content, err := os.ReadFile(p.config)
	require.NoError(p.t, err)
	before, _, found := bytes.Cut(content, []byte("\n"+text))
	require.True(p.t, found, text)
	return fmt.Sprintf("(authproxy.cfg line %d)", bytes.Count(before, []byte("\n"))+2)
}

func TestExplainNamesWhatDecides(t *testing.T) {
	slapd, upstream, redis := ldaptest.StartSlapd(t, nil), freeradiustest.Start(t, freeradiustest.Config{}), redistest.Start(t)
	services := directoryUsers()
	services["jdoe"].Preauth = duo.PreauthDeny
	l := newLab(t, services)
	directory, radius := freePort(t), freePort(t)
	p := l.run(mainSection + "redis_url=redis://" + redis.Addr + "\ncluster_key=0123456789abcdef0123456789abcdef\n" +
		l.slapdClient(slapd, "starttls", vpnUsers) + radiusClient(t, upstream, "retry_wait=0.5") +
		l.section("radius_server_challenge", directory, "client=ad_client") +
		l.section("radius_server_auto", radius, "client=radius_client"))
	for _, test := range []struct {
		port           int
		user, password string
		want           []string
	}{
		{directory, "bob", "bob-pw", []string{"denied: not a member of security_group_dn", "decided by " + vpnUsers + " " + p.lineOf("security_group_dn")}},
		{directory, "stranger", "x", []string{"denied: the directory shows no such user", "decided by search_dn=dc=example,dc=com " + p.lineOf("search_dn"), p.lineOf("username_attribute")}},
		{directory, "jdoe", "wrong-pw", []string{"denied: the password is wrong", "decided by the directory"}},
		{directory, "jdoe", "jdoe-pw", []string{"denied: the service denies this user", "decided by the service: the user's status"}},
		{radius, "erin", "wrong-pw", []string{"denied: the RADIUS server refused the user", "decided by host=127.0.0.1 (authproxy.cfg line ", "its log says why"}},
	} {
		assert.True(t, p.login(nas(test.port), test.user, test.password).Rejected(), test.user)
		exit, out := p.ask("explain", test.user)
		assert.Zero(t, exit)
		for _, want := range test.want {
			assert.Contains(t, out, want)
		}
	}

	states := func() map[string]string {
		found := map[string]string{}
		for _, s := range p.state().Sections {
			for _, peer := range s.Peers {
				found[s.Name+" "+peer.Name] = peer.State
			}
		}
		return found
	}
	require.Eventually(t, func() bool { // those that no login has asked are probed
		up := map[string]string{}
		for _, peer := range []string{"_challenge directory", "_challenge service", "_challenge Redis", "_auto RADIUS servers", "_auto service", "_auto Redis"} {
			up["radius_server"+peer] = status.Up
		}
		return maps.Equal(up, states())
	}, 15*time.Second, 100*time.Millisecond)
	assert.Equal(t, slapd.Addr, p.state().Sections[0].Peers[0].Servers[0].Address)
	servers := []string{}
	for _, c := range p.state().Certificates {
		servers = append(servers, c.Peer)
		assert.Greater(t, time.Until(c.Expires), time.Minute)
	}
	assert.ElementsMatch(t, []string{status.FirstFactor, status.Service, status.Service}, servers)

	slapd.Kill()
	redis.Kill()
	p.login(nas(directory), "jdoe", "jdoe-pw")
	assert.Equal(t, status.Down, states()["radius_server_challenge directory"])
	assert.Equal(t, status.Down, states()["radius_server_challenge Redis"])
	_, out := p.ask("explain", "jdoe")
	assert.Contains(t, out, "failed: the first factor cannot be asked: ")
	assert.Contains(t, out, p.lineOf("host="))
}
