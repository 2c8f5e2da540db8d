// Package primarytest holds a first factor for tests, [Users], and the test that
// every primary.Authenticator should pass, [TestAuthenticator].
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
// after ctx ends.
func TestAuthenticator(t *testing.T, s Subject) {
	t.Helper()
	t.Run("right password", func(t *testing.T) { s.accepts(t) })
	t.Run("refused", func(t *testing.T) {
		long := string(make([]byte, 4096))
		for name, r := range map[string]primary.Request{
			"wrong password":            {Username: s.Username, Password: radius.Secret(s.Password + "x")},
			"empty password":            {Username: s.Username},
			"password cut short":        {Username: s.Username, Password: radius.Secret(s.Password[:len(s.Password)-1])},
			"unknown user":              {Username: s.Username + "-nobody", Password: radius.Secret(s.Password)},
			"unknown user, no password": {Username: s.Username + "-nobody"},
			"empty name":                {Password: radius.Secret(s.Password)},
			"wildcard":                  {Username: "*", Password: radius.Secret(s.Password)},
			"name with a filter":        {Username: s.Username + ")(uid=*", Password: radius.Secret(s.Password)},
			"name with a comma":         {Username: s.Username + ",dc=example", Password: radius.Secret(s.Password)},
			"name with a NUL":           {Username: s.Username + "\x00", Password: radius.Secret(s.Password)},
			"name that is no UTF-8":     {Username: s.Username + "\xff", Password: radius.Secret(s.Password)},
			"endless name":              {Username: s.Username + long, Password: radius.Secret(s.Password)},
		} {
			t.Run(name, func(t *testing.T) {
				if _, err := s.Authenticator.Authenticate(t.Context(), &r); !errors.Is(err, primary.ErrRejected) {
					t.Errorf("got error %v, want one that is primary.ErrRejected", err)
				}
			})
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { s.accepts(t) })
		}
		wg.Wait()
	})
	t.Run("context has ended", func(t *testing.T) { s.endsWith(t, s.Authenticator) })
	if s.Unreachable != nil {
		t.Run("unreachable", func(t *testing.T) { s.unreachable(t) })
		t.Run("unreachable, context has ended", func(t *testing.T) { s.endsWith(t, s.Unreachable) })
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
func (s *Subject) unreachable(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := returnsBy(t, ctx, s.Unreachable, s.request())
	if err == nil || errors.Is(err, primary.ErrRejected) {
		t.Errorf("got error %v, want one that is not primary.ErrRejected", err)
	}
}

func (s *Subject) endsWith(t *testing.T, a primary.Authenticator) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := returnsBy(t, ctx, a, s.request())
	if err == nil || errors.Is(err, primary.ErrRejected) {
		t.Errorf("got error %v, want one that is not primary.ErrRejected", err)
	}
}

// returnsBy fails the test when a does not return within seconds after ctx ends.
func returnsBy(t *testing.T, ctx context.Context, a primary.Authenticator, r *primary.Request) (*primary.Result, error) {
	t.Helper()
	type answer struct {
		result *primary.Result
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		result, err := a.Authenticate(ctx, r)
		done <- answer{result, err}
	}()
	select {
	case got := <-done:
		return got.result, got.err
	case <-ctx.Done():
	}
	select {
	case got := <-done:
		return got.result, got.err
	case <-time.After(5 * time.Second):
		t.Fatal("Authenticate did not return within 5 s after its ctx ended")
		return nil, nil
	}
}
