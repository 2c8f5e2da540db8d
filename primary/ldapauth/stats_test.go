package ldapauth

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

func TestStatsTellOfConnectionsAndFailOver(t *testing.T) {
	inBubble(t, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
		assert.Equal(t, []HostStats{{Host: "a:389"}, {Host: "b:389"}}, auth.Stats())
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Equal(t, HostStats{Host: "a:389", Idle: 2}, auth.Stats()[0], "one searches, one binds")
		a.Hung.Store(true)
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Equal(t, []HostStats{{Host: "a:389", Failures: 1, Down: true}, {Host: "b:389", Idle: 2}}, auth.Stats())
		assert.Nil(t, (&Authenticator{}).Stats())
	})
}
