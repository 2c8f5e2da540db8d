package names_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/internal/names"
)

func TestEqual(t *testing.T) {
	for _, pair := range [][2]string{
		{"jdoe", "JDoe"}, {"zoë", "ZOË"}, {"юрий", "ЮРИЙ"}, {"straße", "straße"}, {"", ""},
	} {
		assert.True(t, names.Equal(pair[0], pair[1]), pair)
		assert.Equal(t, names.Fold(pair[0]), names.Fold(pair[1]))
	}
	for _, pair := range [][2]string{
		{"kim", "\u212aim"},         // Kelvin sign
		{"sam", "\u017fam"},         // long s
		{"ivan", "\u0131van"},       // dotless i
		{"ivan", "\u0130van"},       // dotted I
		{"\u00b5", "\u03bc"},        // micro sign and mu
		{"\u03c3", "\u03c2"},        // sigma and final sigma
		{"straße", "STRASSE"},       // another length
		{"jose", "jos\u00e9"},       // an accent
		{"jos\u00e9", "jose\u0301"}, // another form of it
		{"jdoe", "jdoe "},
	} {
		assert.False(t, names.Equal(pair[0], pair[1]), pair)
	}
}

func TestCheck(t *testing.T) {
	for _, name := range []string{"jdoe", `EXAMPLE\jdoe`, "jdoe@example.com", "Zoë Müller", "电话", strings.Repeat("x", 253)} {
		assert.NoError(t, names.Check(name), name)
	}
	for name, why := range map[string]string{
		"": "empty", strings.Repeat("x", 254): "253 bytes", "j\xff": "UTF-8",
		"jdoe\x00": "control", "j\ndoe": "control", "j\tdoe": "control", "j\u0085": "control", "j\u2028": "control",
		"\u202eeodj": "bidirectional", "\u2066jdoe\u2069": "bidirectional",
	} {
		assert.ErrorContains(t, names.Check(name), why, "%q", name)
	}
}
