package radius

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"layeh.com/radius"
)

const (
	headerLength = 20 // Code, Identifier, Length, Authenticator: RFC 2865 section 3

	typeProxyState           = 33
	typeEAPMessage           = 79
	typeMessageAuthenticator = 80

	// maxProxyStates is how many bytes of Proxy-State a request may have: the
	// reply holds them and a Message-Authenticator.
	maxProxyStates = radius.MaxPacketLength - headerLength - 2 - macLength
)

// wire is a packet as it stands in a datagram, with what the transport must
// know of it before it spends anything on it.
type wire struct {
	bytes       []byte // without the padding after Length
	attrs       int    // how many attributes there are
	macAt       int    // where the value of the Message-Authenticator begins; 0: there is none
	eap         bool   // there is an EAP-Message
	proxyStates int    // how many bytes the Proxy-States take
}

var errMalformed = errors.New("radius: malformed packet")

// scan checks the structure of a datagram without allocating. A packet that
// passes can be parsed.
func scan(datagram []byte) (wire, error) {
	if len(datagram) < headerLength {
		return wire{}, errMalformed
	}
	length := int(binary.BigEndian.Uint16(datagram[2:4]))
	if length < headerLength || length > radius.MaxPacketLength || length > len(datagram) {
		return wire{}, errMalformed
	}
	w := wire{bytes: datagram[:length]}
	for at := headerLength; at < length; w.attrs++ {
		if length-at < 2 {
			return wire{}, errMalformed
		}
		size := int(w.bytes[at+1])
		if size < 2 || at+size > length {
			return wire{}, errMalformed
		}
		switch w.bytes[at] {
		case typeMessageAuthenticator:
			if size != 2+macLength || w.macAt != 0 {
				return wire{}, errMalformed
			}
			w.macAt = at + 2
		case typeEAPMessage:
			w.eap = true
		case typeProxyState:
			w.proxyStates += size
		}
		at += size
	}
	return w, nil
}

func (w wire) authenticator() [16]byte { return [16]byte(w.bytes[4:headerLength]) }

// clone returns a copy that does not share the buffer of the datagram.
func (w wire) clone() wire {
	w.bytes = bytes.Clone(w.bytes)
	return w
}

// room is for the attributes of a packet. All but some packets fit.
type room struct {
	avps [12]AVP
	list [12]*AVP
}

// parse fills in p, whose attributes are parts of w. Layeh's Parse would allocate
// twice for each attribute.
func (w wire) parse(p *Packet, secret []byte, r *room) {
	p.Code = Code(w.bytes[0])
	p.Identifier = w.bytes[1]
	p.Authenticator = w.authenticator()
	p.Secret = secret
	avps := slices.Grow(r.avps[:0], w.attrs)[:w.attrs]
	p.Attributes = slices.Grow(Attributes(r.list[:0]), w.attrs)[:w.attrs]
	rest := w.bytes[headerLength:]
	for i := range avps {
		size := int(rest[1])
		avps[i] = AVP{Type: Type(rest[0]), Attribute: rest[2:size:size]}
		p.Attributes[i] = &avps[i]
		rest = rest[size:]
	}
}

// appendProxyStates appends the Proxy-State attributes of w in order.
func (w wire) appendProxyStates(b []byte) []byte {
	if w.proxyStates == 0 {
		return b
	}
	for rest := w.bytes[headerLength:]; len(rest) > 0; rest = rest[rest[1]:] {
		if rest[0] == typeProxyState {
			b = append(b, rest[:rest[1]]...)
		}
	}
	return b
}

// ErrTooLong is the error of a packet that would have more than the 4,096 bytes
// of RFC 2865 section 3.
var ErrTooLong = errors.New("radius: packet longer than 4096 bytes")

// own reports whether the transport sets attributes of this type itself.
func own(t Type) bool { return t == typeMessageAuthenticator || t == typeProxyState }

// encode appends the wire form of p to b, which is empty: a
// Message-Authenticator first, which is to be computed, then p's attributes but
// for those that are the transport's own, then the Proxy-States of the request
// that it answers, if any.
func encode(b []byte, p *Packet, identifier byte, authenticator [16]byte, request wire) ([]byte, error) {
	b = append(b, byte(p.Code), identifier, 0, 0)
	b = append(b, authenticator[:]...)
	b = append(b, typeMessageAuthenticator, 2+macLength)
	b = append(b, zeros[:]...)
	if err := fits(p, request.proxyStates); err != nil {
		return b, err
	}
	for _, a := range p.Attributes {
		if !own(a.Type) {
			b = append(b, byte(a.Type), byte(2+len(a.Attribute)))
			b = append(b, a.Attribute...)
		}
	}
	b = request.appendProxyStates(b)
	binary.BigEndian.PutUint16(b[2:4], uint16(len(b)))
	return b, nil
}

// macAt is where encode leaves room for the Message-Authenticator.
const macAt = headerLength + 2

// request returns the signed wire form of p.
func (h *hasher) request(p *Packet, k *key) ([]byte, error) {
	b, err := encode(nil, p, p.Identifier, p.Authenticator, wire{})
	if err != nil {
		return nil, err
	}
	copy(b[macAt:], h.messageAuthenticator(k, b, p.Authenticator, macAt))
	return b, nil
}

// reply returns the signed wire form of p as the answer to request. It is good
// until the next call.
func (h *hasher) reply(p *Packet, k *key, request wire) (b []byte, err error) {
	switch p.Code {
	case CodeAccessAccept, CodeAccessReject, CodeAccessChallenge:
	default:
		return nil, fmt.Errorf("radius: %s is no answer to an Access-Request", p.Code)
	}
	authenticator := request.authenticator()
	h.out, err = encode(h.out[:0], p, request.bytes[1], authenticator, request)
	if err != nil {
		return nil, err
	}
	copy(h.out[macAt:], h.messageAuthenticator(k, h.out, authenticator, macAt))
	copy(h.out[4:], h.responseAuthenticator(k, h.out, authenticator))
	return h.out, nil
}
