package radmfa

import (
	"strings"
	"sync"
	"time"
)

// PushLimit bounds what one user's phones are asked: pushes, calls and batches of
// SMS passcodes. Zero fields set no bound. Names that differ only in the case of
// letters or in the domain (see BareName) are one user's.
type PushLimit struct {
	// Outstanding is how many may wait for an answer at once. One whose end is not
	// known, because AuthTimeout was shorter, counts for the 60 s that it lasts.
	Outstanding int

	// PerMinute is how many may be sent within 60 s.
	PerMinute int
}

// pushGuard counts. The zero value is ready.
type pushGuard struct {
	mu    sync.Mutex
	users map[string][]push // of the last minute, oldest first
}

type push struct {
	sent  time.Time
	ended bool
}

// admit counts a push to the user, or refuses it. It returns when, for end.
func (g *pushGuard) admit(limit PushLimit, user string) (now time.Time, ok bool) {
	now = time.Now()
	if limit == (PushLimit{}) {
		return now, true
	}
	user = pushKey(user)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sweep(now)
	pushes := lastMinute(g.users[user], now)
	outstanding := 0
	for _, p := range pushes {
		if !p.ended {
			outstanding++
		}
	}
	if limit.Outstanding > 0 && outstanding >= limit.Outstanding ||
		limit.PerMinute > 0 && len(pushes) >= limit.PerMinute {
		return now, false
	}
	if g.users == nil {
		g.users = make(map[string][]push)
	}
	g.users[user] = append(pushes, push{sent: now})
	return now, true
}

// end notes that the push that was sent then is no longer outstanding.
func (g *pushGuard) end(user string, sent time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	pushes := g.users[pushKey(user)]
	for i := range pushes {
		if !pushes[i].ended && pushes[i].sent.Equal(sent) {
			pushes[i].ended = true
			return
		}
	}
}

// pushKey is the same for the forms of a name that the service may take for one
// user.
func pushKey(user string) string {
	return strings.ToLower(BareName(strings.TrimSpace(user)))
}

// sweep removes some users who need not be remembered. A call adds one at most.
func (g *pushGuard) sweep(now time.Time) {
	looked := 0
	for user, pushes := range g.users { // in random order
		if len(lastMinute(pushes, now)) == 0 {
			delete(g.users, user)
		}
		if looked++; looked == 4 {
			return
		}
	}
}

func lastMinute(pushes []push, now time.Time) []push {
	for len(pushes) > 0 && now.Sub(pushes[0].sent) >= time.Minute {
		pushes = pushes[1:]
	}
	return pushes
}
