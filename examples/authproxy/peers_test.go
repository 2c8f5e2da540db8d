package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestWhatAnErrorTellsOfAPeer(t *testing.T) {
	for want, errs := range map[condition][]error{
		isUp: {nil, &duo.Error{Status: 400, Code: 40002, Message: "Invalid request parameters"}, &duo.Error{Status: 404, Code: 40401}},
		isDown: {
			&duo.Error{Err: errors.New("connection refused")}, &duo.Error{Status: 502}, fmt.Errorf("wrapped: %w", &duo.Error{Status: 500, Code: 50000}),
		},
		isRefusing: {
			&duo.Error{Status: 401, Code: 40103}, &duo.Error{Status: 401}, &duo.Error{Status: 403, Code: 40301}, &duo.Error{Status: 429, Code: 42901},
		},
		isUnknown: {context.Canceled, &duo.Error{Err: context.Canceled}, errors.New("of no service")},
	} {
		for _, err := range errs {
			assert.Equal(t, want, serviceReport(err).is, "%v", err)
		}
	}
	assert.Equal(t, isUp, firstFactorReport(nil).is)
	assert.Equal(t, isDown, firstFactorReport(errors.New("no answer")).is)
	assert.Equal(t, isUnknown, firstFactorReport(fmt.Errorf("wrapped: %w", context.Canceled)).is)

	name, r := seen(radmfa.Event{Stage: radmfa.StagePreauth, Result: radmfa.ResultFailed, Err: &duo.Error{Status: 403, Code: 40301}})
	assert.Equal(t, peerService, name)
	assert.Equal(t, 40301, r.code)
	name, r = seen(radmfa.Event{Stage: radmfa.StagePrimary, Result: radmfa.ResultFailed, Err: errors.New(`"cn=J. Doe" has no sAMAccountName`)})
	assert.Equal(t, peerFirstFactor, name)
	assert.NotContains(t, r.err.Error(), "Doe", "/healthz names no user")
	name, _ = seen(radmfa.Event{Stage: radmfa.StageAuth})
	assert.Empty(t, name)
}

func TestPeersAreDueWhenNobodyAsksThem(t *testing.T) {
	var p peers
	now := time.Now()
	assert.False(t, p.due("a", peerService, now), "of no section")
	p.keep(map[string]bool{"a": true, "b": true})
	assert.True(t, p.due("a", peerService, now), "nobody has asked")
	assert.False(t, p.due("a", peerService, now), "somebody does")
	assert.True(t, p.due("a", peerFirstFactor, now))
	assert.True(t, p.due("a", peerService, now.Add(probeAfter)))
	before, changed := p.note("a", peerService, report{is: isUp})
	assert.Equal(t, isUnknown, before)
	assert.True(t, changed)
	_, changed = p.note("a", peerService, report{is: isUp})
	assert.False(t, changed)
	_, changed = p.note("a", peerService, report{is: isUnknown})
	assert.False(t, changed, "no news")
	assert.Equal(t, isUp, p.of("a", peerService).is)
	_, changed = p.note("c", peerService, report{is: isUp})
	assert.False(t, changed, "a section that is no more")
	for _, after := range []time.Duration{2, 4, 8, 10, 10} {
		p.note("a", peerService, report{is: isDown})
		assert.False(t, p.due("a", peerService, time.Now().Add(after*probeAfter-time.Second)), after)
		assert.True(t, p.due("a", peerService, time.Now().Add(after*probeAfter+time.Second)), after)
	}
	p.note("a", peerService, report{is: isUp})
	assert.True(t, p.due("a", peerService, time.Now().Add(probeAfter+time.Second)))
	p.note("a", peerFirstFactor, report{is: isUp})
	p.note("a", peerFirstFactor, report{is: isDown, soon: true})
	assert.True(t, p.due("a", peerFirstFactor, time.Now()), "a login found it down")
	p.note("a", peerFirstFactor, report{is: isDown, soon: true})
	assert.False(t, p.due("a", peerFirstFactor, time.Now()), "once")
	p.keep(map[string]bool{"a": true})
	assert.Equal(t, isDown, p.of("a", peerFirstFactor).is)
	assert.True(t, p.due("a", peerFirstFactor, time.Now()), "after a reload")
	p.keep(map[string]bool{"b": true})
	assert.Empty(t, p.of("a", peerService).is)
}

func TestAServiceThatRefusesIsNotUp(t *testing.T) {
	l := newLab(t, users())
	wrong := duotest.Fault{Times: -1, Code: duo.CodeBadSignature, Message: "Invalid signature in request credentials"}
	l.service.Break("/auth/v2/check", wrong)
	l.service.Break("/auth/v2/preauth", wrong)
	port := freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", port))
	p.logged("the service refuses what this daemon asks")
	health := l.get(p, "/healthz")
	assert.Contains(t, health, `"service":"refusing","service_code":40103,"service_error":"duo: check: error 40103`)
	assert.Contains(t, health, "check the secret key and the API host")
	assert.Contains(t, health, `"status":"serving"`)
	metrics := l.get(p, "/metrics")
	for _, want := range []string{
		`authproxy_up{peer="service",section="radius_server_challenge"} 0`,
		`authproxy_up{peer="first_factor",section="radius_server_challenge"} 1`,
		`authproxy_peer_condition{condition="refusing",peer="service",section="radius_server_challenge"} 1`,
		`authproxy_service_refusal_code{section="radius_server_challenge"} 40103`,
		`authproxy_service_errors_total{code="40103",section="radius_server_challenge"} 1`,
	} {
		assert.Contains(t, metrics, want)
	}
	assert.True(t, p.login(nas(port), "jdoe", userPass).Rejected())
	assert.Contains(t, l.get(p, "/metrics"), `authproxy_logins_total{factor="none",reason="service_failed",result="failed",section="radius_server_challenge"} 1`)
	l.service.Repair()
	assert.True(t, p.login(nas(port), "jdoe", userPass).Challenged())
	p.logged("the service no longer refuses")
	assert.Contains(t, l.get(p, "/healthz"), `"service":"up"`)
	assert.Contains(t, l.get(p, "/metrics"), `authproxy_service_refusal_code{section="radius_server_challenge"} 0`)
}

func TestADirectoryThatIsDownIsKnownBeforeALogin(t *testing.T) {
	l := newLab(t, users())
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" +
		"\n[ad_client]\nhost=127.0.0.1:1\nservice_account_username=a\nservice_account_password=b\nsearch_dn=dc=a\n" +
		l.section("radius_server_challenge", freePort(t)))
	p.logged("the first factor cannot be asked")
	assert.Contains(t, l.get(p, "/healthz"), `"first_factor":"down","first_factor_error":"ldapauth: 127.0.0.1:1`)
	assert.Contains(t, l.get(p, "/metrics"), `authproxy_up{peer="first_factor",section="radius_server_challenge"} 0`)
	assert.Contains(t, l.get(p, "/metrics"), `authproxy_directory_connections{section="radius_server_challenge",server="127.0.0.1:1",state="idle"} 0`)
}

func TestAClockThatIsOffIsAWarningThoughItIsCorrected(t *testing.T) {
	l := newLab(t, users())
	l.service.Skew = -45 * time.Second
	port := freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", port))
	p.logged("this machine's clock is off")
	assert.Contains(t, p.log.String(), "off_by=4")
	assert.Contains(t, p.log.String(), "ahead=true")
	assert.Regexp(t, `authproxy_service_clock_offset_seconds\{[^}]*\} -4[4-6]`, l.get(p, "/metrics"))
	assert.Regexp(t, `"clock_offset_seconds":-4[4-6]`, l.get(p, "/healthz"))
	assert.True(t, p.login(nas(port), "jdoe", userPass, "1").Accepted())
	require.NotContains(t, l.get(p, "/healthz"), "refusing")
}
