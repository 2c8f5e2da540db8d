package radmfa

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"sync"

	"github.com/radmfa/radmfa/radius"
)

// sealVersion is the first byte of what a Store keeps.
const sealVersion = 1

// What is sealed. Each purpose has names and keys of its own.
const (
	purposeSession  = "session"  // the id is a State
	purposeRemember = "remember" // the id is guessable, so the key is needed
	purposeAttempt  = "attempt"  // likewise
	purposeNode     = "node"     // the id is a node's random name
	purposeLimit    = "limit"    // the id is an account: the key is needed
)

// errSealed says nothing more on purpose: what is in the Store may come from
// anybody who can write to it.
var errSealed = errors.New("radmfa: what the store keeps was not sealed by this version with this cluster key")

// sealer makes the boxes of one key. Make it with newSealer.
type sealer struct{ derivations sync.Pool }

// derivation is the HMAC of a sealer's key, with room for what goes in and out.
type derivation struct {
	mac     hash.Hash
	in, out []byte
}

// newSealer may be given an empty key where all ids are random.
func newSealer(key radius.Secret) *sealer {
	return &sealer{derivations: sync.Pool{New: func() any {
		return &derivation{mac: hmac.New(sha256.New, []byte(key))}
	}}}
}

// box seals what a Store keeps under one id. Name and key are derived from the
// id, so that a reader of the Store learns neither State nor session, and a
// writer cannot make up a decision.
type box struct {
	name   string // the id in the Store
	header []byte // the name again, which is authenticated with the content
	aead   cipher.AEAD
}

// box derives a box: HKDF-Extract (RFC 5869 section 2.2) with the sealer's key as
// the salt. What it extracts is long enough for a name and a key of AES-128, and
// needs no expansion.
func (s *sealer) box(purpose, id string) box {
	const nameLength, keyLength = 16, 16
	d := s.derivations.Get().(*derivation)
	defer func() {
		clear(d.in)
		clear(d.out)
		s.derivations.Put(d)
	}()
	d.in = append(append(append(d.in[:0], purpose...), 0), id...)
	d.mac.Reset()
	d.mac.Write(d.in)
	d.out = d.mac.Sum(d.out[:0])
	header := base64.RawURLEncoding.AppendEncode(nil, d.out[:nameLength])
	block, err := aes.NewCipher(d.out[nameLength : nameLength+keyLength])
	if err != nil {
		panic(err) // never: the key has a length of AES
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // never: the block is one of AES
	}
	return box{name: string(header), header: header, aead: aead}
}

// buffers are for stored forms on their way in or out.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// sealSession seals the stored form of a session.
func (b box) sealSession(ses *session) []byte {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	plain := ses.appendTo((*buffer)[:0])
	*buffer = plain
	defer clear(plain)
	return b.seal(plain)
}

// openSession is the inverse of sealSession.
func (b box) openSession(sealed []byte) (*session, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	plain, err := b.openTo((*buffer)[:0], sealed)
	if err != nil {
		return nil, err
	}
	*buffer = plain
	defer clear(plain)
	return decodeSession(string(plain))
}

func (b box) seal(plain []byte) []byte {
	sealed := make([]byte, 1, 1+b.aead.Overhead()+len(plain))
	sealed[0] = sealVersion
	return b.aead.Seal(sealed, nil, plain, b.header)
}

func (b box) open(sealed []byte) ([]byte, error) { return b.openTo(nil, sealed) }

func (b box) openTo(room, sealed []byte) ([]byte, error) {
	if len(sealed) < 1 || sealed[0] != sealVersion {
		return nil, errSealed
	}
	plain, err := b.aead.Open(room, nil, sealed[1:], b.header)
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}
