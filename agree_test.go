package radmfa_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestTwoNodesCountPushesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, _ := twoNodes(t)
		one.server.Limits, two.server.Limits = radmfa.Limits{PerMinute: 2}, radmfa.Limits{PerMinute: 2}
		one.start()
		two.start()
		assert.True(t, one.login("jdoe", password, "push").Accepted())
		assert.True(t, two.login("jdoe", password, "push").Accepted())
		assert.False(t, one.login("jdoe", password, "push").Accepted())
		assert.False(t, two.login("jdoe", password, "push").Accepted())
		assert.Equal(t, 2, one.service.Count(pathAuth))
		time.Sleep(time.Minute)
		assert.True(t, two.login("jdoe", password, "push").Accepted())
	})
}

// The node that took a push over gives its place back.
func TestAPushThatWasTakenOverEndsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, p := twoNodes(t)
		one.server.Limits, two.server.Limits = radmfa.Limits{Outstanding: 1}, radmfa.Limits{Outstanding: 1}
		one.answers(duotest.After(15*time.Second, duotest.Approve))
		one.start()
		two.start()
		asked := two.login("jdoe", password)
		time.AfterFunc(5*time.Second, p.pull)
		require.Nil(t, asks(t, one, p, asked, "push"))
		assert.False(t, two.login("jdoe", password, "push").Accepted(), "the first still waits")
		reply, err := two.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.True(t, two.login("jdoe", password, "push").Accepted())
		assert.Equal(t, 2, one.service.Count(pathAuth))
	})
}

func TestTwoNodesCountWrongPasscodesTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, _ := twoNodes(t)
		one.server.Limits, two.server.Limits = radmfa.Limits{WrongPasscodes: 2}, radmfa.Limits{WrongPasscodes: 2}
		one.start()
		two.start()
		assert.False(t, one.login("jdoe", password, "111111").Accepted())
		assert.False(t, two.login("jdoe", password, "222222").Accepted())
		assert.Equal(t, 2, one.service.Count(pathAuth))
		assert.False(t, one.login("jdoe", password, "333333").Accepted())
		assert.False(t, two.login("jdoe", password, "333333").Accepted())
		assert.Equal(t, 2, one.service.Count(pathAuth), "the service was not asked again")
	})
}
