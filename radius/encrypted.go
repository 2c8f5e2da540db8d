package radius

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"layeh.com/radius"
)

// The attributes whose values are encrypted with the shared secret and the
// Request Authenticator, so that they are good for one request only.
const (
	typeVendorSpecific = 26
	typeTunnelPassword = 69 // RFC 2868 section 3.5

	vendorMicrosoft      = 311
	typeMSCHAPMPPEKeys   = 12 // RFC 2548 section 2.4.1
	typeMSMPPESendKey    = 16 // RFC 2548 section 2.4.2
	typeMSMPPERecvKey    = 17 // RFC 2548 section 2.4.3
	mppeKeysLength       = 24 // LM-Key and NT-Key
	mppeKeysHiddenLength = 32 // the same, padded and encrypted
)

// DecryptKeys returns a copy of the attributes of a reply in which
// Tunnel-Password, MS-MPPE-Send-Key, MS-MPPE-Recv-Key and MS-CHAP-MPPE-Keys are
// in clear, so that they can be kept until they are sent to somebody else. The
// secret and the authenticator are those of the request that was answered.
//
// In clear, the Salt field is zero and the key follows as it is; where one is
// encrypted, the highest bit of the Salt is set (RFC 2868 section 3.5).
// MS-CHAP-MPPE-Keys, which has no Salt, has 24 bytes in clear and 32 encrypted.
//
// What cannot be decrypted is left out; the error says what that is, and the
// attributes returned with it are good.
func DecryptKeys(attributes Attributes, secret Secret, requestAuthenticator [16]byte) (Attributes, error) {
	return mapKeys(attributes, (&keyCipher{secret: []byte(secret), authenticator: requestAuthenticator[:]}).decrypt)
}

// EncryptKeys is the reverse of DecryptKeys. The secret and the authenticator
// are those of the request that is to be answered. Attributes that are encrypted
// already stay as they are. What has no room is left out; the error says what
// that is, and the attributes returned with it are good.
func EncryptKeys(attributes Attributes, secret Secret, requestAuthenticator [16]byte) (Attributes, error) {
	c := &keyCipher{secret: []byte(secret), authenticator: requestAuthenticator[:]}
	var random [2]byte
	_, _ = rand.Read(random[:]) // never fails
	c.salt = binary.BigEndian.Uint16(random[:])
	return mapKeys(attributes, c.encrypt)
}

// keyKind is how an attribute is encrypted.
type keyKind int

const (
	noKey     keyKind = iota
	saltedKey         // Salt, String
	taggedKey         // Tag, Salt, String
	hiddenKey         // as a User-Password, RFC 2865 section 5.2
)

func microsoftKey(t Type) keyKind {
	switch t {
	case typeMSMPPESendKey, typeMSMPPERecvKey:
		return saltedKey
	case typeMSCHAPMPPEKeys:
		return hiddenKey
	}
	return noKey
}

// mapKeys returns the attributes with every key changed by do.
func mapKeys(attributes Attributes, do func(keyKind, Attribute) (Attribute, error)) (Attributes, error) {
	out := make(Attributes, 0, len(attributes))
	var problems []error
	for _, a := range attributes {
		changed := *a
		var err error
		switch a.Type {
		case typeTunnelPassword:
			if changed.Attribute, err = do(taggedKey, a.Attribute); err != nil {
				err = fmt.Errorf("radius: Tunnel-Password left out: %w", err)
			}
		case typeVendorSpecific:
			changed.Attribute, err = mapVendorKeys(a.Attribute, do)
		}
		if err != nil {
			problems = append(problems, err)
		}
		if err == nil || changed.Attribute != nil {
			out = append(out, &changed)
		}
	}
	return out, errors.Join(problems...)
}

// mapVendorKeys does the same within a Vendor-Specific. It returns nil when
// nothing is left of it.
func mapVendorKeys(value Attribute, do func(keyKind, Attribute) (Attribute, error)) (Attribute, error) {
	vendor, attributes, ok := ParseVendorSpecific(value)
	if !ok || vendor != vendorMicrosoft {
		return value, nil
	}
	var kept []AVP
	var problems []error
	for _, a := range attributes {
		if kind := microsoftKey(a.Type); kind != noKey {
			var err error
			if a.Attribute, err = do(kind, a.Attribute); err != nil {
				problems = append(problems, fmt.Errorf("radius: Microsoft's attribute %d left out: %w", a.Type, err))
				continue
			}
		}
		kept = append(kept, a)
	}
	if len(kept) == 0 {
		return nil, errors.Join(problems...)
	}
	changed, err := NewVendorSpecific(vendor, kept...)
	return changed, errors.Join(append(problems, err)...)
}

// keyCipher encrypts or decrypts the keys of one reply.
type keyCipher struct {
	secret, authenticator []byte
	salt                  uint16 // the next one: it must not come twice in a packet
}

func (c *keyCipher) decrypt(kind keyKind, value Attribute) (Attribute, error) {
	if kind == hiddenKey {
		return c.reveal(value)
	}
	head := saltAt(kind)
	if len(value) < head {
		return nil, errors.New("it is too short")
	}
	key, _, err := radius.TunnelPassword(value[head:], c.secret, c.authenticator)
	if err != nil {
		return nil, fmt.Errorf("it cannot be decrypted: %w", err)
	}
	return append(append(value[:head:head], 0, 0), key...), nil
}

func (c *keyCipher) encrypt(kind keyKind, value Attribute) (Attribute, error) {
	if kind == hiddenKey {
		if len(value) != mppeKeysLength {
			return value, nil
		}
		return radius.NewUserPassword(value, c.secret, c.authenticator)
	}
	head := saltAt(kind)
	if len(value) < head+2 || value[head] != 0 || value[head+1] != 0 {
		return value, nil
	}
	const maxKey = 239 // fifteen blocks of 16 with the length byte
	if len(value)-head-2 > maxKey {
		return nil, errors.New("it has more than 239 bytes")
	}
	c.salt++
	salt := binary.BigEndian.AppendUint16(nil, c.salt|0x8000)
	encrypted, err := radius.NewTunnelPassword(value[head+2:], salt, c.secret, c.authenticator)
	if err != nil {
		return nil, err
	}
	return append(value[:head:head], encrypted...), nil
}

// saltAt returns where the Salt begins.
func saltAt(kind keyKind) int {
	if kind == taggedKey {
		return 1
	}
	return 0
}

// reveal decrypts MS-CHAP-MPPE-Keys. Layeh's UserPassword would cut the keys at
// their first zero byte.
func (c *keyCipher) reveal(value Attribute) (Attribute, error) {
	if len(value) != mppeKeysHiddenLength {
		return nil, errors.New("it has not 32 bytes")
	}
	clear := make(Attribute, 0, mppeKeysHiddenLength)
	for before, block := c.authenticator, value; len(block) > 0; before, block = block[:md5.Size], block[md5.Size:] {
		pad := md5.Sum(append(append([]byte(nil), c.secret...), before...))
		for i := range pad {
			clear = append(clear, pad[i]^block[i])
		}
	}
	return clear[:mppeKeysLength], nil
}
