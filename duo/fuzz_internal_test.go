package duo

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// FuzzRetryAfter reads arbitrary headers. A pause is never negative.
func FuzzRetryAfter(f *testing.F) {
	f.Add("3", "")
	f.Add("-3", "")
	f.Add("4294967295", "")
	f.Add("Sat, 01 Jan 2000 01:00:05 GMT", "Sat, 01 Jan 2000 01:00:00 GMT")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Fuzz(func(t *testing.T, after, date string) {
		h := http.Header{"X-Retry-After": {after}, "Date": {date}}
		assert.GreaterOrEqual(t, retryAfter(h), time.Duration(0))
	})
}
