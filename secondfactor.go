package radmfa

import (
	"context"

	"github.com/radmfa/radmfa/duo"
)

// SecondFactor is the part of *duo.Client that a Server uses. It must be safe
// for concurrent use.
//
// If Preauth fails with an error that has a method Unavailable() bool which
// returns true (as a *duo.Error can, and what Unavailable returns does), the
// service counts as out of reach, and Fallback and FailMode apply. No other error
// does that, not even context.DeadlineExceeded. Auth must not retry a request
// that may have started a transaction.
//
// A SecondFactor may have a method Product() string, which returns what menus
// call it ("Duo"), and Application() string, which names the application that a
// success counts for, where there are several. Package duo/secondfactortest has
// the test that every SecondFactor should pass.
type SecondFactor interface {
	Preauth(ctx context.Context, r *duo.PreauthRequest) (*duo.PreauthResponse, error)
	Auth(ctx context.Context, r *duo.AuthRequest) (*duo.AuthResponse, error)
}

// AsyncSecondFactor is an optional extension of SecondFactor, implemented by
// *duo.Client. It lets the Server report progress while it waits for the user,
// show the code of a verified push, and go on waiting where another node stopped.
// A type that wraps a *duo.Client should embed it to keep this half, and has a
// test in duo/secondfactortest that it did.
type AsyncSecondFactor interface {
	SecondFactor

	// AuthAsync starts a transaction.
	AuthAsync(ctx context.Context, r *duo.AuthRequest) (txid string, err error)

	// Wait waits for the end of a transaction, perhaps one that another process
	// started, and calls progress with each state before it.
	Wait(ctx context.Context, txid string, progress func(*duo.AuthStatusResponse)) (*duo.AuthResponse, error)
}

// Unavailable makes of err the error of a SecondFactor whose service cannot be
// contacted.
func Unavailable(err error) error { return unavailableError{err} }

type unavailableError struct{ error }

func (e unavailableError) Unwrap() error   { return e.error }
func (unavailableError) Unavailable() bool { return true }
