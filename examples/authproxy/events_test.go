package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestOperatorsAreToldWhyUsersAreRefused(t *testing.T) {
	l := newLab(t, map[string]*duotest.User{
		"jdoe":   {Passcodes: []string{"123456"}},
		"denies": {Devices: []duotest.Device{{Answer: duotest.Deny}}},
		"robbed": {Devices: []duotest.Device{{Answer: duotest.ReportFraud}}},
		"bypass": {Preauth: duo.PreauthAllow},
		"locked": {Preauth: duo.PreauthDeny, Message: "Ask Rosa to unlock 1234567"},
	})
	port := freePort(t)
	p := l.run(mainSection + "metrics_address=127.0.0.1:0\n" + noPrimary + l.section("radius_server_challenge", port, "exempt_username_1=tunnel"))
	for _, c := range []struct {
		user, answer, result, reason, factor, event string
	}{
		{"jdoe", "123456", "accepted", "proved", "passcode", `"cause":"proved","service_status":"allow"`},
		{"jdoe", "987654", "rejected", "wrong_passcode", "passcode", `"cause":"wrong_passcode","reason":"the passcode is wrong","service_status":"deny"`},
		{"jdoe", "pusch", "", "typing_error", "", `"cause":"typing_error","reason":"the answer is no option and no passcode; the menu is shown again"`},
		{"jdoe", "sms", "rejected", "sent", "sms", `"cause":"sent"`},
		{"denies", "1", "rejected", "denied", "push", `"cause":"denied","reason":"the user denied the login request","service_status":"deny"`},
		{"robbed", "1", "rejected", "fraud", "push", `"cause":"fraud","reason":"the user reported the login as fraud","service_status":"fraud"`},
		{"bypass", "", "accepted", "bypass", "none", `"cause":"bypass"`},
		{"tunnel", "", "accepted", "exempt", "none", `"cause":"exempt"`},
		{"locked", "", "rejected", "service_denies", "none", `"service_status":"deny","service_msg":"Ask Rosa to unlock [code]"`},
		{"nobody", "x", "rejected", "not_enrolled", "none", `"cause":"not_enrolled"`},
	} {
		var answers []string
		if c.answer != "" {
			answers = []string{c.answer}
		}
		p.login(nas(port), c.user, userPass, answers...)
		p.logged(c.event)
		if c.result != "" {
			assert.Contains(t, l.get(p, "/metrics"), fmt.Sprintf(
				`authproxy_logins_total{factor=%q,reason=%q,result=%q,section="radius_server_challenge"} 1`, c.factor, c.reason, c.result), c.user)
		}
		p.logged("cause=" + c.reason)
	}
	assert.Regexp(t, `level=WARN msg="radmfa: login rejected" .* user=robbed .*cause=fraud`, p.log.String())
	assert.Regexp(t, `level=INFO msg="radmfa: login rejected" .* user=denies .*cause=denied`, p.log.String())
	assert.NotContains(t, l.get(p, "/metrics"), "jdoe")
}
