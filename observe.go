package radmfa

import (
	"context"
	"log/slog"
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
}

func (l *login) startStage(stage Stage) span {
	return span{login: l, stage: stage, started: time.Now()}
}

// progress reports what the service says while a person is asked.
func (s *span) progress(state *duo.AuthStatusResponse) {
	s.emit(Event{
		Result: ResultWaiting, Status: state.Status,
		Reason: string(state.Status), Message: clean.Line(state.StatusMessage),
	})
}

// end reports the end of the stage.
func (s *span) end(result Result, reason string, err error) {
	s.emit(Event{Result: result, Status: s.status, Reason: clean.Line(reason), Err: err})
}

func (s *span) emit(e Event) {
	e.Stage, e.Factor, e.TxID = s.stage, s.factor, s.txID
	s.login.emit(e, s.started)
}

// report reports the end of the request.
func (l *login) report() {
	d := &l.decision
	e := Event{
		Stage: StageLogin, Result: d.Result, Factor: d.factor, Status: d.status, Reason: clean.Line(d.reason),
		Message: strings.Join(d.Messages, ""), Err: d.err, FailedOpen: d.failedOpen, Repeated: d.repeated,
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
