// Package secondfactortest holds the test that every radmfa.SecondFactor should
// pass, [TestSecondFactor]. It needs only the types of package duo, and so is
// beside it: a second factor can be tested without the rest of the module.
package secondfactortest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// SecondFactor is the same set of methods as radmfa.SecondFactor.
type SecondFactor interface {
	Preauth(ctx context.Context, r *duo.PreauthRequest) (*duo.PreauthResponse, error)
	Auth(ctx context.Context, r *duo.AuthRequest) (*duo.AuthResponse, error)
}

// asynchronous is the other half of radmfa.AsyncSecondFactor.
type asynchronous interface {
	AuthAsync(ctx context.Context, r *duo.AuthRequest) (txid string, err error)
	Wait(ctx context.Context, txid string, progress func(*duo.AuthStatusResponse)) (*duo.AuthResponse, error)
}

// Subject is what TestSecondFactor tests.
type Subject struct {
	// SecondFactor knows Username, who must prove something. Required.
	SecondFactor SecondFactor
	Username     string

	// Right makes a request that is allowed. It is called for each, so that a
	// passcode can be good for one use. Wrong makes one that is denied. Nil: not
	// checked. They are called with the Username.
	Right, Wrong func(username string) *duo.AuthRequest

	// Once says that a request of Right is good for one use.
	Once bool

	// Unknown is a name that the second factor does not know. Empty: not checked.
	Unknown string

	// Wraps is what the SecondFactor is a wrapper of, such as a *duo.Client. Nil:
	// it wraps nothing.
	Wraps any

	// Unreachable is a SecondFactor of the same kind whose service cannot be
	// contacted. Nil for kinds that have none.
	Unreachable SecondFactor
}

// TestSecondFactor checks what the documentation of radmfa.SecondFactor
// promises: known results, also many at once; no result without an allowing
// answer; a return soon after ctx ends, which is no outage; an outage that says
// so; and a wrapper that keeps every optional method. It may be called in a
// testing/synctest bubble.
func TestSecondFactor(t *testing.T, s Subject) {
	t.Helper()
	for _, problem := range s.problems(t.Context()) {
		t.Error(problem)
	}
}

func (s *Subject) problems(ctx context.Context) []string {
	var p problems
	s.preauth(ctx, &p)
	s.auth(ctx, &p)
	s.ended(ctx, &p)
	s.wraps(&p)
	s.unreachable(ctx, &p)
	return p.list
}

// problems is what went wrong, found by several goroutines.
type problems struct {
	mu   sync.Mutex
	list []string
}

func (p *problems) unless(ok bool, text string) {
	if !ok {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.list = append(p.list, text)
	}
}

func (s *Subject) preauth(ctx context.Context, p *problems) {
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			r, err := s.SecondFactor.Preauth(ctx, &duo.PreauthRequest{Username: s.Username})
			p.unless(err == nil && r != nil && r.Result == duo.PreauthAuth,
				"Preauth: the user must prove something: want the result PreauthAuth and no error")
		})
	}
	wg.Wait()
	if s.Unknown != "" {
		r, err := s.SecondFactor.Preauth(ctx, &duo.PreauthRequest{Username: s.Unknown})
		p.unless(err == nil && r != nil && (r.Result == duo.PreauthDeny || r.Result == duo.PreauthEnroll),
			"Preauth: unknown user: want the result PreauthDeny or PreauthEnroll and no error")
	}
}

func (s *Subject) auth(ctx context.Context, p *problems) {
	if s.Wrong != nil {
		r, err := s.SecondFactor.Auth(ctx, s.Wrong(s.Username))
		p.unless(err == nil && r != nil && r.Result == duo.ResultDeny, "Auth: wrong: want the result ResultDeny and no error")
	}
	if s.Unknown != "" && s.Right != nil {
		r, err := s.SecondFactor.Auth(ctx, s.Right(s.Unknown))
		p.unless(err != nil || !r.Allowed(), "Auth: unknown user: want no ResultAllow")
	}
	if s.Right == nil {
		return
	}
	request := s.Right(s.Username)
	r, err := s.SecondFactor.Auth(ctx, request)
	p.unless(err == nil && r != nil && r.Allowed(), "Auth: right: want the result ResultAllow and no error")
	if s.Once {
		r, err := s.SecondFactor.Auth(ctx, request)
		p.unless(err == nil && r != nil && r.Result == duo.ResultDeny, "Auth: the same once more: want the result ResultDeny and no error")
	}
}

// ended checks that a context that has ended is neither a yes nor an outage: the
// fail mode must not count for it.
func (s *Subject) ended(ctx context.Context, p *problems) {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	started := time.Now()
	_, err := s.SecondFactor.Preauth(ctx, &duo.PreauthRequest{Username: s.Username})
	p.unless(!unavailable(err), "Preauth: ctx has ended: want an error that is no outage")
	if s.Wrong != nil {
		r, err := s.SecondFactor.Auth(ctx, s.Wrong(s.Username))
		p.unless(err != nil || !r.Allowed(), "Auth: ctx has ended: want no ResultAllow")
	}
	p.unless(time.Since(started) < 5*time.Second, "ctx has ended: want a return soon after")
}

// wraps checks that a wrapper has the optional methods of what it wraps. Without
// AuthAsync and Wait, say, a Server would go on to work, but show no progress and
// no code of a verified push, and no other node could take a push over.
func (s *Subject) wraps(p *problems) {
	_, inner := s.Wraps.(asynchronous)
	_, outer := s.SecondFactor.(asynchronous)
	p.unless(outer || !inner, "the wrapper has lost AuthAsync and Wait: embed what it wraps")
	_, inner = s.Wraps.(interface{ Validate() error })
	_, outer = s.SecondFactor.(interface{ Validate() error })
	p.unless(outer || !inner, "the wrapper has lost Validate: embed what it wraps")
	for name, has := range map[string]func(any) bool{
		"Product":     func(v any) bool { _, ok := v.(interface{ Product() string }); return ok },
		"Application": func(v any) bool { _, ok := v.(interface{ Application() string }); return ok },
	} {
		p.unless(has(s.SecondFactor) || !has(s.Wraps), "the wrapper has lost "+name+": embed what it wraps")
	}
}

func (s *Subject) unreachable(ctx context.Context, p *problems) {
	if s.Unreachable == nil {
		return
	}
	_, err := s.Unreachable.Preauth(ctx, &duo.PreauthRequest{Username: s.Username})
	p.unless(unavailable(err), "Preauth: the service cannot be contacted: want an error whose Unavailable() is true, such as radmfa.Unavailable makes")
}

func unavailable(err error) bool {
	var e interface{ Unavailable() bool }
	return errors.As(err, &e) && e.Unavailable()
}
