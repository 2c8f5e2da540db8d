// Package challenge keeps what a server must remember between an
// Access-Challenge and the Access-Request that answers it.
//
// A session is a few bytes under an id, and the id is the State attribute
// (RFC 2865 section 5.24). A [Store] knows nothing of what the bytes mean, so
// that it may be any store several servers share. [MemoryStore] keeps them in
// this process. Package challenge/challengetest has the test that every Store
// should pass.
package challenge

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// The errors of a Store that are answers. Any other error means that the store
// could not do its work: it cannot be reached, or it has no room.
var (
	// ErrNotFound says that there is no session under the id, or none any more.
	ErrNotFound = errors.New("challenge: no such session")

	// ErrConflict says that the session is not what the caller takes it for.
	ErrConflict = errors.New("challenge: the session has changed")
)

// A Store keeps sessions until they expire. All its methods are safe for
// concurrent use, by other processes too if they share it, and each sees what
// every earlier call has done.
//
// An id is one that [NewID] made, or whatever a NAS sent in its place: up to 253
// bytes of anything. A session is up to 64 KiB of anything. Both are secrets:
// whoever knows them can finish another user's login. A Store neither logs them
// nor puts them into an error.
//
// A session expires when its ttl has passed, rounded up to what the store can
// measure, but by less than a second. A ttl of zero or less has already passed:
// the session is gone when the call returns. An expired session is not there,
// for any method.
//
// A Store copies what it is given and returns: either side may change its slice
// after the call. When ctx has already ended, a method returns ctx.Err() (or an
// error that wraps it) and changes nothing; when ctx ends during the call, the
// change may or may not have been made.
type Store interface {
	// Put stores session under id in place of any session there.
	Put(ctx context.Context, id string, session []byte, ttl time.Duration) error

	// Get returns the session under id, or ErrNotFound.
	Get(ctx context.Context, id string) ([]byte, error)

	// CompareAndSwap replaces the session under id by new, with a new ttl, if it
	// is still old, byte for byte; old and new may be equal. It returns
	// ErrNotFound when there is no session and ErrConflict when there is another
	// one, which stays as it is. Of several calls with the same old and different
	// new sessions, one succeeds.
	CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error
}

// Shared is an optional extension of Store, for what several processes must agree
// on. With it, Servers that share a Store send one push for an automatic login
// that a NAS begins at two of them, and count pushes and wrong passcodes together.
type Shared interface {
	Store

	// Add stores session under id unless there is one, and returns ErrConflict
	// then. Of several calls, one succeeds.
	Add(ctx context.Context, id string, session []byte, ttl time.Duration) error

	// Acquire takes one of the permits of id, of which there are limit, for a
	// time, and reports whether there was one left. A permit that is held already
	// is held for the new time. Ids of permits and of sessions are apart.
	Acquire(ctx context.Context, id, permit string, limit int, ttl time.Duration) (bool, error)

	// Release gives a permit back. One that is not held is no error.
	Release(ctx context.Context, id, permit string) error
}

// NewID returns a new id for a session: 26 letters and digits with 130 random
// bits, which come back from every NAS as they were sent.
func NewID() string { return rand.Text() }
