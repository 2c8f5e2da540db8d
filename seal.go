package radmfa

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha512"
	"encoding/base64"
	"errors"

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

// box seals what a Store keeps under one id. Name and key are derived from the
// id, so that a reader of the Store learns neither State nor session, and a
// writer cannot make up a decision.
type box struct {
	name string // the id in the Store
	aead cipher.AEAD
}

// newBox derives a box from an id and a key, which may be empty where the id is
// random (HKDF, RFC 5869).
func newBox(purpose, id string, key radius.Secret) (box, error) {
	const nameLength, keyLength = 24, 32
	material, err := hkdf.Key(sha512.New, []byte(id), []byte(key), "radmfa "+purpose, nameLength+keyLength)
	if err != nil {
		return box{}, err
	}
	block, err := aes.NewCipher(material[nameLength:])
	if err != nil {
		return box{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return box{}, err
	}
	return box{name: base64.RawURLEncoding.EncodeToString(material[:nameLength]), aead: aead}, nil
}

func (b box) seal(plain []byte) []byte {
	sealed := make([]byte, 1, 1+b.aead.Overhead()+len(plain))
	sealed[0] = sealVersion
	return b.aead.Seal(sealed, nil, plain, []byte(b.name))
}

func (b box) open(sealed []byte) ([]byte, error) {
	if len(sealed) < 1 || sealed[0] != sealVersion {
		return nil, errSealed
	}
	plain, err := b.aead.Open(nil, nil, sealed[1:], []byte(b.name))
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}
