// Package primary is the first factor of a login: whether a name and a password
// belong together.
//
// An [Authenticator] answers yes (a [Result]), no (an error that is
// [ErrRejected], usually a [*Rejection]), "first tell me this" (a
// [*Challenge]), or that it could not find out (any other error). The
// difference between the last and the others matters: only "could not find
// out" makes [Failover] ask the next one.
//
// A Rejection may say that the password is right but must be changed first; an
// Authenticator that is a [PasswordChanger] can do that.
//
// Errors that tell what to set name fields. [InWords] gives them in the words of a
// program whose operators know the fields by other names.
//
// Package primary/ldapauth asks LDAP directories and Active Directory,
// primary/radiusauth asks other RADIUS servers, [AuthenticatorFunc] wraps a
// function, and [None] says aloud that there is no first factor.
// Package primary/primarytest holds a list of users for tests and the test that
// every Authenticator should pass.
package primary

import (
	"context"
	"errors"

	"github.com/radmfa/radmfa/radius"
)

// ErrRejected is what errors.Is finds in the error of an Authenticator that
// knows the answer and the answer is no: a wrong password, an unknown user, a
// locked account.
var ErrRejected = errors.New("primary: rejected")

// An Authenticator checks the first factor. It must be safe for concurrent use,
// return soon after ctx ends, and refuse an empty password (many directories
// take it for an anonymous login), unless it checks something else than the
// password.
type Authenticator interface {
	// Authenticate returns a Result, which may be nil, when the first factor is
	// right. The package documentation lists what its errors mean.
	Authenticate(ctx context.Context, r *Request) (*Result, error)
}

// Request is one first factor to check.
type Request struct {
	// Username is the name as the user typed it.
	Username string

	// Password is what the user typed. It is empty when the NAS sent none, as
	// with CHAP and MS-CHAP, whose attributes are in Packet.
	Password radius.Secret

	// State is nil, or the State of the Challenge that Password answers.
	State []byte

	// Packet is the NAS's Access-Request, for Authenticators that use or pass
	// on more of it. It is nil where the login did not come by RADIUS, and must
	// not be changed.
	Packet *radius.Packet
}

// Result is what a first factor says of a user it let in. The zero value says
// nothing more.
type Result struct {
	// Username is the account's name as the first factor knows it. From then on
	// it, and not the typed spelling, is what the second factor is asked about.
	// Empty: the name that was typed.
	Username string

	// Groups are the account's groups as the first factor names them, for rules
	// by group. Nil: it names none.
	Groups []string

	// Attributes go into the final Access-Accept, in this order.
	Attributes radius.Attributes
}

// Rejection is the error of an Authenticator that says no, and why.
type Rejection struct {
	// Message is for the user and goes into the Access-Reject. It must not tell
	// a stranger anything, such as whether the user exists. Empty: no text.
	Message string

	// Reason is for the operator and goes into logs and events.
	Reason string

	// Attributes go into the Access-Reject.
	Attributes radius.Attributes

	// MustChange, unless nil, says that the password is right but must be changed
	// first. A Server whose Primary is a PasswordChanger goes on with the second
	// factor then, and has the password changed. For everybody else it is a no.
	MustChange *MustChange
}

// Error implements error. It gives the Reason, never the user's text.
func (r *Rejection) Error() string {
	if r.Reason == "" {
		return ErrRejected.Error()
	}
	return ErrRejected.Error() + ": " + r.Reason
}

// Is makes errors.Is(r, ErrRejected) true.
func (*Rejection) Is(target error) bool { return target == ErrRejected }

// Challenge is the error of an Authenticator that wants to ask the user
// something before it decides ("PIN?"). The user's answer comes back as the
// Password of another Request with the same State.
type Challenge struct {
	// Message is the question.
	Message string

	// State is not shown to anyone. It must not be empty.
	State []byte

	// Attributes go into the Access-Challenge, beside State and Reply-Message.
	Attributes radius.Attributes
}

// Error implements error.
func (*Challenge) Error() string { return "primary: the first factor asks the user a question" }

// AuthenticatorFunc makes an Authenticator of a function. The function is not
// called with an empty password: that is a Rejection.
type AuthenticatorFunc func(ctx context.Context, r *Request) (*Result, error)

// Authenticate implements Authenticator.
func (f AuthenticatorFunc) Authenticate(ctx context.Context, r *Request) (*Result, error) {
	if r.Password == "" {
		return nil, &Rejection{Reason: "empty password"}
	}
	return f(ctx, r)
}

// None is the first factor of logins that have none here, for example because
// the NAS has checked the password itself: it says yes to everybody, whatever
// the password.
type None struct{}

// Authenticate implements Authenticator and returns nil, nil.
func (None) Authenticate(context.Context, *Request) (*Result, error) { return nil, nil }
