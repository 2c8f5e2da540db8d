package ldapauthtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"golang.org/x/crypto/md4" //nolint:staticcheck // NTLM is made of it
)

// The server's side of an NTLM bind as Active Directory does it ([MS-ADTS]
// 5.1.1.1.3 "Sicily", with the messages of [MS-NLMP]). There are no users' names
// but sAMAccountName, and no check beyond NTLMv2.

// The tags of the authentication choice.
const (
	tagNegotiate = 10
	tagResponse  = 11
)

// serverChallenge is the same for everybody, which only a test may do.
const serverChallenge = "\x01\x23\x45\x67\x89\xab\xcd\xef"

// ntlm is what a client said in an NTLM bind.
type ntlm struct{ domain, user, workstation string }

// bindNTLM answers both steps of an NTLM bind.
func (s *session) bindNTLM(id int64, auth *ber.Packet) bool {
	if auth.Tag == tagNegotiate {
		// The challenge goes where other answers have a DN.
		return s.answer(id, ldap.ApplicationBindResponse, Result{}, ntlmChallenge())
	}
	r := Result{Code: ldap.LDAPResultInvalidCredentials,
		Message: "8009030C: LdapErr: DSID-0C0904DC, comment: AcceptSecurityContext error, data 52e, v1db1"}
	said, proof, err := parseNTLM(auth.Data.Bytes())
	s.dir.OnNTLM(said.domain, said.user, said.workstation)
	s.dir.mu.Lock()
	for _, e := range s.dir.Entries {
		if err == nil && e.Password != "" && e.has("sAMAccountName", said.user) && proves(proof, said, e.Password) {
			r, s.dn = Result{}, e.DN
		}
	}
	s.dir.mu.Unlock()
	s.bound = r.Code == ldap.LDAPResultSuccess
	return s.result(id, ldap.ApplicationBindResponse, r)
}

// ntlmChallenge is a CHALLENGE_MESSAGE of the domain EXAMPLE.
func ntlmChallenge() string {
	const header, flags = 48, 0x20890201 // Unicode, NTLM, extended security, target info, 128 bits
	target := wide("EXAMPLE")
	info := binary.LittleEndian.AppendUint16([]byte{2, 0}, uint16(len(target))) // MsvAvNbDomainName
	info = append(append(info, target...), 0, 0, 0, 0)
	b := append([]byte("NTLMSSP\x00"), 2, 0, 0, 0)
	b = field(b, len(target), header)
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = append(b, serverChallenge+"\x00\x00\x00\x00\x00\x00\x00\x00"...)
	b = field(b, len(info), header+len(target))
	return string(append(append(b, target...), info...))
}

func field(b []byte, length, offset int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	b = binary.LittleEndian.AppendUint16(b, uint16(length))
	return binary.LittleEndian.AppendUint32(b, uint32(offset))
}

// parseNTLM reads an AUTHENTICATE_MESSAGE.
func parseNTLM(b []byte) (said ntlm, proof []byte, err error) {
	if len(b) < 64 || !bytes.HasPrefix(b, []byte("NTLMSSP\x00\x03")) {
		return said, nil, errors.New("no NTLM AUTHENTICATE_MESSAGE")
	}
	var fields [4][]byte // proof, domain, user, workstation
	for i := range fields {
		at := 20 + 8*i
		length, offset := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint32(b[at+4:]))
		if offset+length > len(b) {
			return said, nil, fmt.Errorf("field %d is out of bounds", i)
		}
		fields[i] = b[offset : offset+length]
	}
	return ntlm{narrow(fields[1]), narrow(fields[2]), narrow(fields[3])}, fields[0], nil
}

// proves checks an NTLMv2 response ([MS-NLMP] 3.3.2).
func proves(proof []byte, said ntlm, password string) bool {
	if len(proof) < md5.Size {
		return false
	}
	hash := md4.New()
	hash.Write(wide(password))
	key := mac(hash.Sum(nil), wide(strings.ToUpper(said.user)+said.domain))
	return hmac.Equal(proof[:md5.Size], mac(key, []byte(serverChallenge), proof[md5.Size:]))
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

func wide(s string) (b []byte) {
	for _, unit := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

func narrow(b []byte) string {
	var units []uint16
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	return string(utf16.Decode(units))
}
