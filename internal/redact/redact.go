// Package redact holds the type for values that must never be printed.
package redact

import (
	"fmt"
	"io"
	"log/slog"
)

// Text stands wherever a secret would have been printed.
const Text = "[redacted]"

// Secret is a password, key or shared secret. It prints as "[redacted]" with
// every verb of package fmt, in JSON and other text encodings, and in slog;
// string(s) and []byte(s) give the value. An empty Secret prints the same, so
// that a log does not tell whether one was set.
type Secret string

// Format implements fmt.Formatter, which fmt asks before anything else.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Text) }

// String implements fmt.Stringer for callers other than fmt.
func (Secret) String() string { return Text }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses too.
func (Secret) MarshalText() ([]byte, error) { return []byte(Text), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(Text) }
