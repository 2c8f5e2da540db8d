package radmfa_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const newPassword = "a new horse, and 123456"

// untilRepetition logs jdoe in until the new password is to be typed again.
func (w *world) untilRepetition() *radiustest.Reply {
	return w.login("jdoe", password, "push", newPassword)
}

// takes makes a change of a password take a while.
func (w *world) changeTakes(d time.Duration) {
	w.directory.OnChange = func(string, string, string) *ldapauthtest.Result { time.Sleep(d); return nil }
}

// The NAS asks again and again, under new Identifiers, while the change is made
// and after.
func TestARepeatedAnswerChangesThePasswordOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mustChange()
		w.changeTakes(4 * time.Second)
		w.start()
		asked := w.untilRepetition()
		var all sync.WaitGroup
		for i := range 5 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 2 * time.Second)
				reply, err := w.newNAS(nasIP).Answer(t.Context(), asked, newPassword)
				if assert.NoError(t, err) {
					assert.Equal(t, "Access-Accept: Your password has been changed.", reply.String(), i)
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, 1, w.directory.Changes.Load())
		assert.Equal(t, newPassword, w.directory.Entries[2].Password)

		reply, err := w.newNAS(nasIP).Answer(t.Context(), asked, "another")
		require.NoError(t, err)
		assert.True(t, reply.Rejected(), "the State is used up")
	})
}

func TestTwoNodesChangeThePasswordOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, p := twoNodes(t)
		one.mustChange()
		one.changeTakes(4 * time.Second)
		two.server.Primary = one.server.Primary
		one.start()
		two.start()
		asked := two.untilRepetition()
		var all sync.WaitGroup
		for i, w := range []*world{one, two, two} {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 3 * time.Second)
				reply, err := w.nas.Answer(t.Context(), asked, newPassword)
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted(), "%d: %s", i, reply)
				}
			})
		}
		all.Wait()
		p.pull()
		assert.EqualValues(t, 1, one.directory.Changes.Load())
	})
}

// Whatever call to the Store a node dies at, the other makes no second change, and
// lets nobody in with a password that was not changed.
func TestANodeDiesWhileThePasswordIsChanged(t *testing.T) {
	for step := range 6 {
		for _, done := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				one, two, p := twoNodes(t)
				one.mustChange()
				one.changeTakes(2 * time.Second)
				two.server.Primary = one.server.Primary
				one.start()
				two.start()
				asked := two.untilRepetition()
				if done {
					p.doneAt = step + 1
				} else {
					p.dieAt = step + 1
				}
				first := asks(t, one, p, asked, newPassword)
				reply, err := two.nas.Answer(t.Context(), asked, newPassword)
				require.NoError(t, err)
				changes := one.directory.Changes.Load()
				assert.LessOrEqual(t, changes, int64(1))
				if reply.Accepted() || first != nil && first.Accepted() {
					assert.EqualValues(t, 1, changes)
					assert.Equal(t, newPassword, one.directory.Entries[2].Password)
				} else {
					assert.Contains(t, reply.Message(), "Please log in again")
				}
				p.pull()
			})
		}
	}
}

func TestNoPasswordReachesALogOrAStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mustChange()
		store := &spyStore{}
		w.server.Store = store
		w.server.ClusterKey = "a secret of the cluster"
		w.start()
		hidden := "a new horse, refused"
		w.login("jdoe", password, "push", "short", "short", hidden, "another", newPassword, newPassword)
		require.EqualValues(t, 2, w.directory.Changes.Load())
		for _, secret := range []string{password, "short", hidden, newPassword} {
			assert.NotContains(t, w.log.String(), secret)
			assert.False(t, bytes.Contains(store.seen(), []byte(secret)))
		}
		var stages []radmfa.Result
		for _, e := range w.seen() {
			if e.Stage == radmfa.StagePassword {
				stages = append(stages, e.Result)
			}
		}
		assert.Equal(t, []radmfa.Result{radmfa.ResultRejected, radmfa.ResultAccepted}, stages)
	})
}

// A Store that others can read needs more than the State, which crosses the
// network in clear text.
func TestPasswordsAreKeptOnlyUnderAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mustChange()
		w.server.Store = &spyStore{}
		w.start()
		assert.Equal(t, "Access-Reject: You must change your password before you can log in here.", w.login("jdoe", password).String())
		assert.Contains(t, w.log.String(), "ClusterKey")
	})
}

func TestTheNASIsAskedToHideTheNewPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.mustChange()
		w.start()
		reply := w.login("jdoe", password)
		for _, answer := range []string{"push", newPassword} {
			_, err := rfc2869.Prompt_Lookup(reply.Packet)
			assert.Error(t, err, "the menu")
			reply, err = w.nas.Answer(t.Context(), reply, answer)
			require.NoError(t, err)
			prompt, err := rfc2869.Prompt_Lookup(reply.Packet)
			require.NoError(t, err)
			assert.Equal(t, rfc2869.Prompt_Value_NoEcho, prompt)
			if answer == "push" {
				reply.Del(rfc2869.Prompt_Type)
			}
		}
	})
}

// spyStore is a Store that remembers what it was given.
type spyStore struct {
	challenge.MemoryStore
	mu  sync.Mutex
	got bytes.Buffer
}

func (s *spyStore) note(session []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got.Write(session)
}

func (s *spyStore) seen() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bytes.Clone(s.got.Bytes())
}

func (s *spyStore) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	s.note(session)
	return s.MemoryStore.Put(ctx, id, session, ttl)
}

func (s *spyStore) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	s.note(new)
	return s.MemoryStore.CompareAndSwap(ctx, id, old, new, ttl)
}
