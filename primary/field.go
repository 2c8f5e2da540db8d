package primary

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// FieldErrorf returns an error that tells what to set. Its format names fields,
// and values for them, in braces, which the text does not show: "set {Transport}
// to {StartTLS}". [InWords] gives the text in the words of those who know the
// fields by other names. Otherwise it is fmt.Errorf, %w included.
func FieldErrorf(format string, args ...any) error {
	return &fieldError{fmt.Errorf(inBraces.ReplaceAllString(format, "$1"), args...), format, args}
}

// InWords returns the text of err for operators who do not set fields but, say,
// keys of a configuration file: words returns what they call a field or a value
// that an error of [FieldErrorf] anywhere in err names. "" leaves out a field that
// stands in round brackets of its own, and else the field's name stays.
func InWords(err error, words func(field string) string) string {
	text := err.Error()
	found := fieldErrors(err)
	// The text of one that is wrapped by another is within the other's.
	slices.SortStableFunc(found, func(a, b *fieldError) int { return len(b.Error()) - len(a.Error()) })
	for _, f := range found {
		text = strings.ReplaceAll(text, f.Error(), f.in(words))
	}
	return text
}

// fieldError keeps what its text was made of.
type fieldError struct {
	error

	format string
	args   []any
}

func (e *fieldError) Unwrap() error { return e.error }

var (
	inBraces      = regexp.MustCompile(`\{([^{}]+)\}`)
	inParentheses = regexp.MustCompile(` \(\{([^{}]+)\}\)`)
)

// in is the text in other words. Only the format is searched for fields: what the
// args hold comes from elsewhere.
func (e *fieldError) in(words func(string) string) string {
	format := inParentheses.ReplaceAllStringFunc(e.format, func(s string) string {
		if words(strings.Trim(s, " ({})")) == "" {
			return ""
		}
		return s
	})
	format = inBraces.ReplaceAllStringFunc(format, func(s string) string {
		field := strings.Trim(s, "{}")
		if word := words(field); word != "" {
			return strings.ReplaceAll(word, "%", "%%")
		}
		return field
	})
	return fmt.Errorf(format, e.args...).Error() //nolint:err113 // the format is the caller's
}

// fieldErrors returns those in the tree of err.
func fieldErrors(err error) (found []*fieldError) {
	switch e := err.(type) { //nolint:errorlint // the tree is walked here
	case nil:
	case *fieldError:
		found = append(fieldErrors(e.error), e)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			found = append(found, fieldErrors(inner)...)
		}
	default:
		found = fieldErrors(errors.Unwrap(err))
	}
	return found
}
