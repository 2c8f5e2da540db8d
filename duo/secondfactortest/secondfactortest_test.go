package secondfactortest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func subject(f SecondFactor, wraps any) Subject {
	passcode := func(p duo.Secret) func(string) *duo.AuthRequest {
		return func(username string) *duo.AuthRequest {
			return &duo.AuthRequest{Username: username, Factor: duo.FactorPasscode, Passcode: p}
		}
	}
	return Subject{
		SecondFactor: f, Wraps: wraps, Username: "jdoe", Unknown: "nobody",
		Right: passcode("123456"), Wrong: passcode("999999"),
	}
}

func service() *duotest.Service {
	return &duotest.Service{Users: map[string]*duotest.User{"jdoe": {Passcodes: []string{"123456"}}}}
}

func TestAClientKeepsTheContract(t *testing.T) {
	s := subject(service().Client(), nil)
	broken := service()
	broken.Break("/auth/v2/preauth", duotest.Fault{Times: -1, Refuse: true})
	s.Unreachable = broken.Client()
	TestSecondFactor(t, s)
}

// embedding is a wrapper as the documentation of AsyncSecondFactor wants it.
type embedding struct{ *duo.Client }

// hiding is a wrapper that loses half of what it wraps.
type hiding struct{ SecondFactor }

func TestAWrapperKeepsTheAsynchronousHalf(t *testing.T) {
	client := service().Client()
	TestSecondFactor(t, subject(embedding{client}, client))

	hides := subject(hiding{client}, client)
	assert.Contains(t, hides.problems(t.Context()), "the wrapper has lost AuthAsync and Wait: embed what it wraps")
}

// yes lets everybody in, and takes its own bad luck for an outage.
type yes struct{}

func (yes) Preauth(context.Context, *duo.PreauthRequest) (*duo.PreauthResponse, error) {
	return nil, &duo.Error{Err: assert.AnError}
}

func (yes) Auth(context.Context, *duo.AuthRequest) (*duo.AuthResponse, error) {
	return &duo.AuthResponse{Result: duo.ResultAllow}, nil
}

func TestABrokenFactorIsFound(t *testing.T) {
	s := subject(yes{}, nil)
	s.Once = true
	found := s.problems(t.Context())
	for _, want := range []string{
		"Preauth: the user must prove something: want the result PreauthAuth and no error",
		"Preauth: ctx has ended: want an error that is no outage",
		"Auth: wrong: want the result ResultDeny and no error",
		"Auth: unknown user: want no ResultAllow",
		"Auth: the same once more: want the result ResultDeny and no error",
		"Auth: ctx has ended: want no ResultAllow",
	} {
		assert.Contains(t, found, want)
	}
}
