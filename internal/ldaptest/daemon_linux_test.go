package ldaptest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
)

// told notes how a test ended.
type told struct {
	testing.TB
	end string
}

func (*told) Helper()        {}
func (t *told) Skip(...any)  { t.end = "skipped" }
func (t *told) Fatal(...any) { t.end = "failed" }

func TestAbsentDaemonSkipsUnlessRequired(t *testing.T) {
	_, absent := program("radmfa-no-such-daemon", "nothing")
	for _, test := range []struct {
		err      error
		required string
		want     string
	}{
		{nil, "", ""}, {absent, "", "skipped"}, {absent, "require", "failed"},
		{errors.New("broken"), "", "failed"},
	} {
		t.Setenv("RADMFA_CONFORMANCE", test.required)
		got := &told{TB: t}
		Need(got, test.err)
		assert.Equal(t, test.want, got.end)
	}
}
