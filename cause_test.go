package radmfa_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
)

// answering is the answer of a phone that ends in a status.
func answering(status duo.Status) duotest.Answer {
	return func(context.Context, duotest.Push) duo.Status { return status }
}

func TestEveryEndOfALoginHasACause(t *testing.T) {
	outage := duotest.Fault{Times: -1, Refuse: true}
	for name, c := range map[string]struct {
		given   func(w *world)
		typed   []string // password, and answers
		result  radmfa.Result
		cause   radmfa.Cause
		status  duo.Status
		said    string // part of it
		warning bool
	}{
		"push":           {nil, []string{password, "push"}, radmfa.ResultAccepted, radmfa.CauseProved, duo.StatusAllow, "Success", false},
		"menu":           {nil, []string{password}, radmfa.ResultChallenged, "", "", "", false},
		"denied":         {func(w *world) { w.answers(duotest.Deny) }, []string{password, "push"}, radmfa.ResultRejected, radmfa.CauseDenied, duo.StatusDeny, "denied", false},
		"fraud":          {func(w *world) { w.answers(duotest.ReportFraud) }, []string{password, "push"}, radmfa.ResultRejected, radmfa.CauseFraud, duo.StatusFraud, "denied", true},
		"timeout":        {func(w *world) { w.answers(answering(duo.StatusTimeout)) }, []string{password, "push"}, radmfa.ResultRejected, radmfa.CauseTimeout, duo.StatusTimeout, "timed out", false},
		"our time is up": {func(w *world) { w.server.AuthTimeout = 20 * time.Second; w.answers(duotest.Ignore) }, []string{password, "push"}, radmfa.ResultRejected, radmfa.CauseTimeout, duo.StatusPushed, "Pushed", false},
		"locked out":     {func(w *world) { w.answers(answering(duo.StatusLockedOut)) }, []string{password, "push"}, radmfa.ResultRejected, radmfa.CauseLockedOut, duo.StatusLockedOut, "locked out", false},
		"wrong passcode": {nil, []string{password, "246813"}, radmfa.ResultRejected, radmfa.CauseWrongPasscode, duo.StatusDeny, "ncorrect", false},
		"typing error":   {nil, []string{password, "pusch"}, radmfa.ResultChallenged, radmfa.CauseTypingError, "", "", false},
		"typing errors":  {nil, []string{password, "pusch", "9", "?"}, radmfa.ResultRejected, radmfa.CauseTypingError, "", "", false},
		"SMS":            {nil, []string{password, "sms"}, radmfa.ResultRejected, radmfa.CauseSent, duo.StatusSent, "sent", false},
		"SMS, and again": {func(w *world) { w.server.Dialogue.SMSAsksAgain = true }, []string{password, "sms"}, radmfa.ResultChallenged, radmfa.CauseSent, duo.StatusSent, "sent", false},
		"bypass":         {func(w *world) { w.jdoe().Preauth = duo.PreauthAllow }, []string{password}, radmfa.ResultAccepted, radmfa.CauseBypass, duo.StatusBypass, "", false},
		"preauth denies": {func(w *world) { w.jdoe().Preauth = duo.PreauthDeny; w.jdoe().Message = "Ask Rosa\nfor help" }, []string{password}, radmfa.ResultRejected, radmfa.CauseServiceDenies, duo.StatusDeny, "Ask Rosa for help", false},
		"enroll": {func(w *world) {
			w.jdoe().Preauth = duo.PreauthEnroll
			w.jdoe().Message = "Go to https://e.example/?c=1"
		}, []string{password}, radmfa.ResultChallenged, radmfa.CauseNotEnrolled, "", "Go to [link]", false},
		"enroll, answer": {func(w *world) { w.jdoe().Preauth = duo.PreauthEnroll }, []string{password, "ok"}, radmfa.ResultRejected, radmfa.CauseNotEnrolled, "", "", false},
		"wrong password": {nil, []string{"guess"}, radmfa.ResultRejected, radmfa.CauseFirstFactor, "", "", false},
		"no directory":   {func(w *world) { w.server.Primary = failing{} }, []string{password}, radmfa.ResultFailed, radmfa.CauseFirstFactorFailed, "", "", true},
		"fail closed":    {func(w *world) { w.server.FailMode = radmfa.FailClosed; w.service.Break("", outage) }, []string{password}, radmfa.ResultRejected, radmfa.CauseOutage, "", "", false},
		"fail open":      {func(w *world) { w.service.Break("", outage) }, []string{password}, radmfa.ResultAccepted, radmfa.CauseFailedOpen, "", "", true},
		"wrong keys": {func(w *world) {
			w.service.Break("", duotest.Fault{Times: -1, Code: 40103, Message: "Invalid signature"})
		}, []string{password}, radmfa.ResultFailed, radmfa.CauseServiceFailed, "", "", true},
		"over the limit": {func(w *world) { w.server.Limits.PerMinute = 1 }, []string{password, "push"}, radmfa.ResultRejected, radmfa.CauseOverLimit, "", "", false},
		"exempt":         {func(w *world) { w.server.Policy = exempting }, []string{password}, radmfa.ResultAccepted, radmfa.CauseExempt, "", "", false},
		"policy fails":   {func(w *world) { w.server.Policy = failingPolicy }, []string{password}, radmfa.ResultFailed, radmfa.CauseInternal, "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answers(duotest.Approve)
				if c.given != nil {
					c.given(w)
				}
				w.start()
				if c.cause == radmfa.CauseOverLimit {
					w.login("jdoe", password, "push")
				}
				w.login("jdoe", c.typed[0], c.typed[1:]...)
				e := w.lastEvent()
				assert.Equal(t, radmfa.StageLogin, e.Stage)
				assert.Equal(t, c.result, e.Result)
				assert.Equal(t, c.cause, e.Cause)
				assert.Equal(t, c.status, e.Status)
				assert.Contains(t, e.StatusMessage, c.said)
				if c.cause != "" && c.cause != radmfa.CauseProved && e.Err == nil {
					assert.NotEmpty(t, e.Reason)
				}
				lines := strings.Split(strings.TrimSpace(w.log.String()), "\n")
				last := lines[len(lines)-1]
				assert.Equal(t, c.warning, strings.Contains(last, "level=WARN") || strings.Contains(last, "level=ERROR"), last)
				if c.cause != "" {
					assert.Contains(t, last, "cause="+string(c.cause))
				}
				if c.said != "" {
					assert.Contains(t, last, "status_msg=")
				}
			})
		})
	}
}

type failing struct{}

func (failing) Authenticate(context.Context, *primary.Request) (*primary.Result, error) {
	return nil, errors.New("no directory answers")
}

func exempting(_ context.Context, _ *radmfa.Login, p *radmfa.Policy) error {
	p.Exempt = true
	return nil
}

func failingPolicy(context.Context, *radmfa.Login, *radmfa.Policy) error { return errBroken }

// A service may repeat what the user typed.
func TestWhatTheServiceSaysLeaksNoCode(t *testing.T) {
	for _, typed := range []string{"246813", "24 68 13", "cccjgjgkhcbbirdrfdnlnghhfgrtnnlgedjlftrbdeut"} {
		for name, auto := range map[string]*radmfa.Auto{"menu": nil, "automatic": {}} {
			t.Run(name+" "+typed, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.server.Auto = auto
					w.service.Break(pathAuth, duotest.Fault{Times: -1, Status: 200, Body: `{"stat":"OK","response":{"result":"deny","status":"deny",` +
						`"status_msg":"Wrong: ` + typed + `, or ` + strings.ReplaceAll(typed, " ", "") + `, or 9753100, see https://help.example/?t=1"}}`})
					w.start()
					if auto != nil {
						w.login("jdoe", password+","+typed)
						w.login("jdoe", password+","+typed)
					} else {
						asked := w.login("jdoe", password)
						for range 2 { // the second gets the first one's decision
							_, err := w.nas.Answer(t.Context(), asked, typed)
							assert.NoError(t, err)
						}
					}
					told := w.log.String()
					for _, e := range w.seen() {
						told += e.StatusMessage + e.Message + e.Reason
					}
					assert.Contains(t, w.lastEvent().StatusMessage, "Wrong: [code], or [code], or [code], see [link]")
					assert.NotContains(t, told, typed)
					assert.NotContains(t, told, strings.ReplaceAll(typed, " ", ""))
				})
			})
		}
	}
}

func TestACodeToTypeOnThePhoneIsNotTold(t *testing.T) {
	for _, verified := range []duotest.Verified{duotest.CodeInPreauth, duotest.CodeInStatus} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			code := ""
			w.answers(func(_ context.Context, p duotest.Push) duo.Status {
				code = p.Code
				return duo.StatusAllow
			})
			w.jdoe().Verified = verified
			w.start()
			asked := w.login("jdoe", password, "push")
			if verified == duotest.CodeInStatus {
				_, err := w.nas.Answer(t.Context(), asked, "")
				assert.NoError(t, err)
				assert.Contains(t, asked.Message(), code)
			}
			require.NotEmpty(t, code)
			for _, e := range w.seen() {
				assert.NotContains(t, e.Message+e.StatusMessage+e.Reason, code)
			}
		})
	}
}
