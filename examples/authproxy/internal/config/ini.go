package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	unicodetext "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
	"gopkg.in/ini.v1"
)

// maxSize bounds what is taken for a configuration file, in bytes.
const maxSize = 1 << 20

// rawSection is a section as it stands in the file.
type rawSection struct {
	name string // in lower case
	line int
	keys []rawKey
}

type rawKey struct {
	name  string // in lower case
	value string
	line  int
	times int // how often it is set in this section
}

var (
	header = regexp.MustCompile(`^\[\s*([^\[\]]*?)\s*\]\s*(?:[;#].*)?$`)
	pair   = regexp.MustCompile(`^([A-Za-z][\w.-]*)\s*[=:]\s*(.*)$`)
)

// parse splits a file into its sections. The problems have no File.
func parse(data []byte) ([]rawSection, Problems) {
	text, problems := decode(data)
	if problems != nil {
		return nil, problems
	}
	numbered, problems := number(text)
	file, err := ini.LoadSources(ini.LoadOptions{
		Insensitive:                true,
		IgnoreInlineComment:        true, // a password may hold ; and #
		IgnoreContinuation:         true, // and may end in a backslash
		PreserveSurroundedQuote:    true,
		AllowShadows:               true,
		AllowDuplicateShadowValues: true,
		AllowNonUniqueSections:     true,
	}, numbered)
	if err != nil {
		// Its errors quote the line, which may hold a secret.
		return nil, append(problems, Problem{Text: "not an INI file"})
	}
	var sections []rawSection
	for i, s := range file.Sections() {
		if i == 0 { // what stands before the first header
			for _, k := range s.Keys() {
				problems = append(problems, Problem{Line: lineOf(k.Comment), Key: k.Name(), Text: "this key stands before the first [section]"})
			}
			continue
		}
		section := rawSection{name: s.Name(), line: lineOf(s.Comment)}
		for _, k := range s.Keys() {
			section.keys = append(section.keys, rawKey{k.Name(), k.Value(), lineOf(k.Comment), len(k.ValueWithShadows())})
		}
		sections = append(sections, section)
	}
	return sections, problems
}

// decode returns the text of a file in UTF-8, or in UTF-16 with a byte order mark,
// as Windows' Notepad writes it.
func decode(data []byte) (string, Problems) {
	if len(data) > maxSize {
		return "", Problems{{Text: fmt.Sprintf("the file has more than %d bytes: this is no configuration file", maxSize)}}
	}
	text, _, err := transform.Bytes(unicodetext.BOMOverride(encoding.Nop.NewDecoder()), data)
	if err != nil {
		return "", Problems{{Text: "the text cannot be decoded: save the file as UTF-8"}}
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if !utf8.Valid(line) {
			return "", Problems{{Line: i + 1, Text: "this line is not UTF-8: save the file as UTF-8"}}
		}
	}
	return string(text), nil
}

// number returns the lines that matter, each under a comment with its number: the
// library hands the comment back with what stands below it. Lines that would
// make it stop are left out and told as problems.
func number(text string) ([]byte, Problems) {
	var out bytes.Buffer
	var problems Problems
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if h := header.FindStringSubmatch(line); h != nil && h[1] != "" && !hasControl(line) {
			line = "[" + h[1] + "]"
		} else if p := pair.FindStringSubmatch(line); p != nil && !hasControl(line) {
			line = p[1] + "=" + literal(p[2])
		} else {
			problems = append(problems, Problem{Line: i + 1, Text: "this line is neither a [section] nor name=value nor a comment, which begins with ; or #" + invisible(line)})
			continue
		}
		fmt.Fprintf(&out, "; %d\n%s\n", i+1, line)
	}
	return out.Bytes(), problems
}

// invisible is for lines that look right and are not.
func invisible(line string) string {
	for _, r := range line {
		if unicode.Is(unicode.Cf, r) || r == '\u00a0' {
			return fmt.Sprintf("; it contains an invisible character (U+%04X): type it anew", r)
		}
	}
	return ""
}

func hasControl(line string) bool {
	return strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && r != '\t' })
}

// literal keeps the library from taking a value's own quotes for its own.
func literal(value string) string {
	if strings.HasPrefix(value, "`") || strings.HasPrefix(value, `"""`) {
		return `"""` + value + `"""`
	}
	return value
}

func lineOf(comment string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(comment, "; "))
	return n
}
