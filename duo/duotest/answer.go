package duotest

import (
	"context"
	"net/url"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// pushLifetime is how long the service waits for a person.
const pushLifetime = time.Minute

// Push is what a phone asks its owner, by a push or a call.
type Push struct {
	TxID            string
	Username        string
	Factor          duo.Factor // duo.FactorPush or duo.FactorPhone
	Device          string     // the device's id
	Number          string     // the device's number
	Type            string     // word before "request"; "Login" if the client sent none
	DisplayUsername string     // name to show
	Info            url.Values // pushinfo
	IPAddr          string
	Code            string // of a verified push: to be typed by the owner
	Sent            time.Time
}

// Answer decides what the owner of a phone says to a push or call: with
// duo.StatusAllow, duo.StatusDeny, duo.StatusFraud or duo.StatusLockedOut, or with
// "" for nothing, which ends as duo.StatusTimeout 60 s after Sent. It may block and
// must return soon after ctx ends, which it does 60 s after Sent, or when the
// client has gone. When the client comes back to an undecided transaction, Answer
// is called again. It may be called from several goroutines, but for one
// transaction only one at a time.
type Answer func(ctx context.Context, p Push) duo.Status

// Approve is the Answer of an owner who approves at once.
func Approve(context.Context, Push) duo.Status { return duo.StatusAllow }

// Deny is the Answer of an owner who refuses at once.
func Deny(context.Context, Push) duo.Status { return duo.StatusDeny }

// ReportFraud is the Answer of an owner who says it was somebody else.
func ReportFraud(context.Context, Push) duo.Status { return duo.StatusFraud }

// Ignore is the Answer of an owner who does not look at the phone.
func Ignore(context.Context, Push) duo.Status { return "" }

// After returns the Answer of an owner who takes some time. From 60 s on that is
// too late.
func After(d time.Duration, then Answer) Answer {
	return func(ctx context.Context, p Push) duo.Status {
		left := time.Until(p.Sent.Add(d))
		if d >= pushLifetime || left > 0 && !sleep(ctx, left) {
			return ""
		}
		return then(ctx, p)
	}
}
