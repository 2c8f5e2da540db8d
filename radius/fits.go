package radius

import (
	"fmt"

	"layeh.com/radius"
)

// Fits reports whether p can be sent as the reply to request: nil, ErrTooLong, or
// what is wrong with an attribute. The ResponseWriter of a Server says the same,
// but only when the reply is about to be sent.
func Fits(p, request *Packet) error {
	b, err := encode(nil, p, 0, p.Authenticator, wire{})
	size := len(b)
	for _, a := range request.Attributes {
		if a.Type == typeProxyState {
			size += 2 + len(a.Attribute)
		}
	}
	if err == nil && size > radius.MaxPacketLength {
		err = fmt.Errorf("%w: %d bytes", ErrTooLong, size)
	}
	return err
}
