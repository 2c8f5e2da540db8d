package radius

import (
	"layeh.com/radius"

	"github.com/radmfa/radmfa/internal/redact"
)

// These are the packet types of layeh.com/radius under their own names, so that
// a program needs to import one package called radius, and so that the
// generated attribute packages (layeh.com/radius/rfc2865, layeh.com/radius/vendors/...)
// work on them.
type (
	Packet         = radius.Packet
	Attributes     = radius.Attributes
	Attribute      = radius.Attribute
	AVP            = radius.AVP
	Type           = radius.Type
	Code           = radius.Code
	Request        = radius.Request
	ResponseWriter = radius.ResponseWriter
	Handler        = radius.Handler
	HandlerFunc    = radius.HandlerFunc
)

// The packet codes of a login (RFC 2865 section 3, RFC 5997 for the last).
const (
	CodeAccessRequest   = radius.CodeAccessRequest
	CodeAccessAccept    = radius.CodeAccessAccept
	CodeAccessReject    = radius.CodeAccessReject
	CodeAccessChallenge = radius.CodeAccessChallenge
	CodeStatusServer    = radius.CodeStatusServer
)

// Secret is a shared secret (or any other secret text of this module): a string
// that fmt, encoding/json and log/slog print as "[redacted]".
type Secret = redact.Secret
