package radmfa

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/clean"
)

// Stage is a step of a login.
type Stage string

// The stages. A request goes through some of them, and each ends with StageLogin.
const (
	StagePrimary Stage = "primary" // the first factor was asked
	StagePreauth Stage = "preauth" // the service was asked what is to be done
	StageAuth    Stage = "auth"    // the service was asked for a factor
	StageLogin   Stage = "login"   // the Access-Request was answered

	StagePassword Stage = "password" // the first factor was asked to change a password
)

// Result is how a stage ended.
type Result string

// The results.
const (
	ResultAccepted   Result = "accepted"
	ResultRejected   Result = "rejected"
	ResultChallenged Result = "challenged" // more is asked of the user
	ResultIgnored    Result = "ignored"    // no reply: the NAS asks again, or asks elsewhere
	ResultWaiting    Result = "waiting"    // not yet: a person is asked, see StatusMessage
	ResultFailed     Result = "failed"     // rejected because something does not work: see Err
)

// Event reports the end of a stage or, with ResultWaiting, its progress. It
// contains no password, passcode, code to type on the phone, key or State, and
// its texts no control characters.
type Event struct {
	Time     time.Time
	LoginID  string // the same in all events of a login, its challenges and answers included
	Stage    Stage
	Result   Result
	Username string        // the account's name; the typed one until the first factor knows it
	NAS      netip.Addr    // that sent the request
	Client   string        // the radius.Client of the NAS: its name
	ClientIP netip.Addr    // of the user's machine; the zero Addr when unknown
	Node     string        // the Server's Node
	Factor   duo.Factor    // in StageAuth and the StageLogin after it
	Cause    Cause         // in StageLogin why; empty for a question in the course of a login
	Reason   string        // why, for the operator; may be empty
	TxID     string        // the service's name for the transaction; may be empty
	Message  string        // in StageLogin what the user was told, perhaps where to enroll
	Err      error         // with ResultFailed
	Duration time.Duration // of the stage

	// Status is what the service said of the login, and StatusMessage its own
	// text for that, on one line, without links and whatever may be a code. Both
	// may be empty.
	Status        duo.Status
	StatusMessage string

	// FailedOpen says that the user was let in without a second factor because the
	// service could not be contacted.
	FailedOpen bool

	// Fallback says that the Server's Fallback was asked, since the service could
	// not be contacted.
	Fallback bool

	// Repeated says that the decision was made for an earlier request with the
	// same State and answer. Nothing was asked again.
	Repeated bool
}

// level: failures need attention; a completed login is worth one line.
func (e *Event) level() slog.Level {
	switch {
	case e.Result == ResultFailed && !isUnavailable(e.Err) && !errors.Is(e.Err, context.Canceled):
		return slog.LevelError
	case e.Result == ResultFailed, e.Result == ResultIgnored, e.FailedOpen, e.Status == duo.StatusFraud:
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
	add("node", e.Node)
	add("factor", string(e.Factor))
	add("status", string(e.Status))
	add("status_msg", e.StatusMessage)
	add("txid", e.TxID)
	add("cause", string(e.Cause))
	add("reason", e.Reason)
	if e.Err != nil {
		add("error", clean.Line(e.Err.Error()))
	}
	if e.FailedOpen {
		attrs = append(attrs, slog.Bool("failed_open", true))
	}
	if e.Fallback {
		attrs = append(attrs, slog.Bool("fallback", true))
	}
	if e.Repeated {
		attrs = append(attrs, slog.Bool("repeated", true))
	}
	return append(attrs, slog.Duration("duration", e.Duration))
}
