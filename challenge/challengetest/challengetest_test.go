package challengetest

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/challenge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mutant is a MemoryStore with one promise broken.
type mutant struct {
	*challenge.MemoryStore
	put  func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error
	get  func(s *challenge.MemoryStore, ctx context.Context, id string) ([]byte, error)
	swap func(s *challenge.MemoryStore, ctx context.Context, id string, old, new []byte, ttl time.Duration) error
}

func (m *mutant) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	if m.put != nil {
		return m.put(m.MemoryStore, ctx, id, session, ttl)
	}
	return m.MemoryStore.Put(ctx, id, session, ttl)
}

func (m *mutant) Get(ctx context.Context, id string) ([]byte, error) {
	if m.get != nil {
		return m.get(m.MemoryStore, ctx, id)
	}
	return m.MemoryStore.Get(ctx, id)
}

func (m *mutant) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	if m.swap != nil {
		return m.swap(m.MemoryStore, ctx, id, old, new, ttl)
	}
	return m.MemoryStore.CompareAndSwap(ctx, id, old, new, ttl)
}

// getThenPut is the CompareAndSwap of somebody who has not thought of races.
func getThenPut(s *challenge.MemoryStore, ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	got, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, old) {
		return challenge.ErrConflict
	}
	time.Sleep(time.Millisecond)
	return s.Put(ctx, id, new, ttl)
}

func TestStoreFindsWhatIsBroken(t *testing.T) {
	broken := map[string]mutant{
		"Put keeps the first": {put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error {
			if _, err := s.Get(ctx, id); err == nil {
				return nil
			}
			return s.Put(ctx, id, session, ttl)
		}},
		"sessions end at NUL": {put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error {
			session, _, _ = bytes.Cut(session, []byte{0})
			return s.Put(ctx, id, session, ttl)
		}},
		"ids end at NUL": {
			put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error {
				head, _, _ := bytes.Cut([]byte(id), []byte{0})
				return s.Put(ctx, string(head), session, ttl)
			},
			get: func(s *challenge.MemoryStore, ctx context.Context, id string) ([]byte, error) {
				head, _, _ := bytes.Cut([]byte(id), []byte{0})
				return s.Get(ctx, string(head))
			},
		},
		"never expires": {put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, _ time.Duration) error {
			return s.Put(ctx, id, session, time.Hour)
		}},
		"expires at once": {put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error {
			return s.Put(ctx, id, session, ttl/8)
		}},
		"no ttl is no expiry": {put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error {
			if ttl <= 0 {
				ttl = time.Hour
			}
			return s.Put(ctx, id, session, ttl)
		}},
		"an unknown id is an empty session": {get: func(s *challenge.MemoryStore, ctx context.Context, id string) ([]byte, error) {
			session, err := s.Get(ctx, id)
			if errors.Is(err, challenge.ErrNotFound) {
				return nil, nil
			}
			return session, err
		}},
		"an empty session is not found": {get: func(s *challenge.MemoryStore, ctx context.Context, id string) ([]byte, error) {
			session, err := s.Get(ctx, id)
			if err == nil && len(session) == 0 {
				return nil, challenge.ErrNotFound
			}
			return session, err
		}},
		"CompareAndSwap does not compare": {swap: func(s *challenge.MemoryStore, ctx context.Context, id string, _, new []byte, ttl time.Duration) error {
			if _, err := s.Get(ctx, id); err != nil {
				return err
			}
			return s.Put(ctx, id, new, ttl)
		}},
		"CompareAndSwap is not atomic": {swap: getThenPut},
		"CompareAndSwap keeps the old ttl": {swap: func(s *challenge.MemoryStore, ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
			return s.CompareAndSwap(ctx, id, old, new, max(ttl, 10*time.Second))
		}},
		"CompareAndSwap creates": {swap: func(s *challenge.MemoryStore, ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
			err := s.CompareAndSwap(ctx, id, old, new, ttl)
			if errors.Is(err, challenge.ErrNotFound) {
				return s.Put(ctx, id, new, ttl)
			}
			return err
		}},
		"the context is not looked at": {put: func(s *challenge.MemoryStore, ctx context.Context, id string, session []byte, ttl time.Duration) error {
			return s.Put(context.WithoutCancel(ctx), id, session, ttl)
		}},
	}
	for name, m := range broken {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := false
				for _, check := range checks {
					m.MemoryStore = new(challenge.MemoryStore)
					found = check.run(t.Context(), &m) != nil || found
				}
				assert.True(t, found, "no check fails")
			})
		})
	}
}

// aliasing is a store that keeps the slices it is given.
type aliasing struct{ *mutant }

func TestStoreFindsSharedSlices(t *testing.T) {
	kept := map[string][]byte{}
	s := aliasing{&mutant{
		put: func(_ *challenge.MemoryStore, _ context.Context, id string, session []byte, _ time.Duration) error {
			kept[id] = session
			return nil
		},
		get: func(_ *challenge.MemoryStore, _ context.Context, id string) ([]byte, error) { return kept[id], nil },
		swap: func(_ *challenge.MemoryStore, _ context.Context, id string, _, new []byte, _ time.Duration) error {
			kept[id] = new
			return nil
		},
	}}
	assert.Error(t, copied(t.Context(), s))
}
