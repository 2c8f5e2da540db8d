package radius

import (
	"crypto/md5"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"sync"

	"layeh.com/radius"
)

const (
	headerLength = 20 // Code, Identifier, Length, Authenticator: RFC 2865 section 3
	macLength    = 16 // of a Message-Authenticator, RFC 3579 section 3.2

	typeProxyState           = 33
	typeEAPMessage           = 79
	typeMessageAuthenticator = 80
)

// wire is a packet as it stands in a datagram, with what the transport must
// know of it before it spends anything on it.
type wire struct {
	bytes []byte // without the padding after Length
	macAt int    // where the value of the Message-Authenticator begins; 0: there is none
	eap   bool
	attrs int // how many attributes there are
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
		}
		at += size
	}
	return w, nil
}

// parse fills in p, whose attributes share w's bytes. Layeh's Parse would
// allocate twice for each attribute.
func (w wire) parse(p *Packet, secret Secret) {
	p.Code = Code(w.bytes[0])
	p.Identifier = w.bytes[1]
	p.Authenticator = w.authenticator()
	p.Secret = []byte(secret)
	slab := make([]AVP, w.attrs)
	p.Attributes = make(Attributes, w.attrs)
	rest := w.bytes[headerLength:]
	for i := range slab {
		size := int(rest[1])
		slab[i] = AVP{Type: Type(rest[0]), Attribute: rest[2:size:size]}
		p.Attributes[i] = &slab[i]
		rest = rest[size:]
	}
}

func (w wire) authenticator() [16]byte { return [16]byte(w.bytes[4:headerLength]) }

// hasher computes the keyed hashes of RADIUS without allocating.
type hasher struct {
	md5 hash.Hash
	pad [md5.BlockSize]byte
	sum [md5.Size]byte
	key []byte
}

var hashers = sync.Pool{New: func() any { return &hasher{md5: md5.New()} }}

var zeros [macLength]byte

// messageAuthenticator returns the HMAC-MD5 (RFC 2104) of packet, with the
// Message-Authenticator at macAt taken as zeros and the Authenticator as given.
// The result is good until the next call.
func (h *hasher) messageAuthenticator(secret Secret, packet []byte, authenticator [16]byte, macAt int) []byte {
	h.key = append(h.key[:0], secret...)
	if len(h.key) > md5.BlockSize {
		h.md5.Reset()
		h.md5.Write(h.key)
		h.key = h.md5.Sum(h.key[:0])
	}
	h.start(0x36)
	h.md5.Write(packet[:4])
	h.sum = authenticator
	h.md5.Write(h.sum[:])
	h.md5.Write(packet[headerLength:macAt])
	h.md5.Write(zeros[:])
	h.md5.Write(packet[macAt+macLength:])
	h.md5.Sum(h.sum[:0])
	h.start(0x5c)
	h.md5.Write(h.sum[:])
	return h.md5.Sum(h.sum[:0])
}

// start begins one of the two hashes of an HMAC: with the padded key.
func (h *hasher) start(pad byte) {
	for i := range h.pad {
		h.pad[i] = pad
	}
	subtle.XORBytes(h.pad[:], h.pad[:], h.key)
	h.md5.Reset()
	h.md5.Write(h.pad[:])
}

// responseAuthenticator returns the Response Authenticator (RFC 2865 section 3)
// of reply. The result is good until the next call.
func (h *hasher) responseAuthenticator(secret Secret, reply []byte, request [16]byte) []byte {
	h.md5.Reset()
	h.md5.Write(reply[:4])
	h.sum = request
	h.md5.Write(h.sum[:])
	h.md5.Write(reply[headerLength:])
	h.key = append(h.key[:0], secret...)
	h.md5.Write(h.key)
	return h.md5.Sum(h.sum[:0])
}

// signed reports whether w's Message-Authenticator is right. In a reply it is
// computed with the Authenticator of the request.
func (w wire) signed(secret Secret, authenticator [16]byte) bool {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	want := h.messageAuthenticator(secret, w.bytes, authenticator, w.macAt)
	return subtle.ConstantTimeCompare(want, w.bytes[w.macAt:w.macAt+macLength]) == 1
}

// authentic reports whether w's Response Authenticator is right.
func (w wire) authentic(secret Secret, request [16]byte) bool {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	want := h.responseAuthenticator(secret, w.bytes, request)
	return subtle.ConstantTimeCompare(want, w.bytes[4:headerLength]) == 1
}

// marshal returns the wire form of p with the given Identifier and
// Authenticator: a Message-Authenticator first, then p's attributes without any
// Message-Authenticator or Proxy-State of its own, then the Proxy-States of the
// request it answers, if any. The Message-Authenticator is right; a Response
// Authenticator is the caller's to compute.
func marshal(p *Packet, secret Secret, identifier byte, authenticator [16]byte, proxyStates []byte) ([]byte, error) {
	size := headerLength + 2 + macLength + len(proxyStates)
	for _, a := range p.Attributes {
		if own(a.Type) {
			continue
		}
		if a.Type < 1 || a.Type > 255 || len(a.Attribute) > 253 {
			return nil, fmt.Errorf("radius: attribute %d of %d bytes cannot be sent: types are 1 to 255, values have at most 253 bytes",
				a.Type, len(a.Attribute))
		}
		size += 2 + len(a.Attribute)
	}
	if size > radius.MaxPacketLength {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, size)
	}
	b := make([]byte, headerLength, size)
	b[0], b[1] = byte(p.Code), identifier
	binary.BigEndian.PutUint16(b[2:4], uint16(size))
	copy(b[4:], authenticator[:])
	b = append(b, typeMessageAuthenticator, 2+macLength)
	macAt := len(b)
	b = append(b, zeros[:]...)
	for _, a := range p.Attributes {
		if !own(a.Type) {
			b = append(b, byte(a.Type), byte(2+len(a.Attribute)))
			b = append(b, a.Attribute...)
		}
	}
	b = append(b, proxyStates...)
	h := hashers.Get().(*hasher)
	copy(b[macAt:], h.messageAuthenticator(secret, b, authenticator, macAt))
	hashers.Put(h)
	return b, nil
}

// ErrTooLong is the error of a packet that would have more than the 4,096 bytes
// of RFC 2865 section 3.
var ErrTooLong = errors.New("radius: packet longer than 4096 bytes")

// own reports whether the transport sets attributes of this type itself.
func own(t Type) bool { return t == typeMessageAuthenticator || t == typeProxyState }

// reply returns the signed wire form of p as the answer to request.
func reply(p *Packet, secret Secret, request wire) ([]byte, error) {
	switch p.Code {
	case CodeAccessAccept, CodeAccessReject, CodeAccessChallenge:
	default:
		return nil, fmt.Errorf("radius: %s is no answer to an Access-Request", p.Code)
	}
	b, err := marshal(p, secret, request.bytes[1], request.authenticator(), request.proxyStates())
	if err != nil {
		return nil, err
	}
	h := hashers.Get().(*hasher)
	copy(b[4:], h.responseAuthenticator(secret, b, request.authenticator()))
	hashers.Put(h)
	return b, nil
}

// proxyStates returns the Proxy-State attributes of w in order, as they stand on
// the wire.
func (w wire) proxyStates() []byte {
	var states []byte
	for rest := w.bytes[headerLength:]; len(rest) > 0; rest = rest[rest[1]:] {
		if rest[0] == typeProxyState {
			states = append(states, rest[:rest[1]]...)
		}
	}
	return states
}
