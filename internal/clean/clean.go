// Package clean makes text from outside (user names, device names, messages of
// a service) fit for a reply or a log: nothing in it moves a cursor, forges a
// line or hides what is written.
package clean

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s without control characters (C0, DEL, C1) and without the
// bidirectional controls that show text in another order than it is written.
// Line feeds stay; CR LF, CR and the Unicode line separators become line feeds,
// and tabs become blanks. Invalid UTF-8 becomes U+FFFD, one for every byte.
func Text(s string) string {
	if isClean(s) {
		return s
	}
	return strings.Map(text, strings.ReplaceAll(s, "\r\n", "\n"))
}

// Line is Text for what must be one line: line feeds become blanks.
func Line(s string) string {
	return strings.ReplaceAll(Text(s), "\n", " ")
}

// isClean finds the usual case, printable ASCII, without a copy.
func isClean(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '\n' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}

// text is for strings.Map: a negative rune is left out.
func text(r rune) rune {
	switch r {
	case '\n', '\r', '\u2028', '\u2029':
		return '\n'
	case '\t':
		return ' '
	case utf8.RuneError:
		return utf8.RuneError
	}
	if unicode.IsControl(r) || reorders(r) {
		return -1
	}
	return r
}

// reorders reports whether r is an embedding, override or isolate (Unicode
// Standard Annex #9). The marks LRM, RLM and ALM are part of ordinary text.
func reorders(r rune) bool {
	return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}
