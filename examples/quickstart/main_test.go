package main

import (
	"bytes"
	"context"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneLoginTellsItsEndByTheExitStatus(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		code  int
		shows string
	}{
		"push":                {[]string{"-login", "jdoe:correct horse:1"}, exitAccept, "Approve? [y/n] y\nAccess-Accept\n"},
		"call":                {[]string{"-login", "jdoe:correct horse:phone"}, exitAccept, "Phone call: Login request"},
		"verified push":       {[]string{"-login", "erin:swordfish:1"}, exitAccept, "Number on the VPN's screen, or n: 376\nAccess-Accept\n"},
		"denied push":         {[]string{"-login", "jdoe:correct horse:1", "-phone", "deny"}, exitReject, "Approve? [y/n] n\nAccess-Reject\n"},
		"approve, said aloud": {[]string{"-login", "jdoe:correct horse:1", "-phone", "approve"}, exitAccept, "Access-Accept\n"},
		"passcode":            {[]string{"-login", "alice:battery staple:123456"}, exitAccept, "Passcode: 123456\nAccess-Accept\n"},
		"wrong passcode":      {[]string{"-login", "alice:battery staple:654321"}, exitReject, "Access-Reject\n  Incorrect passcode."},
		"wrong password":      {[]string{"-login", "jdoe:horse:1"}, exitReject, "VPN password: \nAccess-Reject\n  (The server tells users no more. Start with -v to see why.)\n"},
		"password of colons":  {[]string{"-login", "jdoe:::1"}, exitReject, "VPN password: \nAccess-Reject\n"},
		"unknown user":        {[]string{"-login", "mallory:correct horse:1"}, exitReject, "VPN password: \nAccess-Reject\n"},
		"SMS":                 {[]string{"-login", "jdoe:correct horse:sms"}, exitReject, "Phone of jdoe: SMS passcodes:\n1"},
		"must enroll":         {[]string{"-login", "bob:open sesame:1"}, exitReject, "  Answer: 1\nAccess-Reject\n  Please finish your enrollment"},
		"let in by service":   {[]string{"-login", "carol:hunter2:"}, exitAccept, "VPN password: \nAccess-Accept\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.code, run(t.Context(), c.args, strings.NewReader(""), &stdout, &stderr))
			assert.Contains(t, stdout.String(), c.shows)
			assert.Empty(t, stderr.String())
		})
	}
}

func TestWhatIsNoLoginIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		args  []string
		code  int
		tells string
	}{
		"answer is no option": {[]string{"-login", "jdoe:correct horse:pusch"}, exitError, "asks for another answer"},
		"password too long":   {[]string{"-login", "jdoe:" + strings.Repeat("x", 129) + ":1"}, exitError, "User-Password"},
		"no answer":           {[]string{"-login", "jdoe:hunter2"}, exitError, "-login wants user:password:answer\n"},
		"no name":             {[]string{"-login", ":correct horse:1"}, exitError, "-login wants user:password:answer\n"},
		"empty login":         {[]string{"-login", ""}, exitError, "-login wants user:password:answer\n"},
		"phone":               {[]string{"-phone", "ring"}, exitError, `-phone wants approve or deny, not "ring"`},
		"web and login":       {[]string{"-web", "-login", "jdoe:hunter2:1"}, exitError, "leave out -login and -phone\n"},
		"web and phone":       {[]string{"-web", "-phone", "deny"}, exitError, "leave out -login and -phone\n"},
		"argument":            {[]string{"jdoe"}, exitError, `unexpected argument "jdoe"`},
		"flag":                {[]string{"-x"}, exitError, "not defined: -x"},
		"help":                {[]string{"-h"}, exitAccept, "Usage: go run ./examples/quickstart"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, c.code, run(t.Context(), c.args, strings.NewReader(""), &stdout, &stderr))
			assert.Contains(t, stderr.String(), c.tells)
			assert.NotContains(t, stderr.String(), "hunter2")
		})
	}
}

func TestVerboseLogsTheStepsAndNoPassword(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitAccept, run(t.Context(), []string{"-v", "-login", "jdoe:correct horse:1"}, strings.NewReader(""), &stdout, &stderr))
	assert.Contains(t, stderr.String(), "radmfa: preauth challenged")
	assert.Contains(t, stderr.String(), "radmfa: login accepted")
	assert.NotContains(t, stderr.String(), "horse")
}

// What a newcomer sees, with the input piped so that each line of it is shown.
const firstSession = `A RADIUS server with a second factor, and all that belongs to it.

Server: 127.0.0.1:PORT (UDP), shared secret: testing123

User     Password         Second factor
jdoe     correct horse    a phone: push, call or SMS passcodes
erin     swordfish        a phone whose push asks for a number
alice    battery staple   a token, which shows 123456
bob      open sesame      has none yet and must enroll
carol    hunter2          needs none: the service lets her in

This terminal is the VPN, and it is the users' phones. Ctrl-C ends it.
With -web, a page in the browser is all of that.

The radclient of FreeRADIUS can log in too, from another window, and again
with the answer as User-Password and the State of the challenge:

  echo 'User-Name=jdoe,User-Password="correct horse",
    Message-Authenticator=0x00' |
    radclient -x -t 70 -r 1 127.0.0.1:PORT auth testing123

VPN user name: jdoe
VPN password: 
Access-Challenge
  Duo two-factor login for jdoe

  Enter a passcode or select one of the following options:

  1. Duo Push to XXX-XXX-1234
  2. Phone call to XXX-XXX-1234
  3. SMS passcodes to XXX-XXX-1234

  Passcode or option (1-3): 1
Phone of jdoe: Duo Push: Login request for jdoe from 192.0.2.33.
  Approve? [y/n] y
Access-Accept
  Success. Logging you in...

VPN user name: carol
VPN password: 
Access-Accept
  Access allowed

VPN user name: 
`

func TestASessionLogsInUntilTheInputEnds(t *testing.T) {
	var stdout, stderr bytes.Buffer
	stdin := strings.NewReader("jdoe\ncorrect horse\n1\ny\ncarol\r\nhunter2\r\n")
	assert.Equal(t, exitAccept, run(t.Context(), nil, stdin, &stdout, &stderr))
	assert.Equal(t, firstSession, regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(stdout.String(), "127.0.0.1:PORT"))
	assert.Empty(t, stderr.String())
}

func TestASessionGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		stdin string
		shows string
	}{
		"a key that is neither y nor n":  {"jdoe\ncorrect horse\n1\nx\nNo\n", "[y/n] x\nPhone of jdoe: Duo Push: Login request for jdoe from 192.0.2.33.\n  Approve? [y/n] No\nAccess-Reject\n"},
		"a typing error":                 {"alice\nbattery staple\n1\n123456\n", "That is not one of the options."},
		"a passcode out of an SMS":       {"jdoe\ncorrect horse\nsms\njdoe\ncorrect horse\n1104729\n", "(next code starts with: 1)\n\n  Passcode or option (1-3): 1104729\nAccess-Accept"},
		"a password that does not fit":   {"jdoe\n" + strings.Repeat("x", 129) + "\ncarol\nhunter2\n", "quickstart: radiustest: User-Password"},
		"the end of the input in a name": {"jdoe", "VPN password: \n"},
		"the end at the phone":           {"jdoe\ncorrect horse\n1\n", "Approve? [y/n] \n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			assert.Equal(t, exitAccept, run(t.Context(), nil, strings.NewReader(c.stdin), &stdout, &stderr))
			assert.Contains(t, stdout.String(), c.shows)
			assert.Empty(t, stderr.String())
		})
	}
}

func TestCtrlCEndsASessionAtOnce(t *testing.T) {
	for name, c := range map[string]struct{ typed, waits string }{
		"at the name":  {"", "VPN user name: "},
		"at the phone": {"jdoe\ncorrect horse\n1\n", "Approve? [y/n] "},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, interrupt := context.WithCancel(t.Context())
			stdin, keyboard := io.Pipe()
			defer func() { _ = keyboard.Close() }()
			go func() { _, _ = io.WriteString(keyboard, c.typed) }()
			stdout := &screen{waitsFor: c.waits, seen: interrupt}
			assert.Equal(t, exitAccept, run(ctx, nil, stdin, stdout, io.Discard))
		})
	}
}

// screen calls seen when waitsFor is shown.
type screen struct {
	waitsFor string
	seen     func()

	mu   sync.Mutex
	text string
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += string(p)
	if s.seen != nil && strings.Contains(s.text, s.waitsFor) {
		s.seen()
	}
	return len(p), nil
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}

func TestTheFirstAndTheLastColonDivideALogin(t *testing.T) {
	o, err := parse([]string{"-login", "jdoe:a:b:c"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"jdoe", "a:b", "c"}, o.login)
}

// Whatever a newcomer's terminal shows has room in 80 columns.
func TestAllThatIsShownFits80Columns(t *testing.T) {
	var shown bytes.Buffer
	const all = "jdoe\ncorrect horse\n1\nn\njdoe\ncorrect horse\nsms\nerin\nswordfish\n1\n376\n" +
		"jdoe\nwrong\nbob\nopen sesame\nalice\nbattery staple\n1\n654321\n"
	run(t.Context(), nil, strings.NewReader(all), &shown, &shown)
	run(t.Context(), []string{"-h"}, nil, &shown, &shown)
	run(t.Context(), []string{"-login", "jdoe", "-phone", "ring"}, nil, &shown, &shown)
	run(t.Context(), []string{"-login", "jdoe:correct horse:pusch"}, nil, &shown, &shown)
	run(t.Context(), []string{"-web", "-phone", "deny"}, nil, &shown, &shown)
	ended, end := context.WithCancel(t.Context())
	end()
	run(ended, []string{"-web"}, nil, &shown, &shown)
	for line := range strings.Lines(shown.String()) {
		width := len(strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "    \t", "        "))
		assert.LessOrEqual(t, width, 80, line)
	}
}
