// Package challengetest holds the test that every challenge.Store should pass.
package challengetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/radmfa/radmfa/challenge"
)

const (
	short = time.Second // a ttl that ends during the test
	long  = time.Minute // a ttl that does not
)

// TestStore checks what the documentation of challenge.Store promises. It calls
// new for every check; the stores may share their memory or server, since
// every check makes ids of its own.
//
// It takes about two seconds of real time, and none in a testing/synctest
// bubble, where it may be called as well: it uses no subtests.
func TestStore(t *testing.T, new func(t *testing.T) challenge.Store) {
	t.Helper()
	for _, check := range checks {
		if err := check.run(t.Context(), new(t)); err != nil {
			t.Errorf("%s: %v", check.promise, err)
		}
	}
}

var checks = []struct {
	promise string
	run     func(context.Context, challenge.Store) error
}{
	{"Get returns what Put stored", putGet},
	{"Put replaces a session", overwrite},
	{"ids and sessions may hold any bytes", binary},
	{"an unknown id is ErrNotFound, whatever it holds", unknown},
	{"CompareAndSwap changes only the session it expects", compareAndSwap},
	{"one of many equal CompareAndSwaps succeeds", race},
	{"no update is lost", count},
	{"slices are copied", copied},
	{"sessions expire", expire},
	{"a ttl of zero or less has passed", expired},
	{"a call whose context has ended changes nothing", cancelled},
	{"Add stores only where there is nothing, and one of many succeeds", add},
	{"Acquire gives out as many permits as there are, and Release takes them back", permits},
	{"permits end", permitsEnd},
}

func putGet(ctx context.Context, s challenge.Store) error {
	a, b := challenge.NewID(), challenge.NewID()
	return first(
		s.Put(ctx, a, []byte("one"), long),
		s.Put(ctx, b, []byte("two"), long),
		holds(ctx, s, a, "one"),
		holds(ctx, s, b, "two"),
		holds(ctx, s, a, "one"),
	)
}

func overwrite(ctx context.Context, s challenge.Store) error {
	id := challenge.NewID()
	return first(
		s.Put(ctx, id, []byte("a longer one"), long),
		s.Put(ctx, id, []byte("one"), long),
		holds(ctx, s, id, "one"),
	)
}

func binary(ctx context.Context, s challenge.Store) error {
	var every [256]byte
	for i := range every {
		every[i] = byte(i)
	}
	sessions := []string{"", "\x00", "\xff\xfe", "a\r\nb", string(every[:]), strings.Repeat(string(every[:]), 256)}
	for _, session := range sessions {
		id := challenge.NewID()
		err := first(
			s.Put(ctx, id, []byte(session), long),
			holds(ctx, s, id, session),
			want(s.CompareAndSwap(ctx, id, []byte(session+"\x00"), nil, long), challenge.ErrConflict),
			s.CompareAndSwap(ctx, id, []byte(session), []byte(session), long),
			holds(ctx, s, id, session),
		)
		if err != nil {
			return fmt.Errorf("%d bytes: %w", len(session), err)
		}
	}
	for _, suffix := range []string{"\x00", " ", "\n", "\xff", strings.Repeat("x", 227)} {
		id := challenge.NewID()
		err := first(
			s.Put(ctx, id+suffix, []byte("one"), long),
			holds(ctx, s, id+suffix, "one"),
			gone(ctx, s, id),
		)
		if err != nil {
			return fmt.Errorf("an id that ends in %.10q: %w", suffix, err)
		}
	}
	return nil
}

func unknown(ctx context.Context, s challenge.Store) error {
	near := challenge.NewID()
	if err := s.Put(ctx, near, []byte("one"), long); err != nil {
		return err
	}
	ids := []string{
		"", "*", " ", "\x00", "\n", "\xff", "'", "../" + near, near + "*", near[1:], near + " ",
		strings.ToLower(near), challenge.NewID(), strings.Repeat("x", 253),
	}
	for _, id := range ids {
		if err := gone(ctx, s, id); err != nil {
			return fmt.Errorf("id %.30q: %w", id, err)
		}
	}
	return nil
}

func compareAndSwap(ctx context.Context, s challenge.Store) error {
	id := challenge.NewID()
	return first(
		s.Put(ctx, id, []byte("one"), long),
		want(s.CompareAndSwap(ctx, id, []byte("two"), []byte("three"), long), challenge.ErrConflict),
		want(s.CompareAndSwap(ctx, id, nil, []byte("three"), long), challenge.ErrConflict),
		holds(ctx, s, id, "one"),
		s.CompareAndSwap(ctx, id, []byte("one"), []byte("two"), long),
		holds(ctx, s, id, "two"),
		want(s.CompareAndSwap(ctx, id, []byte("one"), []byte("three"), long), challenge.ErrConflict),
		holds(ctx, s, id, "two"),
	)
}

// race lets many goroutines swap the same session for one of their own.
func race(ctx context.Context, s challenge.Store) error {
	const rounds, racers = 10, 32
	for range rounds {
		id := challenge.NewID()
		if err := s.Put(ctx, id, []byte("open"), long); err != nil {
			return err
		}
		errs := make([]error, racers)
		together(racers, func(i int) {
			errs[i] = s.CompareAndSwap(ctx, id, []byte("open"), fmt.Append(nil, i), long)
		})
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				return errors.New("two of them succeeded")
			case !errors.Is(err, challenge.ErrConflict):
				return fmt.Errorf("got %w, want ErrConflict", err)
			}
		}
		if winner < 0 {
			return errors.New("none of them succeeded")
		}
		if err := holds(ctx, s, id, fmt.Sprint(winner)); err != nil {
			return err
		}
	}
	return nil
}

// count lets many goroutines count in one session.
func count(ctx context.Context, s challenge.Store) error {
	const counters = 16
	id := challenge.NewID()
	if err := s.Put(ctx, id, nil, long); err != nil {
		return err
	}
	var failure atomic.Pointer[error]
	together(counters, func(int) {
		for {
			old, err := s.Get(ctx, id)
			if err == nil {
				err = s.CompareAndSwap(ctx, id, old, append(bytes.Clone(old), '+'), long)
			}
			switch {
			case err == nil:
				return
			case !errors.Is(err, challenge.ErrConflict):
				failure.Store(&err)
				return
			}
		}
	})
	if err := failure.Load(); err != nil {
		return *err
	}
	return holds(ctx, s, id, strings.Repeat("+", counters))
}

func copied(ctx context.Context, s challenge.Store) error {
	id := challenge.NewID()
	given, old, swapped := []byte("one"), []byte("one"), []byte("two")
	if err := s.Put(ctx, id, given, long); err != nil {
		return err
	}
	clear(given)
	if err := holds(ctx, s, id, "one"); err != nil {
		return err
	}
	if err := s.CompareAndSwap(ctx, id, old, swapped, long); err != nil {
		return err
	}
	clear(old)
	clear(swapped)
	got, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	clear(got)
	return holds(ctx, s, id, "two")
}

func expire(ctx context.Context, s challenge.Store) error {
	put, shortened, lengthened, replaced := challenge.NewID(), challenge.NewID(), challenge.NewID(), challenge.NewID()
	one, two := []byte("one"), []byte("two")
	start := time.Now()
	err := first(
		s.Put(ctx, put, one, short),
		s.Put(ctx, lengthened, one, short),
		s.CompareAndSwap(ctx, lengthened, one, two, long),
		s.Put(ctx, replaced, one, short),
		s.Put(ctx, replaced, two, long),
		s.Put(ctx, shortened, one, long),
		s.CompareAndSwap(ctx, shortened, one, two, short),
	)
	if err != nil {
		return err
	}
	stored := time.Now()
	time.Sleep(short / 2)
	early := first(holds(ctx, s, put, "one"), holds(ctx, s, shortened, "two"))
	if early != nil && time.Since(start) < short {
		return fmt.Errorf("before its ttl has passed: %w", early)
	}
	time.Sleep(short + time.Second - time.Since(stored))
	err = first(gone(ctx, s, put), gone(ctx, s, shortened))
	if err != nil {
		return fmt.Errorf("after its ttl has passed: %w", err)
	}
	return first(
		holds(ctx, s, lengthened, "two"),
		holds(ctx, s, replaced, "two"),
		s.Put(ctx, put, two, long),
		holds(ctx, s, put, "two"),
	)
}

func expired(ctx context.Context, s challenge.Store) error {
	id, one := challenge.NewID(), []byte("one")
	for _, ttl := range []time.Duration{0, -time.Second} {
		err := first(
			s.Put(ctx, id, one, ttl),
			gone(ctx, s, id),
			s.Put(ctx, id, one, long),
			s.Put(ctx, id, one, ttl),
			gone(ctx, s, id),
			s.Put(ctx, id, one, long),
			s.CompareAndSwap(ctx, id, one, one, ttl),
			gone(ctx, s, id),
		)
		if err != nil {
			return fmt.Errorf("ttl %v: %w", ttl, err)
		}
	}
	return nil
}

func cancelled(ctx context.Context, s challenge.Store) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	a, b := challenge.NewID(), challenge.NewID()
	if err := s.Put(ctx, a, []byte("one"), long); err != nil {
		return err
	}
	_, err := s.Get(ended, a)
	return first(
		want(err, context.Canceled),
		want(s.Put(ended, a, []byte("two"), long), context.Canceled),
		want(s.Put(ended, b, []byte("two"), long), context.Canceled),
		want(s.CompareAndSwap(ended, a, []byte("one"), []byte("two"), long), context.Canceled),
		holds(ctx, s, a, "one"),
		gone(ctx, s, b),
	)
}

// together runs f(0) to f(n-1) at the same time and waits for all of them.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// first returns the first error. Its arguments have all been evaluated, in
// order, when it is called.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func want(err, target error) error {
	switch {
	case errors.Is(err, target):
		return nil
	case err == nil:
		return fmt.Errorf("got no error, want %q", target.Error())
	}
	return fmt.Errorf("want %q, got %w", target.Error(), err)
}

func holds(ctx context.Context, s challenge.Store, id, session string) error {
	got, err := s.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("Get: %w", err)
	}
	if string(got) != session {
		return fmt.Errorf("Get returned %.40q, want %.40q", got, session)
	}
	return nil
}

// gone checks that there is no session under id, for Get and CompareAndSwap.
func gone(ctx context.Context, s challenge.Store, id string) error {
	_, err := s.Get(ctx, id)
	if err := want(err, challenge.ErrNotFound); err != nil {
		return fmt.Errorf("Get: %w", err)
	}
	err = s.CompareAndSwap(ctx, id, nil, []byte("new"), long)
	if err := want(err, challenge.ErrNotFound); err != nil {
		return fmt.Errorf("CompareAndSwap: %w", err)
	}
	return nil
}
