package radius

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"
)

const (
	// remember is how long after a reply a retransmission of its request gets it
	// again. RFC 5080 section 2.2.2 suggests 5 to 30 seconds.
	remember = 30 * time.Second

	// replyOverhead is about what a remembered reply costs beside its bytes.
	replyOverhead = 128

	// chunkBytes is how much memory for replies is taken and given back at once,
	// where there is enough of it; usualReply is how long the shorter ones are.
	chunkBytes = 64 << 10
	usualReply = 128
)

// requestKey is what makes a request the same request (RFC 5080 section 2.2.2):
// its source address, a hash of the zone of that or the number of the connection,
// port, Identifier and Request Authenticator. The last belongs to it because
// proxies have all their users on one address and port, so that Identifiers come
// back soon.
type requestKey [16 + 8 + 2 + 1 + 16]byte

// requestState says what is known of a request.
type requestState int

const (
	fresh requestState = iota
	inFlight
	replied
	tooMany
)

// replyCache knows the requests in flight, which are those whose handlers have not
// returned, and the replies of the last 30 seconds. It is safe for concurrent
// use.
//
// There may be some 100,000 replies. They lie one after the other in chunks and
// are found by a hash, so that the garbage collector has nothing to do with them
// and a look-up touches little memory.
type replyCache struct {
	maxBytes int
	epoch    time.Time
	seed     maphash.Seed

	mu       sync.Mutex
	inFlight map[requestKey]struct{}
	held     shares           // by those in flight
	places   map[uint64]place // by the hash of the key
	chunks   []*chunk         // oldest first
	first    uint32           // the number of chunks[0]
	bytes    int              // of all replies, overhead included
}

// place is where a reply is.
type place struct{ chunk, index uint32 }

// chunk holds replies in the order in which they were sent.
type chunk struct {
	replies []cachedReply
	bytes   []byte // of all of them
}

type cachedReply struct {
	key      requestKey
	expires  time.Duration // since the epoch
	from, to uint32        // in the bytes of the chunk
}

func newReplyCache(maxInFlight, maxBytes int) *replyCache {
	return &replyCache{
		maxBytes: maxBytes, epoch: time.Now(), seed: maphash.MakeSeed(),
		inFlight: make(map[requestKey]struct{}), held: newShares(maxInFlight), places: make(map[uint64]place),
	}
}

func (c *replyCache) key(from peer, w wire) (k requestKey) {
	source := from.addr
	address := source.Addr().As16()
	copy(k[:], address[:])
	if from.conn != nil {
		binary.NativeEndian.PutUint64(k[16:], from.conn.number)
	} else if zone := source.Addr().Zone(); zone != "" {
		binary.NativeEndian.PutUint64(k[16:], maphash.String(c.seed, zone))
	}
	binary.NativeEndian.PutUint16(k[24:], source.Port())
	k[26] = w.bytes[1]
	copy(k[27:], w.bytes[4:headerLength])
	return k
}

func (c *replyCache) hash(key *requestKey) uint64 { return maphash.Bytes(c.seed, key[:]) }

// begin looks a request up and, when it is new, notes it as in flight. The reply
// is that of a request that has one.
func (c *replyCache) begin(key requestKey, client *Client) (reply []byte, state requestState) {
	hash := c.hash(&key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.places[hash]; ok {
		ch := c.chunks[at.chunk-c.first]
		if x := &ch.replies[at.index]; x.key == key && time.Since(c.epoch) < x.expires {
			return ch.bytes[x.from:x.to], replied
		}
	}
	if _, ok := c.inFlight[key]; ok {
		return nil, inFlight
	}
	if !c.held.take(client) {
		return nil, tooMany
	}
	c.inFlight[key] = struct{}{}
	return nil, fresh
}

// store remembers the reply to a request in flight. Over the limit on memory,
// the oldest replies are forgotten before their time; it returns how many.
func (c *replyCache) store(key requestKey, reply []byte) (forgotten int) {
	hash := c.hash(&key)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.epoch)
	ch := c.chunkFor(len(reply))
	from := len(ch.bytes)
	ch.bytes = append(ch.bytes, reply...)
	ch.replies = append(ch.replies, cachedReply{key, now + remember, uint32(from), uint32(len(ch.bytes))})
	c.places[hash] = place{c.first + uint32(len(c.chunks)-1), uint32(len(ch.replies) - 1)}
	c.bytes += len(reply) + replyOverhead
	for len(c.chunks) > 0 {
		oldest := c.chunks[0].replies
		if c.bytes <= c.maxBytes && now < oldest[len(oldest)-1].expires {
			break
		}
		forgotten += c.forgetChunk(now)
	}
	return forgotten
}

// chunkFor returns the chunk that a reply of that size goes to: the newest, or
// another when that is full.
func (c *replyCache) chunkFor(size int) *chunk {
	if n := len(c.chunks); n > 0 {
		if ch := c.chunks[n-1]; len(ch.bytes)+size <= cap(ch.bytes) {
			return ch
		}
	}
	size = max(size, min(chunkBytes, c.maxBytes/16))
	ch := &chunk{bytes: make([]byte, 0, size), replies: make([]cachedReply, 0, size/usualReply)}
	c.chunks = append(c.chunks, ch)
	return ch
}

// forgetChunk forgets the oldest chunk, and returns how many of its replies had
// not expired.
func (c *replyCache) forgetChunk(now time.Duration) (early int) {
	for i := range c.chunks[0].replies {
		x := &c.chunks[0].replies[i]
		// A request that came again after its time has a later reply.
		hash := c.hash(&x.key)
		if c.places[hash] == (place{c.first, uint32(i)}) {
			delete(c.places, hash)
		}
		c.bytes -= int(x.to-x.from) + replyOverhead
		if now < x.expires {
			early++
		}
	}
	c.chunks[0] = nil
	c.chunks = c.chunks[1:]
	c.first++
	return early
}

// end notes that the handler of a request has returned. Where it gave no reply, a
// retransmission is a new request.
func (c *replyCache) end(key requestKey, client *Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.inFlight, key)
	c.held.give(client)
}

// waiting returns the number of requests in flight.
func (c *replyCache) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.inFlight)
}
