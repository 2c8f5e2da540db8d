package primary

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/radmfa/radmfa/internal/deadline"
)

// Failover asks its Authenticators in order until one knows the answer, yes or
// no. Only an error that is neither an answer nor a Challenge moves it on; when
// nobody knows, its error holds every one of theirs, in order. It stops when ctx
// ends, and shares the time until ctx's deadline among those still to be asked, so
// that one that hangs does not keep the others from it. The answer to a Challenge
// goes to the Authenticator that asked. It holds at most 256 Authenticators.
type Failover []Authenticator

// Authenticate implements Authenticator.
func (f Failover) Authenticate(ctx context.Context, r *Request) (*Result, error) {
	if err := f.checkLength(); err != nil {
		return nil, err
	}
	if len(r.State) > 0 {
		return f.resume(ctx, r)
	}
	var unknown []error
	for i := range f {
		share, cancel := deadline.Share(ctx, len(f)-i)
		result, err := f.ask(share, i, r)
		cancel()
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

// Validate reports what is wrong with the list, and with those in it that have
// such a method.
func (f Failover) Validate() error {
	problems := []error{f.checkLength()}
	for i, a := range f {
		if a == nil {
			problems = append(problems, fmt.Errorf("primary: Failover[%d] is nil", i))
		} else if v, ok := a.(interface{ Validate() error }); ok {
			problems = append(problems, v.Validate())
		}
	}
	return errors.Join(problems...)
}

func (f Failover) checkLength() error {
	if len(f) == 0 || len(f) > math.MaxUint8+1 {
		return fmt.Errorf("primary: Failover holds %d Authenticators, want 1 to 256", len(f))
	}
	return nil
}

// resume takes the answer to a Challenge back to the one that asked: no other
// would know its State.
func (f Failover) resume(ctx context.Context, r *Request) (*Result, error) {
	i := int(r.State[0])
	if i >= len(f) {
		return nil, &Rejection{Reason: "the answer's State names an Authenticator that is not there"}
	}
	inner := *r
	inner.State = r.State[1:]
	return f.ask(ctx, i, &inner)
}

// ask asks one, and writes its place before the State of a Challenge.
func (f Failover) ask(ctx context.Context, i int, r *Request) (*Result, error) {
	result, err := f[i].Authenticate(ctx, r)
	var challenge *Challenge
	if errors.As(err, &challenge) {
		marked := *challenge
		marked.State = append([]byte{byte(i)}, challenge.State...)
		return nil, &marked
	}
	return result, err
}

// decided reports whether err is an answer rather than a failure to get one.
func decided(err error) bool {
	var challenge *Challenge
	return errors.Is(err, ErrRejected) || errors.As(err, &challenge)
}
