package deadline

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		begin := time.Now()
		for left := 3; left > 0; left-- {
			share, cancel := Share(ctx, left)
			<-share.Done()
			cancel()
			assert.Equal(t, time.Duration(4-left)*10*time.Second, time.Since(begin))
		}
	})
}

func TestShareWithoutDeadlineEndsWithItsParent(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	share, done := Share(parent, 2)
	defer done()
	assert.NoError(t, share.Err())
	cancel()
	assert.ErrorIs(t, share.Err(), context.Canceled)
}
