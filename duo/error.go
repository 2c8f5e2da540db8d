package duo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

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

// ErrNotAsked is what errors.Is finds in the error of a Preauth that was not
// sent, because the service is out of reach. Such an error is Unavailable.
var ErrNotAsked = errors.New("not asked, since the service cannot be reached")

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

	skew time.Duration // how far the clocks were apart, with a refusal that this may explain
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
	} else if e.Code == 0 && e.Message == "" && e.Detail == "" {
		said = append(said, "the service refused and gave no reason")
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
	case CodeForbidden:
		return "the keys belong to a kind of application that may not use the Auth API"
	case CodeBadTimestamp, 0:
		if e.skew.Abs() > maxSkew {
			return fmt.Sprintf("check the clock of this machine: it is off by %v", e.skew.Abs().Round(time.Second))
		}
	}
	if e.Code == CodeBadTimestamp {
		return "check the clock of this machine"
	}
	return ""
}

// maxSkew is how far the clocks may be apart without the service's minding.
const maxSkew = 30 * time.Second

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Unavailable reports whether the service could not be asked: no connection, no
// TLS (an untrusted certificate included), no answer to a request that was
// written, HTTP status 5xx, or an answer that is no JSON envelope. A refusal (HTTP
// status 4xx, 429 included) is not that: the service is up; the keys, clock, or
// request rate need attention. Neither is a want of this machine (descriptors,
// ports, memory, time to wait for a connection), a proxy that refuses, nor a call
// that the caller cancelled.
func (e *Error) Unavailable() bool {
	var want *wantError
	var waited *waitedError
	switch {
	case errors.Is(e.Err, context.Canceled), errors.As(e.Err, &want), errors.As(e.Err, &waited):
		return false
	case e.Status >= 500:
		return true
	case e.Status >= 400:
		return false
	}
	return e.Err != nil || e.Code/100 >= 500
}

// isUnavailable is Unavailable of any error.
func isUnavailable(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Unavailable()
}

// without takes the secrets of a request out of what the service said about it.
func (e *Error) without(params url.Values) *Error {
	for _, name := range []string{"passcode", "prompt", "trusted_device_token", "activation_code"} {
		if secret := params.Get(name); secret != "" {
			e.Message = strings.ReplaceAll(e.Message, secret, redactedText)
			e.Detail = strings.ReplaceAll(e.Detail, secret, redactedText)
		}
	}
	return e
}

// isCode reports whether the service answered with this code.
func isCode(err error, code int) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
