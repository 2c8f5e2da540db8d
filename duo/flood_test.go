package duo_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// More calls at once than this machine can make in time: whatever becomes of
// them, the service, which answers at once, is never taken to be out of reach.
func TestAFloodIsNoOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	_, client := serve(t, service("jdoe", &duotest.User{}), nil)
	var good, wanting, unreachable atomic.Int64
	var wg sync.WaitGroup
	for range 5_000 {
		wg.Go(func() {
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			switch {
			case err == nil:
				good.Add(1)
			case unavailable(err):
				if unreachable.Add(1) == 1 {
					t.Log(err)
				}
			default:
				wanting.Add(1)
			}
		})
	}
	wg.Wait()
	t.Logf("%d answered, %d wanted time here, %d unavailable", good.Load(), wanting.Load(), unreachable.Load())
	assert.Zero(t, unreachable.Load())
	_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	assert.NoError(t, err, "it goes on afterwards")
}
