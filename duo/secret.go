package duo

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a key, passcode or token. It prints as "[redacted]" with every verb
// of package fmt, in JSON and other text encodings, and in slog; string(s) gives
// the value. An empty Secret prints the same, so that a log does not tell whether
// one was set.
type Secret string

const redactedText = "[redacted]"

// Format implements fmt.Formatter, which fmt asks before anything else.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redactedText) }

// String implements fmt.Stringer for callers other than fmt.
func (Secret) String() string { return redactedText }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redactedText), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redactedText) }

// Format implements fmt.Formatter: where a struct holds a pointer to a Client,
// fmt would follow it without asking the fields how to print them.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "duo.Client(%s)", c.Host) }
