// Package names says when a user name is acceptable, and when two are the same.
package names

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fold returns the name in lower case. Letters that merely look or fold alike,
// such as the Kelvin sign and k, stay different.
func Fold(s string) string { return strings.Map(fold, s) }

func fold(r rune) rune {
	if lower := unicode.ToLower(r); unicode.ToUpper(lower) == r {
		return lower
	}
	return r
}

// Equal reports whether two names differ in nothing but the case of letters.
func Equal(a, b string) bool { return a == b || Fold(a) == Fold(b) }

// Check says why a name is refused, or returns nil.
func Check(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > 253:
		return errors.New("it is longer than 253 bytes")
	case !utf8.ValidString(s):
		return errors.New("it is not UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("it contains control characters")
	}
	return nil
}
