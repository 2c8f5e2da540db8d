package radius

import (
	"bytes"
	"crypto/md5"
	"crypto/subtle"
	"encoding"
	"hash"
	"slices"
	"sync"
)

// macLength is the length of a Message-Authenticator (RFC 3579 section 3.2) and
// of an Authenticator.
const macLength = md5.Size

// key is a shared secret made ready for hashing.
type key struct {
	secret       []byte
	inner, outer []byte // states of MD5 behind the padded secret: an HMAC's halves (RFC 2104)
}

func newKey(secret Secret) *key {
	k := &key{secret: slices.Clip([]byte(secret))}
	padded := k.secret
	if len(padded) > md5.BlockSize {
		sum := md5.Sum(padded)
		padded = sum[:]
	}
	k.inner, k.outer = paddedState(padded, 0x36), paddedState(padded, 0x5c)
	return k
}

func paddedState(secret []byte, pad byte) []byte {
	block := bytes.Repeat([]byte{pad}, md5.BlockSize)
	subtle.XORBytes(block, block, secret)
	h := newMD5()
	h.Write(block)
	state, _ := h.AppendBinary(nil) // never fails
	return state
}

// resumable is what hashes of package crypto/md5 are.
type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

func newMD5() resumable { return md5.New().(resumable) }

// hasher computes the keyed hashes of RADIUS without allocating.
type hasher struct {
	md5 resumable
	sum [macLength]byte
	out []byte // a reply
}

var hashers = sync.Pool{New: func() any { return &hasher{md5: newMD5()} }}

var zeros [macLength]byte

// messageAuthenticator returns the HMAC-MD5 of packet, with the
// Message-Authenticator at macAt taken as zeros and the Authenticator as given.
// The result is good until the next call.
func (h *hasher) messageAuthenticator(k *key, packet []byte, authenticator [16]byte, macAt int) []byte {
	_ = h.md5.UnmarshalBinary(k.inner) // it is a state, so it never fails
	h.md5.Write(packet[:4])
	h.sum = authenticator
	h.md5.Write(h.sum[:])
	h.md5.Write(packet[headerLength:macAt])
	h.md5.Write(zeros[:])
	h.md5.Write(packet[macAt+macLength:])
	h.md5.Sum(h.sum[:0])
	_ = h.md5.UnmarshalBinary(k.outer)
	h.md5.Write(h.sum[:])
	return h.md5.Sum(h.sum[:0])
}

// responseAuthenticator returns the Response Authenticator (RFC 2865 section 3)
// of reply. The result is good until the next call.
func (h *hasher) responseAuthenticator(k *key, reply []byte, request [16]byte) []byte {
	h.md5.Reset()
	h.md5.Write(reply[:4])
	h.sum = request
	h.md5.Write(h.sum[:])
	h.md5.Write(reply[headerLength:])
	h.md5.Write(k.secret)
	return h.md5.Sum(h.sum[:0])
}

// signed reports whether w's Message-Authenticator is right. In a reply it is
// computed with the Authenticator of the request.
func (w wire) signed(k *key, authenticator [16]byte) bool {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	want := h.messageAuthenticator(k, w.bytes, authenticator, w.macAt)
	return subtle.ConstantTimeCompare(want, w.bytes[w.macAt:w.macAt+macLength]) == 1
}

// authentic reports whether w's Response Authenticator is right.
func (w wire) authentic(k *key, request [16]byte) bool {
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	want := h.responseAuthenticator(k, w.bytes, request)
	return subtle.ConstantTimeCompare(want, w.bytes[4:headerLength]) == 1
}
