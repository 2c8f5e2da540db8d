package radmfa

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func deadlineOf(parent context.Context, after time.Duration) *deadline {
	d := &deadline{}
	d.set(parent, after)
	return d
}

func TestADeadlineIsAContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		parent, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		defer cancel()
		for _, waits := range []bool{false, true} {
			d := deadlineOf(parent, time.Minute)
			child, release := context.Context(d), context.CancelFunc(func() {})
			if waits {
				child, release = context.WithCancel(d)
			}
			assert.Equal(t, "value", child.Value(key{}))
			assert.NoError(t, d.Err())
			time.Sleep(time.Minute)
			synctest.Wait()
			assert.ErrorIs(t, d.Err(), context.DeadlineExceeded)
			assert.ErrorIs(t, child.Err(), context.DeadlineExceeded)
			<-d.Done()
			assert.ErrorIs(t, d.Err(), context.DeadlineExceeded)
			release()
			d.end()
		}
		d := deadlineOf(deadlineOf(parent, time.Second), time.Minute)
		at, ok := d.Deadline()
		assert.True(t, ok)
		assert.Equal(t, time.Second, time.Until(at), "the parent's, when that is earlier")
		cancel()
		assert.ErrorIs(t, d.Err(), context.Canceled)
		<-d.Done()
	})
}

func TestADeadlineEnds(t *testing.T) {
	before, after := deadlineOf(t.Context(), time.Hour), deadlineOf(t.Context(), time.Hour)
	done := before.Done()
	before.end()
	after.end()
	<-done
	assert.ErrorIs(t, before.Err(), context.Canceled)
	assert.ErrorIs(t, after.Err(), context.Canceled)
	<-after.Done()
	assert.ErrorIs(t, after.Err(), context.Canceled)
}
