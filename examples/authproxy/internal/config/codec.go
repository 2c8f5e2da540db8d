package config

import (
	"errors"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

// parseCodec returns the character set of a name, nil for UTF-8. The names are
// those of the IANA, and as Python spells them: latin_1, cp1252.
func parseCodec(name string) (encoding.Encoding, error) {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch name {
	case "utf-8", "utf8", "ascii", "us-ascii":
		return nil, nil // ASCII is a part of UTF-8
	case "latin-1", "iso8859-1":
		name = "latin1"
	}
	if page, found := strings.CutPrefix(name, "cp125"); found {
		name = "windows-125" + page
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err == nil && e == nil {
		err = errors.New("not supported")
	}
	return e, err
}
