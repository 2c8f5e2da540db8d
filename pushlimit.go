package radmfa

import (
	"strings"
	"sync"
	"time"
)

// PushLimit bounds what one user's phones are asked: pushes, calls and batches of
// SMS passcodes. Zero fields set no bound.
type PushLimit struct {
	Outstanding int // that wait for an answer at once
	PerMinute   int // that are sent within 60 s
}

// pushGuard counts. The zero value is ready.
type pushGuard struct {
	mu    sync.Mutex
	users map[string]*pushCount
}

type pushCount struct {
	outstanding int
	sent        []time.Time // in the last minute, oldest first
}

// admit counts a push to the user, until release is called, or refuses it.
func (g *pushGuard) admit(limit PushLimit, user string) (release func(), ok bool) {
	if limit == (PushLimit{}) {
		return func() {}, true
	}
	user = strings.ToLower(user)
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep(now)
	c := g.users[user]
	if c == nil {
		c = &pushCount{}
	}
	c.forget(now)
	if limit.Outstanding > 0 && c.outstanding >= limit.Outstanding ||
		limit.PerMinute > 0 && len(c.sent) >= limit.PerMinute {
		return nil, false
	}
	c.outstanding++
	c.sent = append(c.sent, now)
	if g.users == nil {
		g.users = make(map[string]*pushCount)
	}
	g.users[user] = c
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		c.outstanding--
	}, true
}

// sweep removes some users who need not be remembered. A call adds one at most.
func (g *pushGuard) sweep(now time.Time) {
	looked := 0
	for user, c := range g.users { // in random order
		c.forget(now)
		if c.outstanding == 0 && len(c.sent) == 0 {
			delete(g.users, user)
		}
		if looked++; looked == 4 {
			return
		}
	}
}

func (c *pushCount) forget(now time.Time) {
	for len(c.sent) > 0 && now.Sub(c.sent[0]) >= time.Minute {
		c.sent = c.sent[1:]
	}
}
