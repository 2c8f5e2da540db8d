package radius

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nas is the client of these tests.
var nas = &Client{Name: "nas"}

func keyFor(a *replyCache, source string, identifier, authenticator byte) requestKey {
	return a.key(peer{addr: netip.MustParseAddrPort(source)}, wire{bytes: append([]byte{1, identifier, 0, 20}, make16(authenticator)...)})
}

func make16(b byte) []byte { return append([]byte{b}, make([]byte, 15)...) }

func TestEverythingThatMakesARequestIsInItsKey(t *testing.T) {
	a := newReplyCache(1, 1)
	keys := map[requestKey]string{}
	for _, source := range []string{"192.0.2.1:1", "192.0.2.1:256", "192.0.2.2:1", "[2001:db8::1]:1", "[::192.0.2.1]:1",
		"[fe80::1]:1", "[fe80::1%eth0]:1", "[fe80::1%eth1]:1"} {
		for i := range byte(3) {
			for j := range byte(3) {
				what := fmt.Sprint(source, i, j)
				k := keyFor(a, source, i, j)
				assert.Empty(t, keys[k], what)
				assert.Equal(t, k, keyFor(a, source, i, j))
				keys[k] = what
			}
		}
	}
}

// A list of everything that happened says what the answers must know.
func TestAnswersKnowWhatTheyShould(t *testing.T) {
	type known struct {
		running, answered bool
		reply             string
		at                time.Time
	}
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			const maxInFlight = 30 // of 34, since one client gets no more
			a := newReplyCache(34, 1<<20)
			model := map[requestKey]*known{}
			running := 0
			for step := range 5000 {
				time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
				k := keyFor(a, "192.0.2.1:1", byte(random.IntN(10)), byte(random.IntN(10)))
				if model[k] == nil {
					model[k] = new(known)
				}
				m := model[k]
				switch random.IntN(3) {
				case 0:
					reply, v := a.begin(k, nas)
					switch {
					case m.answered && time.Since(m.at) < remember:
						require.Equal(t, replied, v)
						require.Equal(t, m.reply, string(reply))
					case m.running:
						require.Equal(t, inFlight, v)
					case running == maxInFlight:
						require.Equal(t, tooMany, v)
					default:
						require.Equal(t, fresh, v)
						*m = known{running: true}
						running++
					}
				case 1:
					if m.running && !m.answered {
						m.answered, m.at, m.reply = true, time.Now(), fmt.Sprint("reply", step)
						require.Zero(t, a.store(k, []byte(m.reply)))
					}
				case 2:
					if m.running {
						m.running = false
						running--
						a.end(k, nas)
					}
				}
				require.Equal(t, running, a.waiting())
			}
		})
	}
}

func TestNoClientKeepsOutTheOthers(t *testing.T) {
	c := newReplyCache(80, 1<<20)
	begin := func(client *Client, n int) (places int) {
		for i := range n {
			k := keyFor(c, fmt.Sprintf("192.0.2.1:%d", i+1), byte(len(client.Name)), 0)
			if _, state := c.begin(k, client); state == fresh {
				places++
			}
		}
		return places
	}
	assert.Equal(t, 70, begin(nas, 1000))
	other := &Client{Name: "another"}
	assert.Equal(t, 10, begin(other, 1000))
	third := &Client{Name: "the third one"}
	assert.Zero(t, begin(third, 1))
	for i := range 10 {
		c.end(keyFor(c, fmt.Sprintf("192.0.2.1:%d", i+1), byte(len(nas.Name)), 0), nas)
	}
	assert.Equal(t, 10, begin(third, 1000))
}

func TestForgottenAnswersGiveTheirMemoryBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		a := newReplyCache(20, limit)
		reply := make([]byte, 200)
		forgotten := 0
		for i := range 20_000 {
			k := keyFor(a, fmt.Sprintf("192.0.2.1:%d", i+1), 0, 0)
			_, v := a.begin(k, nas)
			require.Equal(t, fresh, v)
			forgotten += a.store(k, reply)
			a.end(k, nas)
			require.LessOrEqual(t, a.bytes, limit)
		}
		remembered := limit / (len(reply) + replyOverhead)
		assert.InDelta(t, 20_000-remembered, forgotten, float64(remembered)/8, "in small parts")
		assert.Len(t, a.places, 20_000-forgotten)

		time.Sleep(remember)
		k := keyFor(a, "192.0.2.2:1", 0, 0)
		_, _ = a.begin(k, nas)
		assert.Zero(t, a.store(k, reply), "they have expired")
		assert.Len(t, a.chunks, 1, "that is still being filled")
		assert.LessOrEqual(t, a.bytes, 2*chunkBytes)
	})
}

func TestTwoKeysWithOneHashAreTwoRequests(t *testing.T) {
	a := newReplyCache(20, 1<<20)
	one, other := keyFor(a, "192.0.2.1:1", 1, 1), keyFor(a, "192.0.2.1:1", 2, 2)
	_, _ = a.begin(one, nas)
	a.store(one, []byte("one"))
	for hash, at := range a.places { // as if the other had the same
		delete(a.places, hash)
		a.places[a.hash(&other)] = at
	}
	reply, v := a.begin(other, nas)
	assert.Nil(t, reply)
	assert.Equal(t, fresh, v)
}
