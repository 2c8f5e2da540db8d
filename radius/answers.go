package radius

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	// remember is how long after a reply a retransmission of its request gets it
	// again. RFC 5080 section 2.2.2 suggests 5 to 30 seconds.
	remember = 30 * time.Second

	// answerOverhead is about what a remembered answer costs beside its bytes.
	answerOverhead = 128

	// chunkBytes is how much memory for replies is taken and given back at once,
	// where there is enough of it; usualReply is how long the shorter ones are.
	chunkBytes = 64 << 10
	usualReply = 128
)

// requestKey is what makes a request the same request (RFC 5080 section 2.2.2):
// its source address, a hash of the zone of that, port, Identifier and Request
// Authenticator. The last belongs to it because proxies have all their users on
// one address and port, so that Identifiers come back soon.
type requestKey [16 + 8 + 2 + 1 + 16]byte

// verdict is what is to be done with a request.
type verdict int

const (
	isNew verdict = iota
	isInFlight
	isAnswered
	isTooMany
)

// answers knows the requests in flight, which are those whose handlers have not
// returned, and the replies of the last 30 seconds. It is safe for concurrent
// use.
//
// There may be some 100,000 replies. They lie one after the other in chunks and
// are found by a hash, so that the garbage collector has nothing to do with them
// and a look-up touches little memory.
type answers struct {
	maxInFlight int
	maxBytes    int
	epoch       time.Time
	seed        maphash.Seed

	mu       sync.Mutex
	inFlight map[requestKey]struct{}
	places   map[uint64]place // by the hash of the key
	chunks   []*chunk         // oldest first
	first    uint32           // the number of chunks[0]
	bytes    int              // of all answers, overhead included
}

// place is where an answer is.
type place struct{ chunk, index uint32 }

// chunk holds answers in the order in which they were given.
type chunk struct {
	answers []answer
	bytes   []byte // of the replies
}

type answer struct {
	key      requestKey
	expires  time.Duration // since the epoch
	from, to uint32        // in the bytes of the chunk
}

func newAnswers(maxInFlight, maxBytes int) *answers {
	return &answers{
		maxInFlight: maxInFlight, maxBytes: maxBytes, epoch: time.Now(), seed: maphash.MakeSeed(),
		inFlight: make(map[requestKey]struct{}), places: make(map[uint64]place),
	}
}

func (a *answers) key(source netip.AddrPort, w wire) (k requestKey) {
	address := source.Addr().As16()
	copy(k[:], address[:])
	if zone := source.Addr().Zone(); zone != "" {
		binary.NativeEndian.PutUint64(k[16:], maphash.String(a.seed, zone))
	}
	binary.NativeEndian.PutUint16(k[24:], source.Port())
	k[26] = w.bytes[1]
	copy(k[27:], w.bytes[4:headerLength])
	return k
}

func (a *answers) hash(key *requestKey) uint64 { return maphash.Bytes(a.seed, key[:]) }

// begin looks a request up and, when it is new, notes it as in flight. The reply
// is that of a request that is answered.
func (a *answers) begin(key requestKey) (reply []byte, v verdict) {
	hash := a.hash(&key)
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.places[hash]; ok {
		c := a.chunks[at.chunk-a.first]
		if x := &c.answers[at.index]; x.key == key && time.Since(a.epoch) < x.expires {
			return c.bytes[x.from:x.to], isAnswered
		}
	}
	if _, ok := a.inFlight[key]; ok {
		return nil, isInFlight
	}
	if len(a.inFlight) >= a.maxInFlight {
		return nil, isTooMany
	}
	a.inFlight[key] = struct{}{}
	return nil, isNew
}

// answer remembers the reply to a request in flight. Over the limit on memory,
// the oldest replies are forgotten before their time; it returns how many.
func (a *answers) answer(key requestKey, reply []byte) (forgotten int) {
	hash := a.hash(&key)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Since(a.epoch)
	c := a.chunkFor(len(reply))
	from := len(c.bytes)
	c.bytes = append(c.bytes, reply...)
	c.answers = append(c.answers, answer{key, now + remember, uint32(from), uint32(len(c.bytes))})
	a.places[hash] = place{a.first + uint32(len(a.chunks)-1), uint32(len(c.answers) - 1)}
	a.bytes += len(reply) + answerOverhead
	for len(a.chunks) > 0 {
		oldest := a.chunks[0].answers
		if a.bytes <= a.maxBytes && now < oldest[len(oldest)-1].expires {
			break
		}
		forgotten += a.forgetChunk(now)
	}
	return forgotten
}

// chunkFor returns the chunk that a reply of that size goes to: the newest, or
// another when that is full.
func (a *answers) chunkFor(size int) *chunk {
	if n := len(a.chunks); n > 0 {
		if c := a.chunks[n-1]; len(c.bytes)+size <= cap(c.bytes) {
			return c
		}
	}
	size = max(size, min(chunkBytes, a.maxBytes/16))
	c := &chunk{bytes: make([]byte, 0, size), answers: make([]answer, 0, size/usualReply)}
	a.chunks = append(a.chunks, c)
	return c
}

// forgetChunk forgets the oldest chunk, and returns how many of its answers had
// not expired.
func (a *answers) forgetChunk(now time.Duration) (early int) {
	for i := range a.chunks[0].answers {
		x := &a.chunks[0].answers[i]
		// A request that came again after its time has a later answer.
		hash := a.hash(&x.key)
		if a.places[hash] == (place{a.first, uint32(i)}) {
			delete(a.places, hash)
		}
		a.bytes -= int(x.to-x.from) + answerOverhead
		if now < x.expires {
			early++
		}
	}
	a.chunks[0] = nil
	a.chunks = a.chunks[1:]
	a.first++
	return early
}

// end notes that the handler of a request has returned. Where it gave no answer,
// a retransmission is a new request.
func (a *answers) end(key requestKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.inFlight, key)
}

// waiting returns the number of requests in flight.
func (a *answers) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.inFlight)
}
