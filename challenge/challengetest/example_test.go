package challengetest_test

import (
	"testing"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/challenge/challengetest"
)

// The contract of challenge.Store as a test of your own store.
func ExampleTestStore() {
	_ = func(t *testing.T) { // in your package: func TestContract(t *testing.T)
		challengetest.TestStore(t, func(*testing.T) challenge.Store { return &challenge.MemoryStore{} })
	}
	// Output:
}
