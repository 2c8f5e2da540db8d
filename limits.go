package radmfa

import (
	"strings"
	"sync"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/internal/names"
)

// Limits bounds what may be tried in one account's name, so that somebody with a
// stolen password can neither wear the user down nor guess a passcode. A zero
// field is its default, a negative one sets no bound. Names that differ only in
// the case of letters or in the domain (see BareName) count as one.
type Limits struct {
	// Outstanding is how many pushes, calls and batches of SMS passcodes may wait
	// for an answer at once. One whose end is not known, because AuthTimeout was
	// shorter, counts for the 60 s that it lasts. Zero: 3.
	Outstanding int

	// PerMinute is how many of them may be sent within 60 s. Zero: 10.
	PerMinute int

	// WrongPasscodes is how many wrong passcodes may be tried within 15 minutes.
	// After that no passcode is accepted until some of them are that old. Zero: 10.
	WrongPasscodes int
}

// The defaults of Limits, and the times that they are for.
const (
	defaultOutstanding    = 3
	defaultPerMinute      = 10
	defaultWrongPasscodes = 10

	pushWindow     = time.Minute
	passcodeWindow = 15 * time.Minute
)

// overLimit counts the use of the chosen factor, or rejects it. It returns
// undecided when the factor may be used.
func (l *login) overLimit() step {
	s, limits := l.server, &l.server.Limits
	if l.choice.Kind == duo.FactorPasscode {
		most := orDefault(limits.WrongPasscodes, defaultWrongPasscodes)
		ok := s.passcodes.admit(l.limitKey(), l.started, passcodeWindow, 0, most)
		if !l.agree(ok, permit{"passcodes", most, passcodeWindow}) {
			if ok {
				s.passcodes.forget(l.limitKey(), l.started)
			}
			return l.reject(CauseOverLimit, textTooManyCodes, "over the limit on wrong passcodes")
		}
		return undecided
	}
	l.ses.pushed = time.Now()
	outstanding, within := orDefault(limits.Outstanding, defaultOutstanding), orDefault(limits.PerMinute, defaultPerMinute)
	if outstanding < 0 && within < 0 {
		return undecided
	}
	ok := s.pushes.admit(l.limitKey(), l.ses.pushed, pushWindow, outstanding, within)
	if !l.agree(ok, permit{"outstanding", outstanding, pushWindow}, permit{"per minute", within, pushWindow}) {
		if ok {
			s.pushes.forget(l.limitKey(), l.ses.pushed)
		}
		return l.reject(CauseOverLimit, textTooManyPushes, "over the limit on pushes")
	}
	return undecided
}

// countPasscode takes a passcode that was right off the count.
func (l *login) countPasscode(f duo.Factor, response *duo.AuthResponse) {
	if f == duo.FactorPasscode && response.Allowed() {
		l.server.passcodes.forget(l.limitKey(), l.started)
		l.release("passcodes")
	}
}

// endPush notes that the push of this login is no longer outstanding. A node that
// took it over may do that.
func (l *login) endPush() {
	if l.ses.pushed.IsZero() {
		return
	}
	l.server.pushes.end(l.limitKey(), l.ses.pushed)
	l.release("outstanding")
}

// limitKey is equal for the forms of a name that the service may take for one
// user.
func (l *login) limitKey() string {
	return names.Fold(BareName(strings.TrimSpace(l.ses.serviceName())))
}

// counts counts what is done in the name of accounts. The zero value is ready.
type counts struct {
	mu       sync.Mutex
	accounts map[string][]mark // oldest first
}

type mark struct {
	at    time.Time
	ended bool
}

// admit counts something that is done now, unless too much of it is outstanding
// or was done within the window. A limit of zero or less is none.
func (c *counts) admit(account string, now time.Time, window time.Duration, outstanding, within int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	marks := recent(c.accounts[account], now, window)
	waiting := 0
	for _, m := range marks {
		if !m.ended {
			waiting++
		}
	}
	if outstanding > 0 && waiting >= outstanding || within > 0 && len(marks) >= within {
		return false
	}
	if c.accounts == nil {
		c.accounts = make(map[string][]mark)
	}
	c.accounts[account] = append(marks, mark{at: now})
	return true
}

// end notes that what was done then is no longer outstanding.
func (c *counts) end(account string, at time.Time) {
	c.each(account, at, func(marks []mark, i int) []mark {
		marks[i].ended = true
		return marks
	})
}

// forget undoes admit.
func (c *counts) forget(account string, at time.Time) {
	c.each(account, at, func(marks []mark, i int) []mark {
		return append(marks[:i], marks[i+1:]...)
	})
}

// each changes the mark of that time which is still outstanding.
func (c *counts) each(account string, at time.Time, change func(marks []mark, i int) []mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	marks := c.accounts[account]
	for i := range marks {
		if !marks[i].ended && marks[i].at.Equal(at) {
			if marks = change(marks, i); len(marks) == 0 {
				delete(c.accounts, account)
			} else {
				c.accounts[account] = marks
			}
			return
		}
	}
}

// sweep removes some accounts that need not be remembered. A call adds one at
// most.
func (c *counts) sweep(now time.Time) {
	looked := 0
	for account, marks := range c.accounts { // in random order
		if len(recent(marks, now, passcodeWindow)) == 0 {
			delete(c.accounts, account)
		}
		if looked++; looked == 4 {
			return
		}
	}
}

func recent(marks []mark, now time.Time, window time.Duration) []mark {
	for len(marks) > 0 && now.Sub(marks[0].at) >= window {
		marks = marks[1:]
	}
	return marks
}
