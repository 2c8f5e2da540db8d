package primary

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/radmfa/radmfa/internal/deadline"
)

// Failover asks its Authenticators in order until one knows the answer, yes or
// no. Only an error that is neither an answer nor a Challenge moves it on; when
// nobody knows, its error holds every one of theirs, in order. It stops when ctx
// ends, and shares the time until ctx's deadline among those still to be asked, so
// that one that hangs does not keep the others from it. The answer to a Challenge
// goes to the Authenticator that asked, the change of a password to the one that
// demanded it.
//
// One that fails after a second or more is asked last for 30 s. Then one login
// at a time tries it again, for at most 2 s if others can be asked. An error that
// comes at once costs no time, so it changes nothing.
//
// Do not modify or copy a Failover after first use. It is safe for concurrent use.
type Failover struct {
	// Authenticators are asked in this order: 1 to 256.
	Authenticators []Authenticator

	mu      sync.Mutex
	retryAt map[int]time.Time // of those that are asked last
}

const (
	slowFailure = time.Second      // an error that takes this long is held against its Authenticator
	demotion    = 30 * time.Second // how long it is asked last
	trialTime   = 2 * time.Second  // what it gets to show that it is back
)

// turn is one Authenticator's turn in a login.
type turn struct {
	index int
	trial bool // it was asked last until now
}

// Authenticate implements Authenticator.
func (f *Failover) Authenticate(ctx context.Context, r *Request) (*Result, error) {
	if err := f.checkLength(); err != nil {
		return nil, err
	}
	if len(r.State) > 0 {
		return f.resume(ctx, r)
	}
	var unknown []error
	order := f.order()
	for i, t := range order {
		result, err := f.take(ctx, t, len(order)-i, r)
		if err == nil || decided(err) {
			return result, err
		}
		unknown = append(unknown, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(unknown...)
}

// take gives an Authenticator its turn, in its share of the time.
func (f *Failover) take(ctx context.Context, t turn, left int, r *Request) (*Result, error) {
	share, cancel := deadline.Share(ctx, left)
	defer cancel()
	if t.trial && left > 1 {
		share, cancel = context.WithTimeout(share, trialTime)
		defer cancel()
	}
	return f.ask(share, t.index, r)
}

// order returns whose turn it is, those last that failed a short time ago. When
// one of them is due again, only one login is told so and has to find out.
func (f *Failover) order() []turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	var first, last []turn
	for i := range f.Authenticators {
		retryAt, failed := f.retryAt[i]
		switch {
		case !failed:
			first = append(first, turn{index: i})
		case now.Before(retryAt):
			last = append(last, turn{index: i})
		default:
			f.retryAt[i] = now.Add(demotion)
			first = append(first, turn{index: i, trial: true})
		}
	}
	return append(first, last...)
}

// Validate reports what is wrong with the list, and with those in it that have
// such a method.
func (f *Failover) Validate() error {
	problems := []error{f.checkLength()}
	for i, a := range f.Authenticators {
		if a == nil {
			problems = append(problems, fmt.Errorf("primary: Failover.Authenticators[%d] is nil", i))
		} else if v, ok := a.(interface{ Validate() error }); ok {
			problems = append(problems, v.Validate())
		}
	}
	return errors.Join(problems...)
}

// Format implements fmt.Formatter: fmt would follow a pointer to a Failover
// without asking what is in it how to print it.
func (f *Failover) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "primary.Failover(%v)", f.Authenticators)
}

func (f *Failover) checkLength() error {
	if n := len(f.Authenticators); n == 0 || n > math.MaxUint8+1 {
		return fmt.Errorf("primary: Failover holds %d Authenticators, want 1 to 256", n)
	}
	return nil
}

// resume takes the answer to a Challenge back to the one that asked: no other
// would know its State.
func (f *Failover) resume(ctx context.Context, r *Request) (*Result, error) {
	i := int(r.State[0])
	if i >= len(f.Authenticators) {
		return nil, &Rejection{Reason: "the answer's State names an Authenticator that is not there"}
	}
	inner := *r
	inner.State = r.State[1:]
	return f.ask(ctx, i, &inner)
}

// ask asks one and notes how that went.
func (f *Failover) ask(ctx context.Context, i int, r *Request) (*Result, error) {
	started := time.Now()
	result, err := f.Authenticators[i].Authenticate(ctx, r)
	f.note(ctx, i, err, time.Since(started))
	return result, f.mark(i, err)
}

// note remembers how long one took to fail. That the caller gave up says nothing.
func (f *Failover) note(ctx context.Context, i int, err error, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil || decided(err):
		delete(f.retryAt, i)
	case took >= slowFailure && !errors.Is(ctx.Err(), context.Canceled):
		if f.retryAt == nil {
			f.retryAt = make(map[int]time.Time)
		}
		f.retryAt[i] = time.Now().Add(demotion)
	}
}

// decided reports whether err is an answer rather than a failure to get one.
func decided(err error) bool {
	var challenge *Challenge
	return errors.Is(err, ErrRejected) || errors.As(err, &challenge)
}
