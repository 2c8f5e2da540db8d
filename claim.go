package radmfa

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/radius"
)

const (
	// repeatFor is how long a decision is kept for a NAS that asks again with the
	// same State and answer under a new Identifier.
	repeatFor = 30 * time.Second
	// settleFor is how long a reply waits for its decision to be stored.
	settleFor = time.Second
	// A request whose session another process decides looks again after minPoll,
	// then less and less often, down to maxPoll.
	minPoll, maxPoll = 20 * time.Millisecond, 500 * time.Millisecond
	// waitersFor is how long the decision on an automatic login is kept for those
	// who were waiting for it in another process.
	waitersFor = 2 * time.Second
)

// answerKey is equal for requests that bring the same answer.
type answerKey struct {
	state, device, username string
	password                radius.Secret
}

// claim is the hold of this process on a session that it decides.
type claim struct {
	box     box
	attempt challenge.Shared // of an automatic login, which has no State; else nil
	hash    []byte           // of the answer
	ses     *session         // as it was claimed
	stored  []byte           // as it is in the Store
	unsure  []byte           // or as it may be, since nothing came back; see swap
}

// answer decides a request that answers a challenge. Several requests may bring
// the same answer, because a NAS asks again, or asks its second server. The first
// of them claims the session; the others share its decision.
func (l *login) answer() {
	r := l.request
	key := answerKey{r.State, r.Device, r.Username, r.Password}
	f, first := l.server.answers.join(key, &l.flight)
	if !first {
		l.share(f)
		return
	}
	keep := repeatFor // should the Store not keep the decision
	defer func() { l.server.answers.end(key, f, l.outcome(), keep) }()
	defer l.recover()
	l.claim = &claim{box: l.server.box(purposeSession, r.State), hash: hashAnswer(r.State, r.Password)}
	if l.decideClaimed() {
		keep = 0
	}
}

// beginOnce decides an automatic login that other processes may be asked to begin
// as well. It returns false when the Store cannot be used for that.
func (l *login) beginOnce() bool {
	s := l.server
	store := s.agreed()
	if store == nil {
		return false
	}
	b := s.box(purposeAttempt, l.request.Attempt)
	l.claim = &claim{box: b, attempt: store, hash: hashAnswer(l.request.Attempt, "")}
	l.decideClaimed()
	return true
}

// decideClaimed claims the session, decides it and stores the decision. It reports
// whether nothing is left to be kept here for those who ask again.
func (l *login) decideClaimed() bool {
	at := l.enter()
	if at == decided {
		return true
	}
	l.server.presence.enter(l.server)
	defer l.server.presence.leave()
	l.runSafely(at)
	l.leaveToOthers()
	return l.settle()
}

func (l *login) runSafely(at step) {
	defer l.recover()
	l.run(at)
}

// enter claims the session that the State names, and returns the step at which
// the login goes on. It decides where there is nothing left to do.
func (l *login) enter() step {
	w := watch{server: l.server}
	for {
		if l.claim.attempt != nil && !w.waited {
			if at := l.add(); at != undecided {
				return at
			}
		}
		ses, err := l.load(l.ctx)
		switch {
		case errors.Is(err, challenge.ErrNotFound) && l.claim.attempt != nil:
			w.waited = false
			continue // it has just ended
		case errors.Is(err, challenge.ErrNotFound):
			return l.reject(CauseExpired, textExpired, "the State is unknown or has expired")
		case errors.Is(err, errSealed), errors.Is(err, errOtherVersion):
			l.reject(CauseExpired, textExpired, "the challenge cannot be read")
			l.decision.err = err
			return decided
		case err != nil && w.waited && l.wait(&w) == nil:
			continue // the Store may recover; a NAS takes back no reject
		case err != nil:
			return l.fail(CauseInternal, "the challenge cannot be read", err)
		}
		if reason := ses.mayAnswer(l.request); reason != "" {
			return l.reject(CauseExpired, textExpired, reason)
		}
		if ses.answer != nil && subtle.ConstantTimeCompare(ses.answer, l.claim.hash) != 1 {
			return l.reject(CauseExpired, textExpired, "the challenge was answered otherwise")
		}
		at, err := l.take(ses, &w)
		if at != undecided {
			return at
		}
		if err == nil || errors.Is(err, challenge.ErrConflict) || errors.Is(err, challenge.ErrNotFound) {
			continue
		}
		if !w.waited || l.ctx.Err() != nil {
			return l.fail(CauseInternal, "the challenge cannot be decided", err)
		}
	}
}

// add begins an automatic login, unless another process has begun it.
func (l *login) add() step {
	s, c := l.server, l.claim
	l.ses.answer, l.ses.owner = c.hash, s.presence.name()
	sealed := c.box.sealSession(l.ses)
	err := c.attempt.Add(l.ctx, c.box.name, sealed, s.authTimeout()+repeatFor)
	switch {
	case err == nil, mayHaveHappened(err) && c.is(l.ctx, s, sealed):
		c.ses, c.stored = l.ses, sealed
		return atFirstFactor
	case errors.Is(err, challenge.ErrConflict):
		return undecided
	case errors.Is(err, challenge.ErrFull):
		return l.ignore("there is no room for another login", err)
	}
	return l.fail(CauseInternal, "the login cannot be stored", err)
}

// undecided is what take returns when the session must be looked at again.
const undecided step = 255

// load reads the session of the claim.
func (l *login) load(ctx context.Context) (*session, error) {
	stored, err := l.server.store().Get(ctx, l.claim.box.name)
	if err != nil {
		return nil, err
	}
	l.claim.stored = stored
	return l.claim.box.openSession(stored)
}

// take makes the session this request's own if nobody else decides it, repeats
// its decision, or waits a while for whoever decides it.
func (l *login) take(ses *session, w *watch) (step, error) {
	switch {
	case ses.decision != nil && l.claim.attempt != nil && !w.waited && ses.decision.Result != ResultRejected:
		if err := l.hold(l.ses); err != nil {
			return undecided, err
		}
		return atFirstFactor, nil // the approval is used up: this is a login of its own
	case ses.decision != nil:
		l.ses = ses
		l.decision = *ses.decision
		l.decision.repeated = true
		return decided, nil
	case ses.answer == nil:
		if err := l.hold(ses); err != nil {
			return undecided, err
		}
		l.server.open.answered(ses.owns(), l.claim.box.name)
		return ses.at, nil
	case !w.gone(l.ctx, ses.owner):
		return undecided, l.wait(w)
	}
	// What its owner has started is not started again; what can be waited for is.
	started := ses.txID != ""
	if err := l.hold(ses); err != nil {
		return undecided, err
	}
	if started {
		return atApproval, nil
	}
	text := textExpired
	if ses.at == atRepeatPassword {
		text = textUnsure
	}
	l.reject(CauseExpired, text, "the node that checked the answer is gone")
	l.settle()
	return decided, nil
}

// hold writes into the Store that this process decides the session.
func (l *login) hold(ses *session) error {
	s := l.server
	ses.answer, ses.owner = l.claim.hash, s.presence.name()
	if err := l.claim.swap(l.ctx, s, ses, s.authTimeout()+repeatFor); err != nil {
		return err
	}
	if d := &ses.policy.Description; !d.ClientIP.IsValid() {
		d.ClientIP = l.request.ClientIP
	}
	l.ses, l.claim.ses = ses, ses
	return nil
}

// swap replaces the session in the Store. When nothing comes back, it looks
// whether that was done.
func (c *claim) swap(ctx context.Context, s *Server, ses *session, ttl time.Duration) error {
	sealed := c.box.sealSession(ses)
	err := s.store().CompareAndSwap(ctx, c.box.name, c.stored, sealed, ttl)
	if errors.Is(err, challenge.ErrConflict) && c.unsure != nil {
		err = s.store().CompareAndSwap(ctx, c.box.name, c.unsure, sealed, ttl)
	}
	switch {
	case err == nil, mayHaveHappened(err) && c.is(ctx, s, sealed):
		c.stored, c.unsure = sealed, nil
		return nil
	case mayHaveHappened(err):
		c.unsure = sealed
	}
	return err
}

// is reports whether the Store keeps what was sealed.
func (c *claim) is(ctx context.Context, s *Server, sealed []byte) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleFor)
	defer cancel()
	got, err := s.store().Get(ctx, c.box.name)
	return err == nil && bytes.Equal(got, sealed)
}

// mayHaveHappened reports whether an error leaves it open if the Store did what
// it was asked to.
func mayHaveHappened(err error) bool {
	return err != nil && !errors.Is(err, challenge.ErrConflict) &&
		!errors.Is(err, challenge.ErrNotFound) && !errors.Is(err, challenge.ErrFull)
}

// note stores the transaction that was started, so that another node can go on
// waiting for it should this one die, or be stopping at this very moment.
func (l *login) note() {
	if l.claim == nil || !l.server.shared() {
		return
	}
	var until deadline
	until.set(context.WithoutCancel(l.ctx), settleFor)
	defer until.end()
	if err := l.claim.swap(&until, l.server, l.ses, l.server.authTimeout()+repeatFor); err != nil {
		l.warn("radmfa: the transaction cannot be stored; another node could not take over", err)
	}
}

// settle stores the decision for repetitions of the answer, also when the time
// of this request is up. It reports whether that is done: if not, it goes on
// trying as long as it can matter.
func (l *login) settle() bool {
	if l.decision.Result == ResultIgnored {
		return true
	}
	d := l.outcome()
	ses := l.claim.ses.settled(&d)
	ctx, until := context.WithoutCancel(l.ctx), time.Now().Add(repeatFor)
	err := l.persist(ctx, ses)
	switch {
	case err == nil:
		return true
	case errors.Is(err, challenge.ErrConflict):
		return l.adopt(ctx)
	}
	l.warn("radmfa: a decision cannot be stored; trying again", err)
	l.persistLater(ctx, ses, minPoll, until)
	return false
}

// persist swaps the session in.
func (l *login) persist(ctx context.Context, ses *session) error {
	var until deadline
	until.set(ctx, settleFor)
	defer until.end()
	return l.claim.swap(&until, l.server, ses, l.claim.keep(ses.decision))
}

// keep returns how long a decision is stored.
func (c *claim) keep(d *decision) time.Duration {
	switch {
	case c.attempt == nil:
		return repeatFor
	case d.Result == ResultRejected:
		return repeatFirst
	}
	return waitersFor
}

// persistLater tries again after a pause, and after longer ones, until a time or
// an answer of the Store. A timer waits for it, not a goroutine.
func (l *login) persistLater(ctx context.Context, ses *session, pause time.Duration, until time.Time) {
	if time.Now().After(until) {
		return
	}
	time.AfterFunc(pause, func() {
		err := l.persist(ctx, ses)
		if mayHaveHappened(err) || errors.Is(err, challenge.ErrFull) {
			l.persistLater(ctx, ses, min(2*pause, time.Second), until)
		}
	})
}

// adopt replaces the decision by that of the node that took the session over
// from this one, which was taken for dead.
func (l *login) adopt(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, settleFor)
	defer cancel()
	if ses, err := l.load(ctx); err == nil && ses.decision != nil {
		l.decision = *ses.decision
		l.decision.repeated = true
		return true
	}
	return false
}

// wait lets some time pass for the process that decides the session.
func (l *login) wait(w *watch) error { return sleep(l.ctx, w.next()) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hashAnswer is how an answer is compared without being kept.
func hashAnswer(state string, answer radius.Secret) []byte {
	var room [128]byte
	sum := sha256.Sum256(append(append(append(room[:0], state...), 0), answer...))
	return sum[:]
}
