package duotest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// portal is where users enroll.
const portal = "https://" + DefaultHost + "/portal"

func (s *Service) preauth(c *Call) (any, *failure) {
	name, user, fail := s.find(c)
	if fail != nil {
		return nil, fail
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.of(name)
	state.codeAsked = c.Params.Get("client_supports_verified_push") == "1"

	result := user.preauth()
	if state.tokens[c.Params.Get("trusted_device_token")] && result == duo.PreauthAuth {
		result = duo.PreauthAllow
	}
	answer := map[string]any{"result": result, "status_msg": preauthMessage(user, result)}
	prompt := c.Params.Get("text_prompt") == "1" && s.TextPrompts
	switch result {
	case duo.PreauthEnroll:
		answer["enroll_portal_url"] = portal
		if prompt {
			answer["prompt"] = map[string]any{"text": "Please enroll at " + portal, "factors": map[string]string{}}
		}
	case duo.PreauthAuth:
		devices := user.devices(name)
		answer["devices"] = views(devices, state)
		verified := user.Verified == CodeInPreauth && state.codeAsked
		if verified {
			v := s.begin(&transaction{Transaction: Transaction{Username: name}, user: user, code: s.nextCode()})
			answer["txid"], answer["verification_code"] = v.ID, v.code
			answer["expiration"] = int(pushLifetime / time.Second)
		}
		if prompt {
			answer["prompt"] = textPrompt(name, devices, state, verified)
		}
	}
	return answer, nil
}

func preauthMessage(u *User, result duo.PreauthResult) string {
	switch {
	case u.Message != "":
		return u.Message
	case result == duo.PreauthAllow:
		return "Access allowed"
	case result == duo.PreauthDeny:
		return "Your account is disabled and cannot access this application. Please contact your administrator."
	case result == duo.PreauthEnroll:
		return "Enroll an authentication device to proceed"
	}
	return "Account is active"
}

// views are devices as preauth shows them.
func views(devices []Device, state *userState) []map[string]any {
	list := make([]map[string]any, len(devices))
	for i, d := range devices {
		v := map[string]any{
			"device":       d.ID,
			"type":         "phone",
			"display_name": d.DisplayName,
			"name":         d.Name,
			"number":       d.Number,
			"capabilities": d.Capabilities,
		}
		if d.Kind == Token {
			v = map[string]any{"device": d.ID, "type": "token", "name": d.Name, "display_name": d.DisplayName}
		}
		if next := state.nextSMS(); next != "" && slices.Contains(d.Capabilities, duo.FactorSMS) {
			v["sms_nextcode"] = next
		}
		list[i] = v
	}
	return list
}

// textPrompt is the menu that the service makes itself, with a map of what its
// options are called.
func textPrompt(name string, devices []Device, state *userState, verified bool) map[string]any {
	var lines []string
	factors := make(map[string]string)
	option := func(label, factor string) {
		n := fmt.Sprint(len(lines) + 1)
		lines = append(lines, n+". "+label)
		factors[n] = factor
		if n == "1" {
			factors["default"] = factor
		}
	}
	push := "push"
	if verified {
		push = "verified_push"
	}
	for _, f := range []struct {
		factor        duo.Factor
		called, label string
	}{
		{duo.FactorPush, push, "Duo Push to %s"},
		{duo.FactorPhone, "phone", "Phone call to %s"},
		{duo.FactorSMS, "sms", "SMS passcodes to %s"},
	} {
		for i, d := range able(devices, f.factor) {
			label := fmt.Sprintf(f.label, d.Number)
			if next := state.nextSMS(); next != "" && f.factor == duo.FactorSMS {
				label += " (next code starts with: " + next + ")"
			}
			option(label, fmt.Sprintf("%s%d", f.called, i+1))
		}
	}
	text := "Duo two-factor login for " + name + "\n\n"
	if len(lines) == 0 {
		text += "Enter a passcode.\n\nPasscode: "
	} else {
		text += "Enter a passcode or select one of the following options:\n\n" +
			strings.Join(lines, "\n") + fmt.Sprintf("\n\nPasscode or option (1-%d): ", len(lines))
	}
	return map[string]any{"text": text, "factors": factors}
}
