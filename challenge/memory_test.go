package challenge_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/challenge/challengetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newMemoryStore(*testing.T) challenge.Store { return new(challenge.MemoryStore) }

func TestMemoryStoreKeepsTheContract(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { challengetest.TestStore(t, newMemoryStore) })
}

func TestTheContractHoldsInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	challengetest.TestStore(t, newMemoryStore)
}

func TestStoresOfTheContractMayBeShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shared challenge.MemoryStore
		challengetest.TestStore(t, func(*testing.T) challenge.Store { return &shared })
	})
}

func TestMemoryStoreRefusesNewSessionsWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, s := t.Context(), &challenge.MemoryStore{MaxSessions: 2}
		require.NoError(t, s.Put(ctx, "a", []byte("1"), time.Minute))
		require.NoError(t, s.Put(ctx, "b", []byte("1"), 2*time.Minute))

		assert.ErrorIs(t, s.Put(ctx, "c", []byte("1"), time.Minute), challenge.ErrFull)
		assert.NoError(t, s.Put(ctx, "c", []byte("1"), 0), "needs no room")
		assert.NoError(t, s.Put(ctx, "a", []byte("2"), time.Minute), "needs no more room")
		assert.NoError(t, s.CompareAndSwap(ctx, "b", []byte("1"), []byte("a longer one"), 2*time.Minute))
		for _, id := range []string{"a", "b"} {
			_, err := s.Get(ctx, id)
			assert.NoError(t, err, "the logins in progress stay")
		}

		time.Sleep(time.Minute)
		assert.NoError(t, s.Put(ctx, "c", []byte("1"), time.Minute), "an expired session makes room")
		assert.ErrorIs(t, s.Put(ctx, "d", []byte("1"), time.Minute), challenge.ErrFull)
		require.NoError(t, s.CompareAndSwap(ctx, "b", []byte("a longer one"), nil, 0))
		assert.NoError(t, s.Put(ctx, "d", []byte("1"), time.Minute), "a consumed session makes room")
	})
}

func TestMemoryStoreHolds65536SessionsByDefault(t *testing.T) {
	ctx, s := t.Context(), new(challenge.MemoryStore)
	for i := range 65536 {
		require.NoError(t, s.Put(ctx, strconv.Itoa(i), nil, time.Hour))
	}
	assert.ErrorIs(t, s.Put(ctx, "one more", nil, time.Hour), challenge.ErrFull)
}

// A model with a plain map must agree with the store on every answer.
func TestMemoryStoreAgreesWithAModel(t *testing.T) {
	type session struct {
		text    string
		expires time.Time
	}
	synctest.Test(t, func(t *testing.T) {
		const maxSessions = 20
		ctx, s := t.Context(), &challenge.MemoryStore{MaxSessions: maxSessions}
		model := map[string]session{}
		random := rand.New(rand.NewPCG(1, 2))
		for range 20000 {
			time.Sleep(time.Duration(random.IntN(3)) * time.Second)
			for id, one := range model {
				if !time.Now().Before(one.expires) {
					delete(model, id)
				}
			}
			id, ttl := strconv.Itoa(random.IntN(40)), time.Duration(random.IntN(60))*time.Second
			old, new := strconv.Itoa(random.IntN(2)), strconv.Itoa(random.IntN(2))
			known, exists := model[id]
			switch random.IntN(3) {
			case 0:
				err := s.Put(ctx, id, []byte(new), ttl)
				if !exists && ttl > 0 && len(model) == maxSessions {
					require.ErrorIs(t, err, challenge.ErrFull)
					break
				}
				require.NoError(t, err)
				model[id] = session{new, time.Now().Add(ttl)}
			case 1:
				err := s.CompareAndSwap(ctx, id, []byte(old), []byte(new), ttl)
				switch {
				case !exists:
					require.ErrorIs(t, err, challenge.ErrNotFound)
				case known.text != old:
					require.ErrorIs(t, err, challenge.ErrConflict)
				default:
					require.NoError(t, err)
					model[id] = session{new, time.Now().Add(ttl)}
				}
			default:
				got, err := s.Get(ctx, id)
				if !exists {
					require.ErrorIs(t, err, challenge.ErrNotFound)
					break
				}
				require.NoError(t, err)
				require.Equal(t, known.text, string(got))
			}
		}
	})
}

func TestMemoryStorePrintsNoSession(t *testing.T) {
	s := new(challenge.MemoryStore)
	require.NoError(t, s.Put(t.Context(), "xyzzy-id", []byte("xyzzy-session"), time.Hour))
	holder := struct{ Store challenge.Store }{s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		out := fmt.Sprintf(verb+verb, s, holder)
		assert.NotContains(t, out, "xyzzy")
		assert.NotContains(t, out, fmt.Sprintf("%x", "xyzzy"))
	}
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "xyzzy")
}

func TestNewIDIsPrintableAndNew(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := challenge.NewID()
		assert.Regexp(t, regexp.MustCompile(`^[A-Z2-7]{26,253}$`), id)
		assert.False(t, seen[id])
		seen[id] = true
	}
}

func ExampleMemoryStore() {
	ctx := context.Background()
	var store challenge.MemoryStore

	// The State of an Access-Challenge, and what to remember with it.
	state := challenge.NewID()
	_ = store.Put(ctx, state, []byte("open"), 5*time.Minute)

	// Of two requests that answer it, one does the work.
	fmt.Println(store.CompareAndSwap(ctx, state, []byte("open"), []byte("answering"), 5*time.Minute))
	fmt.Println(store.CompareAndSwap(ctx, state, []byte("open"), []byte("answering"), 5*time.Minute))

	session, err := store.Get(ctx, state)
	fmt.Printf("%s %v\n", session, err)
	// Output:
	// <nil>
	// challenge: the session has changed
	// answering <nil>
}

// One login: a session is put, taken, decided, and read once more, while others
// are under way and expire.
func BenchmarkMemoryStoreLogin(b *testing.B) {
	ctx, session := b.Context(), make([]byte, 1024)
	s := new(challenge.MemoryStore)
	var full sync.Once
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := challenge.NewID()
			if err := s.Put(ctx, id, session, 10*time.Millisecond); err != nil {
				full.Do(func() { b.Error(err) })
			}
			_ = s.CompareAndSwap(ctx, id, session, session, 10*time.Millisecond)
			_, _ = s.Get(ctx, id)
		}
	})
}
