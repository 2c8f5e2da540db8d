package duo_test

import (
	"errors"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/duo"
)

// unavailable reports whether an error says that the service cannot be reached.
func unavailable(err error) bool {
	var e *duo.Error
	return errors.As(err, &e) && e.Unavailable()
}

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
