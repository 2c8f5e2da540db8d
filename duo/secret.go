package duo

import (
	"fmt"

	"github.com/radmfa/radmfa/internal/redact"
)

// Secret is a key, passcode or token. It prints as "[redacted]" with every verb
// of package fmt, in JSON and in slog; string(s) gives the value.
type Secret = redact.Secret

// Format implements fmt.Formatter: where a struct holds a pointer to a Client,
// fmt would follow it without asking the fields how to print them.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "duo.Client(%s)", c.Host) }
