package freeradiustest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerAnswersAndComesBackOnTheSamePort(t *testing.T) {
	s := freeradiustest.Start(t, freeradiustest.Config{})
	nas := radiustest.NAS{Server: s.Addr, Secret: s.Secret}
	for range 2 {
		reply, err := nas.Login(t.Context(), "jdoe", "jdoe-pw")
		require.NoError(t, err, s.Log())
		assert.True(t, reply.Accepted(), reply)
		reply, err = nas.Login(t.Context(), "bob", "bob-pw")
		require.NoError(t, err, s.Log())
		assert.Equal(t, "Access-Reject: bob is not allowed", reply.String())
		reply, err = nas.Login(t.Context(), "chal", "x", freeradiustest.ChallengeAnswer)
		require.NoError(t, err, s.Log())
		assert.True(t, reply.Accepted(), reply)
		s.Restart()
	}
	s.Stop()
	s.Stop()
}

func TestUnsignedServerLeavesMessageAuthenticatorOut(t *testing.T) {
	s := freeradiustest.Start(t, freeradiustest.Config{Unsigned: true, Secret: "another"})
	nas := radiustest.NAS{Server: s.Addr, Secret: "another", Exchanger: radius.Exchanger{UnsignedReplies: true}}
	reply, err := nas.Login(t.Context(), "jdoe", "jdoe-pw")
	require.NoError(t, err, s.Log())
	if reply.Get(rfc2869.MessageAuthenticator_Type) != nil {
		t.Skip("this FreeRADIUS signs by itself")
	}
}
