package challengetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/radmfa/radmfa/challenge"
)

// The checks of a challenge.Shared pass for a Store that is none.
func add(ctx context.Context, store challenge.Store) error {
	s, ok := store.(challenge.Shared)
	if !ok {
		return nil
	}
	id := challenge.NewID()
	var added atomic.Int64
	var odd atomic.Pointer[error]
	together(20, func(i int) {
		switch err := s.Add(ctx, id, fmt.Append(nil, i), long); {
		case err == nil:
			added.Add(1)
		case !errors.Is(err, challenge.ErrConflict):
			odd.Store(&err)
		}
	})
	if err := odd.Load(); err != nil {
		return *err
	}
	if n := added.Load(); n != 1 {
		return fmt.Errorf("%d of 20 calls added a session", n)
	}
	brief := challenge.NewID()
	if err := s.Add(ctx, brief, []byte("one"), short); err != nil {
		return err
	}
	time.Sleep(2 * short)
	return first(
		s.Add(ctx, brief, []byte("two"), long),
		holds(ctx, s, brief, "two"),
		s.Add(ctx, challenge.NewID(), []byte("gone"), 0),
	)
}

func permits(ctx context.Context, store challenge.Store) error {
	s, ok := store.(challenge.Shared)
	if !ok {
		return nil
	}
	id := challenge.NewID()
	var got atomic.Int64
	var odd atomic.Pointer[error]
	together(20, func(i int) {
		ok, err := s.Acquire(ctx, id, fmt.Sprint(i), 3, long)
		if err != nil {
			odd.Store(&err)
		}
		if ok {
			got.Add(1)
		}
	})
	if err := odd.Load(); err != nil {
		return *err
	}
	if n := got.Load(); n != 3 {
		return fmt.Errorf("20 calls took %d of 3 permits", n)
	}
	other := challenge.NewID()
	return first(
		acquire(ctx, s, other, "a", 1, long, true),
		acquire(ctx, s, other, "a", 1, long, true), // again
		acquire(ctx, s, other, "b", 1, long, false),
		gone(ctx, s, other),
		s.Release(ctx, other, "b"), // held by nobody
		acquire(ctx, s, other, "b", 1, long, false),
		s.Release(ctx, other, "a"),
		acquire(ctx, s, other, "b", 1, long, true),
		s.Release(ctx, challenge.NewID(), "a"),
		acquire(ctx, s, challenge.NewID(), "a", 0, long, false),
	)
}

func permitsEnd(ctx context.Context, store challenge.Store) error {
	s, ok := store.(challenge.Shared)
	if !ok {
		return nil
	}
	id, renewed := challenge.NewID(), challenge.NewID()
	err := first(
		acquire(ctx, s, id, "a", 2, short, true),
		acquire(ctx, s, id, "b", 2, long, true),
		acquire(ctx, s, id, "c", 2, long, false),
		acquire(ctx, s, renewed, "a", 1, short, true),
		acquire(ctx, s, renewed, "a", 1, long, true),
	)
	if err != nil {
		return err
	}
	time.Sleep(2 * short)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, cancelled := s.Acquire(ended, id, "d", 9, long)
	return first(
		want(cancelled, context.Canceled),
		want(s.Release(ended, renewed, "a"), context.Canceled),
		acquire(ctx, s, id, "c", 2, long, true),
		acquire(ctx, s, id, "d", 2, long, false),
		acquire(ctx, s, renewed, "b", 1, long, false),
	)
}

func acquire(ctx context.Context, s challenge.Shared, id, permit string, limit int, ttl time.Duration, want bool) error {
	got, err := s.Acquire(ctx, id, permit, limit, ttl)
	if err == nil && got != want {
		err = fmt.Errorf("permit %q of at most %d: acquired is %t, want %t", permit, limit, got, want)
	}
	return err
}
