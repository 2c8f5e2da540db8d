// Package names says which user names are acceptable, and when two are the same.
package names

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/radmfa/radmfa/internal/clean"
)

// maxLength is what a User-Name can hold in bytes (RFC 2865 section 5).
const maxLength = 253

// Check says why a name is refused, or returns nil. A name that is shown otherwise
// than it is written could be taken for another.
func Check(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > maxLength:
		return errors.New("it is longer than 253 bytes")
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8")
	case clean.Line(s) != s:
		return errors.New("it contains control characters or bidirectional controls")
	}
	return nil
}

// Equal reports whether two names differ in nothing but the case of letters, as
// directories compare them.
func Equal(a, b string) bool { return a == b || Fold(a) == Fold(b) }

// Fold returns a name with its letters in lower case. Only letters that are the
// upper and the lower case of each other are folded: those that merely fold
// alike, such as the Kelvin sign and k, stay different.
func Fold(s string) string {
	return strings.Map(func(r rune) rune {
		if lower := unicode.ToLower(r); unicode.ToUpper(lower) == r {
			return lower
		}
		return r
	}, s)
}
