package radmfa

import (
	"context"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/clean"
)

// span is a stage of a login that has started.
type span struct {
	login   *login
	stage   Stage
	started time.Time
	factor  duo.Factor
	txID    string
	status  duo.Status
	message string // what the service said; it may repeat a secret
}

func (l *login) startStage(stage Stage) span {
	return span{login: l, stage: stage, started: time.Now()}
}

// said notes what the service said.
func (s *span) said(status duo.Status, message string) { s.status, s.message = status, message }

// public is what a log may keep of what the service said.
func (l *login) public(message string) string {
	message = l.withoutSecrets(clean.Line(message))
	if strings.Contains(message, "://") {
		message = link.ReplaceAllString(message, "[link]")
	}
	if strings.ContainsAny(message, "0123456789") {
		message = digits.ReplaceAllString(message, "[code]")
	}
	return message
}

// link is an address: whoever has that of an enrollment can enroll in the
// user's place.
var link = regexp.MustCompile(`https?://\S+`)

// digits may be a passcode.
var digits = regexp.MustCompile(`[0-9]{6,}`)

// minTyped is the length of a text that hardly is the name of an option.
const minTyped = 6

// withoutSecrets takes out of a text what the user typed for the service, and
// the codes of verified pushes.
func (l *login) withoutSecrets(text string) string {
	if text == "" {
		return ""
	}
	hide := func(secret string, least int) {
		if len(secret) >= least {
			text = strings.ReplaceAll(text, secret, "[code]")
		}
	}
	hide(string(l.choice.Passcode), 1)
	hide(l.code, 1)
	if m := l.ses.menu; m != nil {
		hide(m.VerificationCode, 1)
	}
	for _, typed := range l.typed() { // also when the decision is a repeated one
		hide(typed, minTyped)
		hide(strings.ReplaceAll(typed, " ", ""), minTyped)
	}
	return text
}

// typed returns what the request may bring for the service.
func (l *login) typed() (answers []string) {
	if l.request.State != "" {
		return []string{string(l.request.Password)}
	}
	if l.server.Auto == nil {
		return nil
	}
	for _, r := range l.server.Auto.readings(l.request.Password) {
		answers = append(answers, r.factor)
	}
	return answers
}

// progress reports what the service says while a person is asked.
func (s *span) progress(state *duo.AuthStatusResponse) {
	if state.VerificationCode != "" {
		s.login.code = state.VerificationCode
	}
	s.said(state.Status, state.StatusMessage)
	s.emit(Event{Result: ResultWaiting})
}

// end reports the end of the stage.
func (s *span) end(result Result, reason string, err error) {
	s.emit(Event{Result: result, Reason: clean.Line(reason), Err: err})
}

func (s *span) emit(e Event) {
	e.Stage, e.Factor, e.TxID = s.stage, s.factor, s.txID
	e.Status, e.StatusMessage = s.status, s.message
	s.login.emit(e, s.started)
}

// report reports the end of the request.
func (l *login) report() {
	d := &l.decision
	e := Event{
		Stage: StageLogin, Result: d.Result, Factor: d.factor, Status: d.status, StatusMessage: d.said,
		Cause: d.cause, Reason: clean.Line(d.reason), Message: strings.Join(d.Messages, ""),
		Err: d.err, FailedOpen: d.failedOpen, Repeated: d.repeated,
	}
	if d.err != nil && d.Result == ResultRejected {
		e.Result = ResultFailed
	}
	l.emit(e, l.started)
}

// emit adds the fields common to a login and passes the event to the logger and
// OnEvent. Nothing is built that nobody reads.
func (l *login) emit(e Event, started time.Time) {
	s, logger := l.server, l.server.logger()
	level := e.level()
	logged := logger.Enabled(l.ctx, level)
	if !logged && s.OnEvent == nil {
		return
	}
	if l.ses.id == "" { // a State that belongs to no login
		l.ses.id = newLoginID()
	}
	e.Message, e.StatusMessage = l.withoutSecrets(e.Message), l.public(e.StatusMessage)
	e.Fallback = l.ses.fallback
	e.Time = time.Now()
	e.Duration = e.Time.Sub(started)
	e.LoginID, e.Username = l.ses.id, clean.Line(l.ses.name())
	if l.decision.repeated {
		e.LoginID, e.Username = l.decision.loginID, clean.Line(l.decision.account)
	}
	e.NAS, e.Client, e.ClientIP, e.Node = l.request.NAS, l.request.Client, l.ses.policy.ClientIP, s.Node
	ctx := context.WithoutCancel(l.ctx)
	if logged {
		logger.LogAttrs(ctx, level, "radmfa: "+string(e.Stage)+" "+string(e.Result), e.attrs()...)
	}
	if s.OnEvent != nil {
		s.OnEvent(ctx, e)
	}
}

func (l *login) warn(message string, err error) {
	l.server.logger().LogAttrs(context.WithoutCancel(l.ctx), slog.LevelWarn, message,
		slog.String("user", clean.Line(l.ses.name())), slog.String("client", l.request.Client), slog.Any("error", err))
}
