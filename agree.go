package radmfa

import (
	"context"
	"strconv"
	"time"
)

// permit is one of those that the nodes give an account together.
type permit struct {
	of     string
	limit  int // zero or less: none
	window time.Duration
}

// agree takes all of the permits, or none of them. Where the nodes have nothing
// to agree in, or it cannot be reached, what this one counted decides.
func (l *login) agree(local bool, permits ...permit) bool {
	store := l.server.agreed()
	if store == nil {
		return local
	}
	for i, p := range permits {
		if p.limit <= 0 {
			continue
		}
		ok, err := store.Acquire(l.ctx, l.permitID(p.of), l.permitName(), p.limit, p.window)
		if err != nil {
			l.warn("radmfa: the nodes cannot count together; this one counts for itself", err)
			return local
		}
		if !ok {
			for _, taken := range permits[:i] {
				l.release(taken.of)
			}
			return false
		}
	}
	return true
}

// release gives a permit back before its time.
func (l *login) release(of string) {
	store := l.server.agreed()
	if store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), settleFor)
	defer cancel()
	if err := store.Release(ctx, l.permitID(of), l.permitName()); err != nil {
		l.warn("radmfa: what has ended still counts, until its time is up", err)
	}
}

// permitID names an account's permits. Accounts can be guessed, so that the key
// of the cluster hides them.
func (l *login) permitID(of string) string {
	return l.server.box(purposeLimit, of+"\x00"+l.limitKey()).name
}

// permitName is made of what is in the session, so that every node knows it.
func (l *login) permitName() string {
	at := l.ses.pushed
	if at.IsZero() {
		at = l.started
	}
	return l.ses.id + " " + strconv.FormatInt(at.UnixNano(), 10)
}
