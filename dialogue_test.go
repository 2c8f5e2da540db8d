package radmfa_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// TestDialogues plays testdata/dialogues: README.md there says how they read. Each
// is played twice: with menus of ours, and with menus that the service makes.
func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/dialogues/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, d := range readDialogues(t, file) {
				t.Run(d.title, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { d.play(t, false) })
				})
				t.Run(d.title+", text prompt of the service", func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { d.play(t, true) })
				})
			}
		})
	}
}

type dialogue struct {
	title string
	lines []string
	at    []string // file:line of each
}

func readDialogues(t *testing.T, file string) []*dialogue {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	var list []*dialogue
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if title, ok := strings.CutPrefix(line, "== "); ok {
			list = append(list, &dialogue{title: title})
		} else if len(list) > 0 && strings.TrimSpace(line) != "" {
			d := list[len(list)-1]
			d.lines = append(d.lines, line)
			d.at = append(d.at, fmt.Sprintf("%s:%d", file, n))
		}
	}
	require.NoError(t, lines.Err())
	return list
}

// play runs a dialogue line by line.
func (d *dialogue) play(t *testing.T, textPrompts bool) {
	w := newWorld(t)
	w.service.TextPrompts = textPrompts
	started := false
	var reply *radiustest.Reply
	for i := 0; i < len(d.lines); i++ {
		verb, rest, _ := strings.Cut(d.lines[i], " ")
		at := d.at[i]
		switch verb {
		case "given":
			w.given(at, rest)
		case "NAS:":
			if !started {
				w.start()
				started = true
			}
			reply = w.says(at, rest, reply)
		case "server:":
			checkReply(t, at, rest, reply)
			var text []string
			for i+1 < len(d.lines) && strings.HasPrefix(d.lines[i+1], "|") {
				i++
				text = append(text, strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(d.lines[i], "|"), " "), "·", " "))
			}
			if text != nil {
				assert.Equal(t, strings.Join(text, "\n"), reply.Message(), at)
			}
		case "service:":
			assert.Equal(t, rest, w.asked(), at)
		case "wait":
			pause, err := time.ParseDuration(rest)
			require.NoError(t, err, at)
			time.Sleep(pause)
		case "result:":
			require.Equal(t, "failed open", rest, at)
			assert.True(t, w.lastEvent().FailedOpen, at)
			assert.Contains(t, w.log.String(), "level=WARN", at)
		default:
			t.Fatalf("%s: unknown line %q", at, d.lines[i])
		}
	}
}

// says sends what a line says the NAS sends.
func (w *world) says(at, line string, last *radiustest.Reply) *radiustest.Reply {
	w.t.Helper()
	if line == "answers the first SMS passcode" {
		line = fmt.Sprintf("answers %q", w.service.SMS("jdoe")[0])
	}
	var reply *radiustest.Reply
	var err error
	if quoted, ok := strings.CutPrefix(line, "answers "); ok {
		answer, unquoteErr := strconv.Unquote(quoted)
		require.NoError(w.t, unquoteErr, at)
		require.True(w.t, last.Challenged(), "%s: %s", at, last)
		reply, err = w.nas.Answer(w.t.Context(), last, answer)
	} else {
		name, quoted, _ := strings.Cut(line, ", ")
		password, unquoteErr := strconv.Unquote(quoted)
		require.NoError(w.t, unquoteErr, at)
		reply, err = w.nas.Login(w.t.Context(), name, password)
	}
	require.NoError(w.t, err, at)
	return reply
}

// checkReply compares code and attributes: `Access-Accept, Filter-Id "staff"`.
func checkReply(t *testing.T, at, want string, reply *radiustest.Reply) {
	t.Helper()
	got := reply.Code.String()
	if filter := rfc2865.FilterID_GetString(reply.Packet); filter != "" {
		got += fmt.Sprintf(", Filter-Id %q", filter)
	}
	assert.Equal(t, want, got, at)
}

// asked returns what the service was asked, in a line. What it made of an option
// of its own menu is in its transaction.
func (w *world) asked() string {
	var calls []string
	transactions := w.service.Transactions()
	for _, c := range w.service.Calls() {
		p := c.Params
		switch call := filepath.Base(c.Path); {
		case call == "preauth":
			calls = append(calls, "preauth "+p.Get("username"))
		case call == "auth" && p.Get("factor") == "prompt" && len(transactions) > 0:
			tx := transactions[0]
			passcode := ""
			if tx.Factor == duo.FactorPasscode {
				passcode = p.Get("prompt")
			}
			calls = append(calls, "auth "+string(tx.Factor)+" "+tx.Device+passcode)
			transactions = transactions[1:]
		case call == "auth" && p.Get("factor") == "prompt":
			calls = append(calls, "auth push DPJDOE1") // a fault came before the transaction
		case call == "auth":
			calls = append(calls, "auth "+p.Get("factor")+" "+p.Get("device")+p.Get("passcode"))
		}
	}
	if calls == nil {
		return "nothing"
	}
	return strings.Join(calls, ", ")
}

// given changes the world as a line says.
func (w *world) given(at, line string) {
	w.t.Helper()
	for _, g := range givens {
		if m := g.line.FindStringSubmatch(line); m != nil {
			g.do(w, m[1:])
			return
		}
	}
	w.t.Fatalf("%s: nobody knows how to give %q", at, line)
}

var givens = []struct {
	line *regexp.Regexp
	do   func(*world, []string)
}{
	{given(`jdoe has (.*)`), func(w *world, m []string) { w.jdoe().Devices = devices(m[0]) }},
	{given(`the phone's owner denies`), func(w *world, _ []string) { w.answers(duotest.Deny) }},
	{given(`the phone's owner reports fraud`), func(w *world, _ []string) { w.answers(duotest.ReportFraud) }},
	{given(`the phone's owner ignores it`), func(w *world, _ []string) { w.answers(duotest.Ignore) }},
	{given(`the passcode (\w+) is valid`), func(w *world, m []string) { w.jdoe().Passcodes = m }},
	{given(`the server waits (\w+) for a decision`), func(w *world, m []string) {
		w.server.AuthTimeout, _ = time.ParseDuration(m[0])
		w.nas.Exchanger.Interval = time.Hour
	}},
	{given(`SMS asks again`), func(w *world, _ []string) { w.server.Dialogue.SMSAsksAgain = true }},
	{given(`1 try`), func(w *world, _ []string) { w.server.Dialogue.MaxAttempts = 1 }},
	{given(`long menus are split`), func(w *world, _ []string) { w.server.Prompt = prompt.Console{Split: true} }},
	{given(`the prompt is html`), func(w *world, _ []string) { w.server.Prompt = prompt.HTML{} }},
	{given(`the prompt is short`), func(w *world, _ []string) { w.server.Prompt = prompt.Short{} }},

	{given(`there is no first factor`), func(w *world, _ []string) { w.server.Primary = primary.None{} }},
	{given(`the first factor is down`), func(w *world, _ []string) { w.first(nil, errors.New("connection refused")) }},
	{given(`the first factor rejects with "(.*)"`), func(w *world, m []string) { w.first(nil, &primary.Rejection{Message: m[0]}) }},
	{given(`the first factor returns the Filter-Id "(.*)"`), func(w *world, m []string) {
		w.first(&primary.Result{Attributes: radius.Attributes{{Type: rfc2865.FilterID_Type, Attribute: []byte(m[0])}}}, nil)
	}},
	{given(`the first factor asks for the PIN (\d+)`), func(w *world, m []string) { w.server.Primary = asksForPIN(m[0]) }},
	{given(`jdoe must change the password`), func(w *world, _ []string) { w.mustChange() }},
	{given(`the directory forbids changes`), func(w *world, _ []string) { w.refuseChanges(ldap.LDAPResultInsufficientAccessRights) }},
	{given(`the directory fails at changes`), func(w *world, _ []string) { w.refuseChanges(ldap.LDAPResultUnavailable) }},
	{given(`jdoe is exempt`), func(w *world, _ []string) {
		w.server.Policy = func(_ context.Context, l *radmfa.Login, p *radmfa.Policy) error {
			p.Exempt = l.Account == "jdoe"
			return nil
		}
	}},

	{given(`nothing is asked`), func(w *world, _ []string) { w.server.Auto = &radmfa.Auto{} }},
	{given(`the default is (.*)`), func(w *world, m []string) {
		for name := range strings.SplitSeq(m[0], ", ") {
			w.server.Auto.Factors = append(w.server.Auto.Factors, duo.Factor(name))
		}
	}},
	{given(`the delimiter is "(.*)"`), func(w *world, m []string) { w.server.Auto.Delimiter = m[0] }},
	{given(`the password has (\d+) characters`), func(w *world, m []string) { w.server.Auto.PasswordLength = number(m[0]) }},
	{given(`passcodes may follow the password`), func(w *world, _ []string) { w.server.Auto.Concat = radmfa.ConcatAllowed }},
	{given(`passcodes follow the password`), func(w *world, _ []string) { w.server.Auto.Concat = radmfa.ConcatExpected }},
	{given(`the password is the factor`), func(w *world, _ []string) {
		w.server.Auto.Only = true
		w.server.Primary = primary.None{}
	}},

	{given(`pushes are verified, with the code in preauth`), func(w *world, _ []string) { w.verifies(duotest.CodeInPreauth) }},
	{given(`pushes are verified, with the code in auth_status`), func(w *world, _ []string) { w.verifies(duotest.CodeInStatus) }},
	{given(`verified push is switched off`), func(w *world, _ []string) { w.server.Dialogue.NoVerifiedPush = true }},
	{given(`at most (\d+) pushes a minute`), func(w *world, m []string) { w.server.Limits.PerMinute = number(m[0]) }},
	{given(`success is remembered for (\w+)`), func(w *world, m []string) { w.server.Remember.For, _ = time.ParseDuration(m[0]) }},
	{given(`jdoe's machine is (.*)`), func(w *world, m []string) {
		w.nas.Attributes = radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(m[0])}}
	}},
	{given(`the service knows bare names`), func(w *world, _ []string) { w.server.Policy = bareNames }},
	{given(`the first factor takes every name`), func(w *world, _ []string) { w.first(nil, nil) }},

	{given(`the service allows jdoe`), func(w *world, _ []string) { w.jdoe().Preauth = duo.PreauthAllow }},
	{given(`the service denies jdoe`), func(w *world, _ []string) { w.jdoe().Preauth = duo.PreauthDeny }},
	{given(`jdoe must enroll`), func(w *world, _ []string) { w.jdoe().Preauth = duo.PreauthEnroll }},
	{given(`enrollment is a reject`), func(w *world, _ []string) { w.server.Dialogue.EnrollReject = true }},

	{given(`the fail mode is secure`), func(w *world, _ []string) { w.server.FailMode = radmfa.FailClosed }},
	{given(`the service cannot be reached for (\w+)`), func(w *world, m []string) { w.breaks(m[0], duotest.Fault{Times: -1, Refuse: true}) }},
	{given(`the connection breaks during (\w+)`), func(w *world, m []string) { w.breaks(m[0], duotest.Fault{Times: -1, Reset: true}) }},
	{given(`(\w+) takes (\w+)`), func(w *world, m []string) {
		delay, _ := time.ParseDuration(m[1])
		w.nas.Exchanger.Interval = delay
		w.breaks(m[0], duotest.Fault{Times: -1, Delay: delay})
	}},
	{given(`(\w+) fails with HTTP (\d+)`), func(w *world, m []string) {
		w.breaks(m[0], duotest.Fault{Times: -1, Status: number(m[1]), Body: "out of order"})
	}},
	{given(`(\w+) answers "(.*)"`), func(w *world, m []string) { w.breaks(m[0], duotest.Fault{Times: -1, Body: m[1]}) }},
	{given(`(\w+) (?:always )?fails with error (\d+)`), func(w *world, m []string) {
		w.breaks(m[0], duotest.Fault{Times: -1, Code: number(m[1]), Message: "no"})
	}},
}

func given(line string) *regexp.Regexp { return regexp.MustCompile("^" + line + "$") }

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// bareNames is a policy for a service that knows bare names.
func bareNames(_ context.Context, l *radmfa.Login, p *radmfa.Policy) error {
	p.Username = radmfa.BareName(l.Account)
	return nil
}

func (w *world) jdoe() *duotest.User { return w.service.Users["jdoe"] }

func (w *world) answers(a duotest.Answer) { w.jdoe().Devices = []duotest.Device{{Answer: a}} }

func (w *world) breaks(call string, f duotest.Fault) { w.service.Break("/auth/v2/"+call, f) }

// first makes a first factor that always says the same.
func (w *world) first(result *primary.Result, err error) {
	w.server.Primary = primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) { return result, err })
}

// verifies makes pushes verified: the owner types the code and approves if the
// user was shown one.
func (w *world) verifies(how duotest.Verified) {
	w.jdoe().Verified = how
	w.jdoe().Devices = []duotest.Device{{Answer: func(ctx context.Context, p duotest.Push) duo.Status {
		if p.Code == "" {
			return duo.StatusDeny
		}
		return duotest.After(5*time.Second, duotest.Approve)(ctx, p)
	}}}
}

func devices(list string) []duotest.Device {
	var devices []duotest.Device
	for kind := range strings.SplitSeq(list, ", ") {
		devices = append(devices, duotest.Device{Kind: map[string]duotest.Kind{
			"a smartphone": duotest.Smartphone, "a landline": duotest.Landline, "a token": duotest.Token,
		}[kind]})
	}
	return devices
}

// asksForPIN is a first factor with a challenge of its own.
func asksForPIN(pin string) primary.Authenticator {
	return primary.AuthenticatorFunc(func(_ context.Context, r *primary.Request) (*primary.Result, error) {
		switch {
		case len(r.State) == 0:
			return nil, &primary.Challenge{Message: "PIN?", State: []byte("inner state")}
		case string(r.State) == "inner state" && string(r.Password) == pin:
			return nil, nil
		default:
			return nil, &primary.Rejection{Reason: "wrong PIN"}
		}
	})
}
