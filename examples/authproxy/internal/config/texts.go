package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/radmfa/radmfa/prompt"
)

// parseTexts reads a file of texts, a line "id = text" for each. A text in double
// quotes keeps the blanks around it, and may have \n for a line break.
func parseTexts(content []byte) (prompt.Texts, error) {
	if !utf8.Valid(content) {
		return nil, errors.New("it is not UTF-8")
	}
	texts := prompt.Texts{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(content), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		id, text, found := strings.Cut(line, "=")
		id, text = strings.TrimSpace(id), strings.TrimSpace(text)
		if !found {
			return nil, fmt.Errorf("line %d is not of the form id = text", number)
		}
		if strings.HasPrefix(text, `"`) {
			unquoted, err := strconv.Unquote(text)
			if err != nil {
				return nil, fmt.Errorf("line %d: the text begins with a double quote and does not end with one, or has one within; write \\\" there", number)
			}
			text = unquoted
		}
		if _, twice := texts[id]; twice {
			return nil, fmt.Errorf("line %d: %s is there already", number, id)
		}
		if err := (prompt.Texts{id: text}).Validate(); err != nil {
			return nil, fmt.Errorf("line %d: %s", number, strings.TrimPrefix(err.Error(), "prompt: "))
		}
		texts[id] = text
	}
	return texts, nil
}

func checkTexts(_ string, content []byte) error { _, err := parseTexts(content); return err }

// Texts returns the texts of the section's texts_file, or none.
func (s *Section) Texts() prompt.Texts {
	texts, _ := parseTexts(s.values["texts_file"].content)
	return texts
}
