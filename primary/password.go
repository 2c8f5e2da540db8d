package primary

import (
	"context"
	"errors"
	"fmt"

	"github.com/radmfa/radmfa/radius"
)

// PasswordChanger is an optional extension of Authenticator: one whose users can
// change a password that has expired or must be changed, once the second factor
// has been proved.
type PasswordChanger interface {
	Authenticator

	// ChangePassword replaces the password by another. The Request is that of a
	// Rejection with MustChange: Password is the old one, State that of MustChange.
	//
	// It sends one change, which proves the old password and is no reset, and does
	// not repeat it. Nil: the password is changed. A Rejection with MustChange: the
	// new password is refused, another may do. Any other Rejection: no password
	// would do. Any other error: it is not known whether the password is changed.
	ChangePassword(ctx context.Context, r *Request, newPassword radius.Secret) error
}

// MustChange says that a password is right, but must be changed before the user
// may log in. The zero value of the rules means that they are not known, or that
// there are none.
type MustChange struct {
	// Result is what Authenticate would return otherwise. Nil: nothing more is
	// known.
	Result *Result

	// State is for ChangePassword. It is not shown to anyone.
	State []byte

	// MinLength is how many characters a new password must have, History how many
	// of the last passwords it must not be. Complex demands several kinds of
	// characters, and nothing of the user's name.
	MinLength, History int
	Complex            bool
}

var _ PasswordChanger = (*Failover)(nil)

// ChangePassword implements PasswordChanger: the Authenticator that demanded the
// change makes it.
func (f *Failover) ChangePassword(ctx context.Context, r *Request, newPassword radius.Secret) error {
	if len(r.State) == 0 || int(r.State[0]) >= len(f.Authenticators) {
		return &Rejection{Reason: "the change's State names an Authenticator that is not there"}
	}
	i := int(r.State[0])
	changer, ok := f.Authenticators[i].(PasswordChanger)
	if !ok {
		return fmt.Errorf("primary: Failover.Authenticators[%d] cannot change passwords", i)
	}
	inner := *r
	inner.State = r.State[1:]
	return f.mark(i, changer.ChangePassword(ctx, &inner, newPassword))
}

// mark writes an Authenticator's place before the State of its Challenge or
// MustChange. A MustChange of one that cannot change passwords is only a refusal.
func (f *Failover) mark(i int, err error) error {
	var challenge *Challenge
	var rejection *Rejection
	switch {
	case errors.As(err, &challenge):
		marked := *challenge
		marked.State = append([]byte{byte(i)}, challenge.State...)
		return &marked
	case errors.As(err, &rejection) && rejection.MustChange != nil:
		marked := *rejection
		marked.MustChange = nil
		if _, ok := f.Authenticators[i].(PasswordChanger); ok {
			change := *rejection.MustChange
			change.State = append([]byte{byte(i)}, change.State...)
			marked.MustChange = &change
		}
		return &marked
	}
	return err
}
