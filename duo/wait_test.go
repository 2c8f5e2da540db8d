package duo_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

const statusPath = "/auth/v2/auth_status"

// begin starts a push that is answered so.
func begin(t *testing.T, a duotest.Answer) (*duotest.Service, *duo.Client, string) {
	svc := service("jdoe", phone(a))
	client := svc.Client()
	txid, err := client.AuthAsync(t.Context(), push)
	require.NoError(t, err)
	return svc, client, txid
}

func TestWaitPollsAgainWhenNothingIsNew(t *testing.T) {
	for _, window := range []time.Duration{0, 20 * time.Second, 5 * time.Second, time.Second, time.Millisecond} {
		t.Run(window.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, client, txid := begin(t, duotest.After(55*time.Second, duotest.Approve))
				svc.LongPoll = window
				start := time.Now()
				r, err := client.Wait(t.Context(), txid, nil)
				require.NoError(t, err)
				assert.True(t, r.Allowed())
				assert.WithinDuration(t, start.Add(55*time.Second), time.Now(), time.Second)
				assert.LessOrEqual(t, svc.Count(statusPath), 60, "at most one a second")
			})
		})
	}
}

func TestWaitBearsShortOutages(t *testing.T) {
	for name, fault := range map[string]duotest.Fault{
		"server error": {Status: 502},
		"reset":        {Reset: true, Times: 6}, // two polls, each tried three times
		"cut off":      {Truncate: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, client, txid := begin(t, duotest.Approve)
				svc.Break(statusPath, fault)
				r, err := client.Wait(t.Context(), txid, nil)
				require.NoError(t, err)
				assert.True(t, r.Allowed())
			})
		})
	}
}

func TestWaitDoesNotBearLongOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, client, txid := begin(t, duotest.Approve)
		svc.Break(statusPath, duotest.Fault{Status: 502, Times: -1})
		_, err := client.Wait(t.Context(), txid, nil)
		require.Error(t, err)
		assert.True(t, unavailable(err))
		assert.Equal(t, 3, svc.Count(statusPath))
	})
}

func TestWaitGivesUpOnARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc, client, txid := begin(t, duotest.Approve)
		svc.Break(statusPath, duotest.Fault{Code: 40103})
		_, err := client.Wait(t.Context(), txid, nil)
		require.Error(t, err)
		assert.False(t, unavailable(err))
		assert.Equal(t, 1, svc.Count(statusPath))
	})
}

func TestWaitEnds(t *testing.T) {
	for name, fault := range map[string]duotest.Fault{
		"nothing new": {Code: 40002, Times: -1},
		"waiting":     {Body: `{"stat":"OK","response":{"result":"waiting","status":"pushed","status_msg":"?"}}`, Times: -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, client, txid := begin(t, duotest.Approve)
				svc.Break(statusPath, fault)
				start := time.Now()
				_, err := client.Wait(t.Context(), txid, nil)
				require.ErrorContains(t, err, "does not end")
				assert.False(t, unavailable(err))
				assert.Equal(t, 80, svc.Count(statusPath))
				assert.Greater(t, time.Since(start), time.Minute, "a push lasts as long")
			})
		})
	}
}

func TestWaitStopsWithItsContext(t *testing.T) {
	for name, window := range map[string]time.Duration{"in a poll": 0, "between polls": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc, client, txid := begin(t, duotest.Ignore)
				svc.LongPoll = window
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(2500*time.Millisecond, cancel)
				start := time.Now()
				_, err := client.Wait(ctx, txid, nil)
				require.ErrorIs(t, err, context.Canceled)
				assert.False(t, unavailable(err))
				assert.Equal(t, 2500*time.Millisecond, time.Since(start))
				polls := svc.Count(statusPath)
				time.Sleep(time.Minute)
				assert.Equal(t, polls, svc.Count(statusPath))
			})
		})
	}
}
