package primary_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/primary"
)

// keys are the words of a configuration file.
func keys(field string) string {
	return map[string]string{"Transport": "transport", "StartTLS": "starttls", "ServiceUser": "user (100%)"}[field]
}

func TestFieldErrorsSpeakTheWordsOfWhoReads(t *testing.T) {
	hint := primary.FieldErrorf("set {Transport} to {StartTLS} or {LDAPS}")
	busy := primary.FieldErrorf("all %d connections ({MaxConns}) of %q are busy: %w", 4, "{ServiceUser} %d", io.EOF)
	bound := primary.FieldErrorf("check {ServiceUser} (%v)", hint)
	all := errors.Join(fmt.Errorf("ldapauth: dc1: %w", hint), fmt.Errorf("%w, and %w", busy, bound))

	assert.EqualError(t, hint, "set Transport to StartTLS or LDAPS")
	assert.EqualError(t, busy, `all 4 connections (MaxConns) of "{ServiceUser} %d" are busy: EOF`)
	assert.ErrorIs(t, all, io.EOF)
	assert.Equal(t, "ldapauth: dc1: set transport to starttls or LDAPS\n"+
		`all 4 connections of "{ServiceUser} %d" are busy: EOF, and check user (100%) (set transport to starttls or LDAPS)`,
		primary.InWords(all, keys))
	assert.Equal(t, "EOF", primary.InWords(io.EOF, keys))
}

func ExampleInWords() {
	err := fmt.Errorf("dc1.example.com: %w", primary.FieldErrorf("set {Transport} to {StartTLS}"))
	fmt.Println(err)
	fmt.Println(primary.InWords(err, func(field string) string {
		return map[string]string{"Transport": "transport= in line 12", "StartTLS": "starttls"}[field]
	}))
	// Output:
	// dc1.example.com: set Transport to StartTLS
	// dc1.example.com: set transport= in line 12 to starttls
}
