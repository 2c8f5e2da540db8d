package ldapauth

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		stopSamba()
		os.Exit(code)
	}))
}

// quiet is for tests in which hosts fail on purpose.
var quiet = slog.New(slog.DiscardHandler)

func request(name, password string) *primary.Request {
	return &primary.Request{Username: name, Password: radius.Secret(password)}
}

// login returns the error of a login.
func login(t *testing.T, a *Authenticator, name, password string) error {
	t.Helper()
	_, err := a.Authenticate(t.Context(), request(name, password))
	return err
}

func requireRejection(t *testing.T, err error) primary.Rejection {
	t.Helper()
	var rejection *primary.Rejection
	require.ErrorAs(t, err, &rejection)
	require.ErrorIs(t, err, primary.ErrRejected)
	return *rejection
}

// assertUnknown checks that err says neither yes nor no.
func assertUnknown(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	assert.False(t, errors.Is(err, primary.ErrRejected), "%v", err)
}

func closeAfter(t testing.TB, a *Authenticator) *Authenticator {
	t.Helper()
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	return a
}

// outcome is one line of a table of logins.
type outcome struct {
	name, password string
	reason         string // empty: the login is right
	message        string
}

func runOutcomes(t *testing.T, a *Authenticator, table []outcome) {
	t.Helper()
	for _, o := range table {
		t.Run(o.name+" "+o.password, func(t *testing.T) {
			_, err := a.Authenticate(context.Background(), request(o.name, o.password))
			if o.reason == "" {
				require.NoError(t, err)
				return
			}
			rejection := requireRejection(t, err)
			assert.Contains(t, rejection.Reason, o.reason)
			assert.Equal(t, o.message, rejection.Message)
			assert.NotContains(t, rejection.Reason, o.password)
		})
	}
}
