package primarytest

import (
	"context"
	"errors"
	"testing"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// Change is what TestPasswordChanger tests.
type Change struct {
	// Changer knows Username, whose Password must be changed. Required.
	Changer            primary.PasswordChanger
	Username, Password string

	// New is a password that it takes, Refused one that it does not. An empty
	// password is always refused.
	New, Refused string
}

// TestPasswordChanger checks the contract of primary.PasswordChanger: only the
// right password may be changed, only with itself, and only once. That the old one
// is no longer right is not checked: Active Directory may accept it for an hour. It may
// be called in a testing/synctest bubble, once, since it changes the password.
func TestPasswordChanger(t *testing.T, c Change) {
	t.Helper()
	if c.demanded(t, c.Password+"x") != nil {
		t.Error("a wrong password: got MustChange")
	}
	must := c.demanded(t, c.Password)
	if must == nil {
		t.Fatal("the password that must be changed: got no MustChange")
	}
	r := primary.Request{Username: c.Username, Password: radius.Secret(c.Password), State: must.State}
	wrong := r
	wrong.Password += "x"
	if err := c.Changer.ChangePassword(t.Context(), &wrong, radius.Secret(c.New)); !errors.Is(err, primary.ErrRejected) {
		t.Errorf("a wrong old password: got %v, want one that is primary.ErrRejected", err)
	}
	for _, refused := range []string{"", c.Refused} {
		var rejection *primary.Rejection
		if err := c.Changer.ChangePassword(t.Context(), &r, radius.Secret(refused)); !errors.As(err, &rejection) || rejection.MustChange == nil {
			t.Errorf("a new password that is refused: got %v, want a Rejection with MustChange", err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Changer.ChangePassword(ended, &r, radius.Secret(c.New)); err == nil || errors.Is(err, primary.ErrRejected) {
		t.Errorf("ctx has ended: got %v, want an error that is no rejection", err)
	}
	if c.demanded(t, c.Password) == nil {
		t.Fatal("the password is changed, though nothing should have changed it")
	}
	if err := c.Changer.ChangePassword(t.Context(), &r, radius.Secret(c.New)); err != nil {
		t.Fatalf("the change: %v", err)
	}
	c.changed(t, &r)
}

// changed: the new password is right, and the old one changes nothing.
func (c *Change) changed(t *testing.T, r *primary.Request) {
	t.Helper()
	if _, err := c.Changer.Authenticate(t.Context(), &primary.Request{Username: c.Username, Password: radius.Secret(c.New)}); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if err := c.Changer.ChangePassword(t.Context(), r, radius.Secret(c.New+"x")); !errors.Is(err, primary.ErrRejected) {
		t.Errorf("a second change with the old password: got %v, want one that is primary.ErrRejected", err)
	}
}

// demanded logs in with a password that must be refused, and returns the change
// that is demanded, or nil.
func (c *Change) demanded(t *testing.T, password string) *primary.MustChange {
	t.Helper()
	_, err := c.Changer.Authenticate(t.Context(), &primary.Request{Username: c.Username, Password: radius.Secret(password)})
	if !errors.Is(err, primary.ErrRejected) {
		t.Fatalf("a login with the old password, or a wrong one: got %v, want one that is primary.ErrRejected", err)
	}
	var rejection *primary.Rejection
	if errors.As(err, &rejection) {
		return rejection.MustChange
	}
	return nil
}
