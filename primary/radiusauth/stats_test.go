package radiusauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestStatsTellOfFailOver(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, second), nil)
		a := asks(n, first, second)
		assert.Equal(t, []radiusauth.ServerStats{{Server: first}, {Server: second}}, a.Stats())
		took(t, a)
		took(t, a)
		assert.Equal(t, []radiusauth.ServerStats{{Server: first, Failures: 1, Down: true}, {Server: second}}, a.Stats())
		assert.Nil(t, (&radiusauth.Authenticator{}).Stats())
	})
}

func TestAProbeIsNoLogin(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		there := serve(t, listen(t, n, second), nil)
		started := time.Now()
		require.NoError(t, asks(n, first, second).Probe(t.Context()))
		assert.Zero(t, time.Since(started), "one answer is enough")
		assert.Zero(t, there.asked())
		assert.ErrorIs(t, asks(n, first).Probe(t.Context()), radius.ErrNoReply)
		assert.Error(t, (&radiusauth.Authenticator{}).Probe(t.Context()))
	})
}
