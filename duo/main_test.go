package duo_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Some tests run the test binary again as another process.
func TestMain(m *testing.M) {
	switch os.Getenv("DUO_TEST_PROCESS") {
	case "phones":
		servePhones()
	case "check":
		checkThroughProxy()
	default:
		goleak.VerifyTestMain(m)
	}
}
