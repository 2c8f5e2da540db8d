package radmfa

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/radius"
)

// Stage is a step of a login.
type Stage string

// The stages. A request goes through some of them, and each ends with StageLogin.
const (
	StagePrimary Stage = "primary" // the first factor was asked
	StagePreauth Stage = "preauth" // the service was asked what is to be done
	StageAuth    Stage = "auth"    // the service was asked for a factor
	StageLogin   Stage = "login"   // the Access-Request was answered
)

// Result is how a stage ended.
type Result string

// The results.
const (
	ResultAccepted   Result = "accepted"
	ResultRejected   Result = "rejected"
	ResultChallenged Result = "challenged" // more is asked of the user
	ResultWaiting    Result = "waiting"    // not yet: a person is asked, see Message
	ResultFailed     Result = "failed"     // no answer could be had: see Err
)

// Event tells of the end of a stage, or with ResultWaiting of its progress. It holds no password, passcode, key or
// State, and its texts no control characters.
type Event struct {
	Time     time.Time
	LoginID  string // the same in all events of a login, its challenges and answers included
	Stage    Stage
	Result   Result
	Username string
	NAS      netip.Addr    // that sent the request
	Client   string        // the radius.Client of the NAS: its name
	ClientIP netip.Addr    // of the user's machine; the zero Addr when unknown
	Factor   duo.Factor    // in StageAuth and the StageLogin after it
	Reason   string        // why, for the operator; may be empty
	TxID     string        // the service's name for the transaction; may be empty
	Message  string        // in StageLogin what the user was told (perhaps where to enroll), with ResultWaiting what the service says
	Err      error         // with ResultFailed
	Duration time.Duration // of the stage

	// FailedOpen: the user was let in without a second factor because the
	// service could not be contacted.
	FailedOpen bool

	// Repeated: the decision is that of an earlier request with the same State
	// and answer. Nothing was asked again.
	Repeated bool
}

// stageEvent is an Event whose stage has begun.
type stageEvent struct {
	Event
	login *login
}

// begin notes the begin of a stage.
func (l *login) begin(stage Stage) *stageEvent {
	return &stageEvent{login: l, Event: Event{Time: time.Now(), Stage: stage}}
}

// progress tells what the service says while a person is asked.
func (e *stageEvent) progress(state *duo.AuthStatusResponse) {
	waiting := e.Event
	waiting.Result, waiting.Reason, waiting.Message = ResultWaiting, string(state.Status), clean.Line(state.StatusMessage)
	waiting.Duration = time.Since(e.Time)
	e.login.tell(waiting)
}

// end completes the event and tells everybody.
func (e *stageEvent) end(result Result, reason string, err error) {
	e.Result, e.Reason, e.Err = result, clean.Line(reason), err
	e.Duration = time.Since(e.Time)
	e.login.tell(e.Event)
}

// decided tells of the end of the request.
func (l *login) decided(d *decision) {
	e := Event{
		Time: l.started, Stage: StageLogin, Duration: time.Since(l.started),
		Factor: d.Factor, Reason: clean.Line(d.Reason), Message: strings.Join(d.Messages, ""),
		Err: d.err, FailedOpen: d.FailedOpen, Repeated: d.repeated,
	}
	switch {
	case d.err != nil:
		e.Result = ResultFailed
	case d.Code == radius.CodeAccessAccept:
		e.Result = ResultAccepted
	case d.Code == radius.CodeAccessChallenge:
		e.Result = ResultChallenged
	default:
		e.Result = ResultRejected
	}
	l.tell(e)
}

// tell fills in what all events of a login share, and gives it to log and OnEvent.
func (l *login) tell(e Event) {
	e.Time = e.Time.Add(e.Duration)
	e.LoginID, e.Username, e.NAS, e.Client, e.ClientIP = l.id, clean.Line(l.username), l.nas, l.client, l.clientIP
	ctx := context.WithoutCancel(l.ctx)
	l.logger().LogAttrs(ctx, e.level(), "radmfa: "+string(e.Stage)+" "+string(e.Result), e.attrs()...)
	if l.OnEvent != nil {
		l.OnEvent(ctx, e)
	}
}

// level: what fails is for the operator to look at, a login is worth a line.
func (e *Event) level() slog.Level {
	switch {
	case e.Result == ResultFailed && !duo.IsUnavailable(e.Err) && !errors.Is(e.Err, context.Canceled):
		return slog.LevelError
	case e.Result == ResultFailed, e.FailedOpen:
		return slog.LevelWarn
	case e.Stage == StageLogin:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

func (e *Event) attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("login", e.LoginID), slog.String("user", e.Username), slog.String("nas", e.NAS.String()), slog.String("client", e.Client)}
	add := func(key, value string) {
		if value != "" {
			attrs = append(attrs, slog.String(key, value))
		}
	}
	if e.ClientIP.IsValid() {
		add("client_ip", e.ClientIP.String())
	}
	add("factor", string(e.Factor))
	add("txid", e.TxID)
	add("reason", e.Reason)
	if e.Result == ResultWaiting {
		add("message", e.Message)
	}
	if e.Err != nil {
		add("error", clean.Line(e.Err.Error()))
	}
	if e.FailedOpen {
		attrs = append(attrs, slog.Bool("failed_open", true))
	}
	if e.Repeated {
		attrs = append(attrs, slog.Bool("repeated", true))
	}
	return append(attrs, slog.Duration("duration", e.Duration))
}
