package radius

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if servedBenchmark() {
		return
	}
	goleak.VerifyTestMain(m)
}
