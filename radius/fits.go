package radius

import (
	"fmt"

	"layeh.com/radius"
)

// Fits reports whether p can be sent as the reply to request: nil, ErrTooLong, or
// what is wrong with an attribute. The ResponseWriter of a Server says the same,
// but only when the reply is about to be sent.
func Fits(p, request *Packet) error {
	proxyStates := 0
	for _, a := range request.Attributes {
		if a.Type == typeProxyState {
			proxyStates += 2 + len(a.Attribute)
		}
	}
	return fits(p, proxyStates)
}

// fits reports whether p can be encoded with so many bytes of Proxy-States.
func fits(p *Packet, proxyStates int) error {
	size := headerLength + 2 + macLength + proxyStates
	for _, a := range p.Attributes {
		if own(a.Type) {
			continue
		}
		if a.Type < 1 || a.Type > 255 || len(a.Attribute) > 253 {
			return fmt.Errorf("radius: attribute %d of %d bytes cannot be sent: types are 1 to 255, values have at most 253 bytes",
				a.Type, len(a.Attribute))
		}
		size += 2 + len(a.Attribute)
	}
	if size > radius.MaxPacketLength {
		return fmt.Errorf("%w: %d bytes", ErrTooLong, size)
	}
	return nil
}
