package duo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/radmfa/radmfa/internal/clean"
)

// Codes of [Error] that callers and operators meet most. The HTTP status is the
// first three digits of a code.
const (
	CodeInvalidParameter = 40002 // Detail names it; from auth_status also: nothing new yet
	CodeBadIntegration   = 40102 // the integration key is wrong
	CodeBadSignature     = 40103 // the secret key or the host is wrong
	CodeBadTimestamp     = 40105 // the clocks are more than some minutes apart
	CodeForbidden        = 40301 // this kind of application may not use the Auth API
	CodeTooManyRequests  = 42901 // the limit of the application or the user is used up
)

// ErrNotAsked is what errors.Is finds in the error of a Preauth that failed at
// once, because the service was unavailable several times a moment ago. Such an
// error is also IsUnavailable.
var ErrNotAsked = errors.New("not asked, the service was unavailable a moment ago")

// Error is the error of a call that brought no usable answer. What the service
// said has lost its control characters and never holds a secret of the request.
type Error struct {
	Call    string // the last part of the path: "preauth"
	Status  int    // HTTP status; 0 when there was no answer
	Code    int    // the service's own code, such as CodeBadSignature; 0: none
	Message string // the service's text for Code
	Detail  string // what exactly, such as the name of a parameter; often empty

	// Err tells why there was no answer, or why what came was none. It is nil
	// when the service itself said no.
	Err error
}

// Error implements error. It ends with what the operator can do, where that is
// known.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("duo: " + e.Call + ": ")
	switch {
	case e.Code != 0:
		fmt.Fprintf(&b, "error %d", e.Code)
	case e.Status >= 300:
		fmt.Fprintf(&b, "HTTP status %d", e.Status)
	}
	said := []string{e.Message, e.Detail}
	if e.Err != nil {
		said = append(said, e.Err.Error())
	}
	for _, s := range said {
		if s == "" {
			continue
		}
		if !strings.HasSuffix(b.String(), ": ") {
			b.WriteString(": ")
		}
		b.WriteString(s)
	}
	if h := e.hint(); h != "" {
		b.WriteString(" (" + h + ")")
	}
	return cut(clean.Line(b.String()))
}

func (e *Error) hint() string {
	switch e.Code {
	case CodeBadIntegration:
		return "check the integration key, and that it belongs to this API host"
	case CodeBadSignature:
		return "check the secret key and the API host"
	case CodeBadTimestamp:
		return "check the clock of this machine"
	case CodeForbidden:
		return "the keys belong to a kind of application that may not use the Auth API"
	}
	return ""
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// IsUnavailable reports whether err means that the service could not be asked:
// no connection, no TLS, no answer in time, HTTP status 5xx, or an answer that
// is no JSON envelope. A refusal (HTTP status 4xx, 429 included) is not that: the
// service is there, and keys, clock or load have to be looked after. Neither is a
// call that the caller cancelled; one whose deadline passed is.
func IsUnavailable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	var e *Error
	if !errors.As(err, &e) {
		return errors.Is(err, context.DeadlineExceeded)
	}
	switch {
	case e.Status >= 500:
		return true
	case e.Status >= 400:
		return false
	}
	return e.Err != nil || e.Code/100 >= 500
}

// isCode reports whether the service answered with this code.
func isCode(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
