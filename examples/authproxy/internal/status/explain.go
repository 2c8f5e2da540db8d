package status

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/radius"
)

// Place is where in the configuration a section is.
type Place struct {
	File    *config.File
	Section *config.Section
}

// explain says in words why a login ended as it did, and what decided that.
func (p Place) explain(e radmfa.Event) Verdict {
	reason := e.Reason
	if e.Err != nil {
		reason = strings.TrimPrefix(reason+": "+e.Err.Error(), ": ")
	}
	v := Verdict{Why: short(reason), Said: short(e.StatusMessage)}
	if reason == "" {
		v.Why = success(e)
	}
	if e.Fallback {
		v.Decides = append(v.Decides, p.settings("failmode", e)...)
	}
	r := ruleFor(e)
	if r == nil {
		return v
	}
	if r.words != "" {
		v.Why, v.Detail = r.words, short(reason)
	}
	for _, key := range r.keys {
		v.Decides = append(v.Decides, p.settings(key, e)...)
	}
	if len(v.Decides) == 0 && len(r.keys) > 0 {
		v.Decides = append(v.Decides, p.missing(r.keys[0])...)
	}
	if r.elsewhere != "" {
		v.Decides = append(v.Decides, r.elsewhere)
	}
	return v
}

// ruleFor returns what is known of an event's reason, or nil.
func ruleFor(e radmfa.Event) *rule {
	var refusal *duo.Error
	if errors.As(e.Err, &refusal) {
		if r, ok := refusals[refusal.Code]; ok {
			return &r
		}
	}
	if wrong, first := strings.CutPrefix(e.Reason, wrongFirstFactor); first {
		wrong = quoted.ReplaceAllString(wrong, "")
		return find(firstFactorRules, func(reason string) bool { return strings.Contains(wrong, reason) })
	}
	return find(rules, func(reason string) bool { return strings.HasPrefix(e.Reason, reason) })
}

// quoted is a name in a reason, which may have been typed to look like one.
var quoted = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

func find(list []rule, matches func(reason string) bool) *rule {
	i := slices.IndexFunc(list, func(r rule) bool { return matches(r.reason) })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// success says how a login that went well was proved, or that it is not over.
func success(e radmfa.Event) string {
	switch {
	case e.Result == radmfa.ResultChallenged:
		return "asked, and no answer came yet"
	case e.Result != radmfa.ResultAccepted:
		return ""
	case e.Status == duo.StatusBypass:
		return "the service asks this user for no second factor"
	}
	switch e.Factor {
	case duo.FactorPush:
		return "the push was approved"
	case duo.FactorPhone:
		return "the call was approved"
	case duo.FactorPasscode:
		if e.Fallback {
			return "the code of the app is right; the service could not be contacted"
		}
		return "the passcode is right"
	}
	return "the second factor is right"
}

// settings returns what the file says under a key, with its lines.
func (p Place) settings(key string, e radmfa.Event) (list []string) {
	s, name := p.owner(key)
	if s == nil {
		return nil
	}
	switch name {
	case "radius_secret":
		if n := s.NumberOf(e.NAS); n > 0 {
			return []string{p.setting(s, s.Numbered(name, n))}
		}
		return nil
	case "exempt_username":
		for _, n := range s.Numbers(name) {
			if numbered := s.Numbered(name, n); names.Equal(s.Text(numbered), e.Username) {
				list = append(list, p.setting(s, numbered))
			}
		}
		return list
	case "host":
		for _, n := range s.Numbers(name) {
			list = append(list, p.setting(s, s.Numbered(name, n)))
		}
		return list
	}
	if s.Set(name) || s.Default(name) != "" {
		list = append(list, p.setting(s, name))
	}
	return list
}

// owner returns the section that a key of a rule is in. "client/" is the one that
// checks the first factor, "main/" is [main].
func (p Place) owner(key string) (*config.Section, string) {
	where, name, found := strings.Cut(key, "/")
	switch {
	case !found:
		return known(p.Section, key), key
	case where == "main":
		return known(p.File.Main, name), name
	default:
		return known(p.Section.Client, name), name
	}
}

// known returns the section if it may have the key.
func known(s *config.Section, name string) *config.Section {
	if s == nil || !s.Has(name) {
		return nil
	}
	return s
}

// setting is a key with its value and its line.
func (p Place) setting(s *config.Section, name string) string {
	if line := s.LineSet(name); line > 0 {
		return fmt.Sprintf("%s (%s line %d)", short(s.Shown(name)), filepath.Base(p.File.Path), line)
	}
	return fmt.Sprintf("%s=%s, the default ([%s] does not set it)", name, s.Default(name), s.Name)
}

// missing says that a key is not set.
func (p Place) missing(key string) []string {
	s, name := p.owner(key)
	if s == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s, which [%s] does not set", name, s.Name)}
}

// Advise fills in what can be done about a sender that is dropped.
func (p Place) Advise(s *Sender) {
	n := p.Section.NumberOf(s.Addr)
	number := func(key string) string { return fmt.Sprintf("%s_%d", key, n) }
	switch s.Drop {
	case radius.DropUnknownClient:
		n = p.Section.Free()
		s.Hint = "if this device may ask"
		s.Lines = []string{number("radius_ip") + "=" + s.Address, number("radius_secret") + "=..."}
	case radius.DropNoMessageAuthenticator, radius.DropNoLongerSigned:
		s.Hint = "let the device send a Message-Authenticator, or accept that its requests can be forged (CVE-2024-3596)"
		s.Lines = []string{number("radius_message_authenticator") + "=false"}
	case radius.DropProxyState:
		s.Hint = "let the device send a Message-Authenticator, or if it is a RADIUS proxy"
		s.Lines = []string{number("radius_is_proxy") + "=true"}
	case radius.DropBadMessageAuthenticator:
		s.Hint = "the shared secret of the device is another one"
		s.Lines = []string{number("radius_secret") + "=..."}
	default:
		s.Hint = radius.Drop{Reason: s.Drop}.Hint()
		return
	}
	if s.Drop != radius.DropUnknownClient && n == 0 { // the file has changed
		s.Lines = nil
	}
	for i, line := range s.Lines {
		key, _, _ := strings.Cut(line, "=")
		if at := p.Section.LineSet(key); at > 0 {
			s.Lines[i] = fmt.Sprintf("%s (%s line %d)", line, filepath.Base(p.File.Path), at)
		}
	}
	if len(s.Lines) > 0 {
		s.Hint += fmt.Sprintf(", in [%s]", p.Section.Name)
	}
}
