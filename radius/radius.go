package radius

import "layeh.com/radius"

// The packet types are those of layeh.com/radius under the same names, so that the
// attribute packages of that module (layeh.com/radius/rfc2865, .../vendors/...)
// work on them.
type (
	// Packet is a RADIUS packet: Code, Identifier, Authenticator, Attributes, and
	// the Secret that hides passwords in it. See layeh.com/radius.
	Packet = radius.Packet
	// Attributes is a list of attributes in order.
	Attributes = radius.Attributes
	// AVP is an attribute with its Type.
	AVP = radius.AVP
	// Attribute is the value of an attribute, as it stands on the wire.
	Attribute = radius.Attribute
	// Type is the number of an attribute, such as rfc2865.FilterID_Type.
	Type = radius.Type
	// Code is what kind of packet it is.
	Code = radius.Code
	// Request is what a Handler gets: a Packet, where it came from, and a context.
	Request = radius.Request
	// ResponseWriter takes a Handler's reply.
	ResponseWriter = radius.ResponseWriter
	// Handler answers requests.
	Handler = radius.Handler
	// HandlerFunc makes a Handler of a function.
	HandlerFunc = radius.HandlerFunc
)

// New returns a packet of the code, with the secret and a random Identifier and
// Authenticator: a request for an Exchanger. A reply is made by request.Response.
func New(code Code, secret Secret) *Packet { return radius.New(code, []byte(secret)) }

// The packet codes of a login (RFC 2865 section 3, RFC 5997 for the last).
const (
	CodeAccessRequest   = radius.CodeAccessRequest
	CodeAccessAccept    = radius.CodeAccessAccept
	CodeAccessReject    = radius.CodeAccessReject
	CodeAccessChallenge = radius.CodeAccessChallenge
	CodeStatusServer    = radius.CodeStatusServer
)
