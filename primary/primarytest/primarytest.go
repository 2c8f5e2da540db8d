// Package primarytest holds a first factor for tests, [Users], and the test that
// every primary.Authenticator should pass, [TestAuthenticator]. One that changes
// passwords should pass [TestPasswordChanger] too.
package primarytest

import (
	"context"
	"crypto/subtle"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// Users is a first factor that knows the passwords of its users, by name:
//
//	primarytest.Users{"jdoe": "correct horse"}
//
// Names are compared to the letter. It is for tests and examples: the passwords
// are in the program.
type Users map[string]radius.Secret

// Authenticate implements primary.Authenticator.
func (u Users) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.Password == "" {
		return nil, &primary.Rejection{Reason: "empty password"}
	}
	password, known := u[r.Username]
	if !known {
		return nil, &primary.Rejection{Reason: "unknown user"}
	}
	if subtle.ConstantTimeCompare([]byte(password), []byte(r.Password)) != 1 {
		return nil, &primary.Rejection{Reason: "wrong password"}
	}
	return nil, nil
}

// Subject is what TestAuthenticator tests.
type Subject struct {
	// Authenticator knows Username and Password. Required.
	Authenticator      primary.Authenticator
	Username, Password string

	// Unreachable is an Authenticator of the same kind whose directory or server
	// does not answer. Nil for kinds that have none.
	Unreachable primary.Authenticator
}

// TestAuthenticator checks the contract of primary.Authenticator: the right
// answers, none of them to an empty or strange name or password, also many at
// once, an error that is no answer when nobody can be asked, and a return soon
// after ctx ends. It may be called in a testing/synctest bubble.
func TestAuthenticator(t *testing.T, s Subject) {
	t.Helper()
	s.accepts(t)
	for name, r := range s.wrong() {
		if _, err := s.Authenticator.Authenticate(t.Context(), &r); !errors.Is(err, primary.ErrRejected) {
			t.Errorf("%s: got error %v, want one that is primary.ErrRejected", name, err)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { s.accepts(t) })
	}
	wg.Wait()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := returnsBy(ended, t, s.Authenticator, s.request()); errors.Is(err, primary.ErrRejected) {
		t.Errorf("ctx has ended: got %v, want no rejection: the password is right", err)
	}
	if s.Unreachable != nil {
		s.unreachable(ended, t)
	}
}

// wrong are the requests that have to be refused.
func (s *Subject) wrong() map[string]primary.Request {
	right := radius.Secret(s.Password)
	return map[string]primary.Request{
		"wrong password":            {Username: s.Username, Password: right + "x"},
		"empty password":            {Username: s.Username},
		"password cut short":        {Username: s.Username, Password: right[:len(right)-1]},
		"unknown user":              {Username: s.Username + "-nobody", Password: right},
		"unknown user, no password": {Username: s.Username + "-nobody"},
		"empty name":                {Password: right},
		"wildcard":                  {Username: "*", Password: right},
		"name with a filter":        {Username: s.Username + ")(uid=*", Password: right},
		"name with a comma":         {Username: s.Username + ",dc=example", Password: right},
		"name with a NUL":           {Username: s.Username + "\x00", Password: right},
		"name that is no UTF-8":     {Username: s.Username + "\xff", Password: right},
		"endless name":              {Username: s.Username + string(make([]byte, 4096)), Password: right},
	}
}

func (s *Subject) request() *primary.Request {
	return &primary.Request{Username: s.Username, Password: radius.Secret(s.Password)}
}

func (s *Subject) accepts(t *testing.T) {
	t.Helper()
	if _, err := s.Authenticator.Authenticate(t.Context(), s.request()); err != nil {
		t.Errorf("right name and password: %v", err)
	}
}

// unreachable: what cannot be found out is not a no, and takes no longer than ctx.
func (s *Subject) unreachable(ended context.Context, t *testing.T) {
	t.Helper()
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	for name, ctx := range map[string]context.Context{"ctx ends": short, "ctx has ended": ended} {
		err := returnsBy(ctx, t, s.Unreachable, s.request())
		if err == nil || errors.Is(err, primary.ErrRejected) {
			t.Errorf("unreachable, %s: got error %v, want one that is not primary.ErrRejected", name, err)
		}
	}
}

// returnsBy fails the test when a does not return within seconds after ctx ends.
func returnsBy(ctx context.Context, t *testing.T, a primary.Authenticator, r *primary.Request) error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := a.Authenticate(ctx, r)
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(5 * time.Second):
		t.Fatal("Authenticate did not return within 5 s after its ctx ended")
		return nil
	}
}
