package radmfa

import (
	"slices"
	"sync"
	"time"
)

// maxOpen is how many challenges one account may leave unanswered at one device.
const maxOpen = 16

// openChallenges bounds the challenges that wait for an answer, so that one
// account cannot fill the Store. The zero value is ready.
type openChallenges struct {
	mu      sync.Mutex
	byOwner map[challengeOwner][]openChallenge // oldest first
}

type challengeOwner struct{ device, account string }

type openChallenge struct {
	name    string // in the Store
	attempt string // of the request that it answered; empty: unknown
	expires time.Time
}

// add notes a new challenge and returns the names of those that give way: the
// one that an equal request got before, and the oldest over maxOpen.
func (o *openChallenges) add(owner challengeOwner, c openChallenge, now time.Time) (gone []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sweep(now)
	list := slices.DeleteFunc(o.byOwner[owner], func(old openChallenge) bool {
		repeated := c.attempt != "" && old.attempt == c.attempt
		if repeated {
			gone = append(gone, old.name)
		}
		return repeated || !now.Before(old.expires)
	})
	if len(list) >= maxOpen {
		gone = append(gone, list[0].name)
		list = list[1:]
	}
	if o.byOwner == nil {
		o.byOwner = make(map[challengeOwner][]openChallenge)
	}
	o.byOwner[owner] = append(list, c)
	return gone
}

// answered forgets a challenge that waits no more.
func (o *openChallenges) answered(owner challengeOwner, name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := slices.DeleteFunc(o.byOwner[owner], func(c openChallenge) bool { return c.name == name })
	if len(list) == 0 {
		delete(o.byOwner, owner)
	} else {
		o.byOwner[owner] = list
	}
}

// sweep removes a few owners whose challenges have all expired. A call adds one
// at most.
func (o *openChallenges) sweep(now time.Time) {
	looked := 0
	for owner, list := range o.byOwner { // in random order
		if !now.Before(list[len(list)-1].expires) {
			delete(o.byOwner, owner)
		}
		if looked++; looked == 4 {
			return
		}
	}
}
