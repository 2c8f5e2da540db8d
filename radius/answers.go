package radius

import (
	"net/netip"
	"sync"
	"time"
)

// remember is how long after a reply a retransmission of its request gets it
// again. RFC 5080 section 2.2.2 suggests 5 to 30 seconds.
const remember = 30 * time.Second

// answerOverhead is roughly what a remembered answer costs beside its bytes.
const answerOverhead = 256

// requestKey is what makes a request the same request (RFC 5080 section 2.2.2).
// The Authenticator belongs to it: proxies have all their users on one address
// and port, so Identifiers come back soon.
type requestKey struct {
	source        netip.AddrPort
	identifier    byte
	authenticator [16]byte
}

// exchange is one request and, once there is one, its reply.
type exchange struct {
	key     requestKey
	reply   []byte    // nil while a handler has the request
	expires time.Time // of the reply
	next    *exchange // the one answered after it
}

// verdict is what is to be done with a request.
type verdict int

const (
	isNew verdict = iota
	isInFlight
	isAnswered
	isTooMany
)

// answers knows the requests in flight, and the replies of the last 30 seconds
// as a list in the order of their time. It is safe for concurrent use.
type answers struct {
	maxInFlight int
	maxBytes    int

	mu       sync.Mutex
	known    map[requestKey]*exchange
	inFlight int
	bytes    int // of the remembered answers, overhead included
	oldest   *exchange
	newest   *exchange
}

// begin looks a request up and, when it is new, notes it as in flight.
func (a *answers) begin(key requestKey, now time.Time) (*exchange, verdict) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.expire(now)
	if x := a.known[key]; x != nil {
		if x.reply == nil {
			return x, isInFlight
		}
		return x, isAnswered
	}
	if a.inFlight >= a.maxInFlight {
		return nil, isTooMany
	}
	x := &exchange{key: key}
	a.known[key] = x
	a.inFlight++
	return x, isNew
}

// finish notes the reply to a request in flight. Over the limit on memory, the
// oldest replies are forgotten before their time; it returns how many.
func (a *answers) finish(x *exchange, reply []byte, now time.Time) (forgotten int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	x.reply = reply
	x.expires = now.Add(remember)
	a.bytes += len(reply) + answerOverhead
	if a.newest == nil {
		a.oldest = x
	} else {
		a.newest.next = x
	}
	a.newest = x
	for a.bytes > a.maxBytes && a.oldest != nil {
		a.dropOldest()
		forgotten++
	}
	return forgotten
}

// abandon forgets a request that will get no reply; its retransmission is a new
// request.
func (a *answers) abandon(x *exchange) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	delete(a.known, x.key)
}

// waiting returns the number of requests in flight.
func (a *answers) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inFlight
}

func (a *answers) expire(now time.Time) {
	for a.oldest != nil && !now.Before(a.oldest.expires) {
		a.dropOldest()
	}
}

func (a *answers) dropOldest() {
	x := a.oldest
	a.oldest = x.next
	if a.oldest == nil {
		a.newest = nil
	}
	a.bytes -= len(x.reply) + answerOverhead
	delete(a.known, x.key)
}
