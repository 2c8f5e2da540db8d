package primary_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// down is a directory that cannot be reached.
var down = primary.AuthenticatorFunc(func(ctx context.Context, _ *primary.Request) (*primary.Result, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return nil, errors.New("connection refused")
})

// failover asks a list in order.
func failover(list ...primary.Authenticator) *primary.Failover {
	return &primary.Failover{Authenticators: list}
}

var users = primarytest.Users{"jdoe": "correct horse"}

func TestContract(t *testing.T) {
	subjects := map[string]primary.Authenticator{
		"users":              users,
		"function":           primary.AuthenticatorFunc(users.Authenticate),
		"failover, first":    failover(users, down),
		"failover, second":   failover(down, users),
		"failover, failover": failover(failover(down), failover(users)),
	}
	for name, a := range subjects {
		t.Run(name, func(t *testing.T) {
			primarytest.TestAuthenticator(t, primarytest.Subject{
				Authenticator: a, Username: "jdoe", Password: "correct horse",
				Unreachable: failover(down, down),
			})
		})
	}
}

func TestFailoverStopsAtTheFirstAnswer(t *testing.T) {
	var asked []string
	answer := func(name string, err error) primary.Authenticator {
		return primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) {
			asked = append(asked, name)
			return nil, err
		})
	}
	f := failover(
		answer("first", errors.New("first: refused")),
		answer("second", fmt.Errorf("second: %w", &primary.Rejection{Message: "no", Reason: "locked"})),
		answer("third", nil),
	)
	_, err := f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "x"})
	assert.ErrorIs(t, err, primary.ErrRejected)
	var rejection *primary.Rejection
	require.ErrorAs(t, err, &rejection)
	assert.Equal(t, "no", rejection.Message)
	assert.Equal(t, []string{"first", "second"}, asked)
}

func TestFailoverTellsEveryError(t *testing.T) {
	f := failover(down, failover())
	_, err := f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "x"})
	assert.ErrorContains(t, err, "connection refused")
	assert.ErrorContains(t, err, "holds 0 Authenticators")
}

func TestFailoverTakesAnswersBackToTheOneThatAsked(t *testing.T) {
	asks := primary.AuthenticatorFunc(func(_ context.Context, r *primary.Request) (*primary.Result, error) {
		switch {
		case r.State == nil:
			return nil, &primary.Challenge{Message: "PIN?", State: []byte("state 7")}
		case string(r.State) == "state 7" && r.Password == "1234":
			return &primary.Result{}, nil
		default:
			return nil, &primary.Rejection{Reason: "wrong PIN"}
		}
	})
	f := failover(down, failover(down, asks), down)

	_, err := f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "x"})
	var challenge *primary.Challenge
	require.ErrorAs(t, err, &challenge)
	assert.Equal(t, "PIN?", challenge.Message)

	_, err = f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "1234", State: challenge.State})
	assert.NoError(t, err)
	_, err = f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "9", State: challenge.State})
	assert.ErrorIs(t, err, primary.ErrRejected)
	_, err = f.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "1234", State: []byte{9}})
	assert.ErrorIs(t, err, primary.ErrRejected, "a State that nobody gave out")
}

func TestNoneTakesEverybody(t *testing.T) {
	result, err := primary.None{}.Authenticate(t.Context(), &primary.Request{Username: "jdoe"})
	assert.NoError(t, err)
	assert.Nil(t, result)
}

func TestPasswordsAreNotPrinted(t *testing.T) {
	r := primary.Request{Username: "jdoe", Password: "correct horse"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		assert.NotContains(t, fmt.Sprintf(verb, r), "correct")
		assert.NotContains(t, fmt.Sprintf(verb, users), "correct")
	}
}

func ExampleFailover() {
	office := primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) {
		return nil, errors.New("office directory: connection refused")
	})
	branch := primarytest.Users{"jdoe": "correct horse"}

	both := &primary.Failover{Authenticators: []primary.Authenticator{office, branch}}
	for _, password := range []radius.Secret{"correct horse", "guess"} {
		_, err := both.Authenticate(context.Background(), &primary.Request{Username: "jdoe", Password: password})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// primary: rejected: wrong password
}

func ExampleAuthenticatorFunc() {
	check := primary.AuthenticatorFunc(func(_ context.Context, r *primary.Request) (*primary.Result, error) {
		if r.Username == "jdoe" && r.Password == "correct horse" {
			return nil, nil
		}
		return nil, &primary.Rejection{Message: "Login incorrect.", Reason: "wrong password"}
	})
	_, err := check.Authenticate(context.Background(), &primary.Request{Username: "jdoe"})
	fmt.Println(err)
	// Output:
	// primary: rejected: empty password
}

func TestFailoverLeavesTimeForTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := primary.AuthenticatorFunc(func(ctx context.Context, _ *primary.Request) (*primary.Result, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := failover(hangs, hangs, users).Authenticate(ctx, &primary.Request{Username: "jdoe", Password: "correct horse"})
		assert.NoError(t, err)
		assert.Equal(t, 20*time.Second, time.Since(begin))
	})
}

func TestFailoverTellsWhatIsWrongWithIt(t *testing.T) {
	assert.NoError(t, failover(users, failover(down)).Validate())
	assert.ErrorContains(t, failover().Validate(), "holds 0 Authenticators")
	assert.ErrorContains(t, failover(users, nil).Validate(), "Failover.Authenticators[1] is nil")
	assert.ErrorContains(t, failover(failover()).Validate(), "holds 0 Authenticators")
}
