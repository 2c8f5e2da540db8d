package radius

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
)

// The vectors of RFC 2865. In the second request of section 7.3 the RFC prints
// the State as "18 10": its length octet is 0x0a, as in the challenge.
const (
	vectorSecret = "xyzzy5461"

	vector71Request = "01000038 0f403f9473978057bd83d5cb98f4227a" +
		"01066e656d6f 02120dbe708d93d413ce3196e43f782a0aee 0406c0a80110 050600000003"
	vector71Accept = "02000026 86fe220e7624ba2a1005f6bf9b55e0b2 060600000001 0f0600000000 0e06c0a80103"

	vector73Request = "01020039 f3a47a1f6a6d76710b947ab93041a039" +
		"01076d6f707379 021233657573778289b570885e15084825c5 0406c0a80110 050600000007"
	vector73Challenge = "0b02004e 36f3c8764ae8c71157403c0c71ff9c45" +
		"12304368616c6c656e67652033323736393433302e2020456e74657220726573706f6e73652061742070726f6d70742e" +
		"180a3332373639343330"
	vector73Answer = "01030043 b122556d428a13d0d6253807c457ecf0" +
		"01076d6f707379 0212692c1f205fc081b919b95195f561a581 0406c0a80110 050600000007 180a3332373639343330"
	vector73Reject = "03030014 a42f4fca45916c4e09c8340f9e746aa0"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// mustSign returns the wire form of a request.
func mustSign(t testing.TB, p *Packet, secret Secret) []byte {
	b, err := hashers.Get().(*hasher).request(p, newKey(secret))
	require.NoError(t, err)
	return b
}

// mustReply returns the wire form of a reply.
func mustReply(t testing.TB, p *Packet, secret Secret, request wire) []byte {
	b, err := hashers.Get().(*hasher).reply(p, newKey(secret), request)
	require.NoError(t, err)
	return b
}

func scanned(t testing.TB, b []byte) wire {
	w, err := scan(b)
	require.NoError(t, err)
	return w
}

func TestVectorsOfRFC2865(t *testing.T) {
	exchanges := []struct {
		section, request, reply string
		name, password, state   string
		code                    Code
		message                 string
	}{
		{"7.1", vector71Request, vector71Accept, "nemo", "arctangent", "", CodeAccessAccept, ""},
		{"7.3 first", vector73Request, vector73Challenge, "mopsy", "challenge", "", CodeAccessChallenge,
			"Challenge 32769430.  Enter response at prompt."},
		{"7.3 second", vector73Answer, vector73Reject, "mopsy", "99101462", "32769430", CodeAccessReject, ""},
	}
	for _, x := range exchanges {
		t.Run(x.section, func(t *testing.T) {
			var p Packet
			request := scanned(t, unhex(t, x.request))
			request.parse(&p, []byte(vectorSecret), new(room))
			assert.Equal(t, CodeAccessRequest, p.Code)
			assert.Equal(t, x.name, rfc2865.UserName_GetString(&p))
			assert.Equal(t, x.password, rfc2865.UserPassword_GetString(&p))
			assert.Equal(t, x.state, rfc2865.State_GetString(&p))

			var q Packet
			answer := scanned(t, unhex(t, x.reply))
			answer.parse(&q, []byte(vectorSecret), new(room))
			assert.Equal(t, x.code, q.Code)
			assert.Equal(t, x.message, rfc2865.ReplyMessage_GetString(&q))
			assert.True(t, answer.authentic(newKey(vectorSecret), request.authenticator()))
			assert.False(t, answer.authentic(newKey("xyzzy5462"), request.authenticator()))
			assert.False(t, answer.authentic(newKey(vectorSecret), answer.authenticator()))

			// Our reply with the same attributes: the same but for our signature.
			signed := scanned(t, mustReply(t, &q, vectorSecret, request))
			assert.Equal(t, answer.bytes[headerLength:], signed.bytes[headerLength+2+macLength:])
			assert.Equal(t, answer.bytes[:2], signed.bytes[:2])
			assert.True(t, signed.signed(newKey(vectorSecret), request.authenticator()))
			assert.True(t, signed.authentic(newKey(vectorSecret), request.authenticator()))
		})
	}
}

// messageAuthenticator is the textbook computation of RFC 3579 section 3.2.
func messageAuthenticator(secret string, packet []byte, authenticator [16]byte, macAt int) []byte {
	b := bytes.Clone(packet)
	copy(b[4:], authenticator[:])
	copy(b[macAt:], make([]byte, macLength))
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(b)
	return mac.Sum(nil)
}

func TestMessageAuthenticatorIsTheHMACForSecretsOfEveryLength(t *testing.T) {
	p := &Packet{Code: CodeAccessRequest, Identifier: 7, Authenticator: [16]byte{1, 2, 3}}
	for length := 1; length <= 300; length++ {
		secret := strings.Repeat("0123456789abcdef", 20)[:length]
		p.Attributes = nil
		p.Add(rfc2865.UserName_Type, bytes.Repeat([]byte("n"), length%254))
		b := mustSign(t, p, Secret(secret))
		w := scanned(t, b)
		require.Equal(t, headerLength+2, w.macAt, "it is the first attribute")
		require.Equal(t, messageAuthenticator(secret, b, p.Authenticator, w.macAt), b[w.macAt:w.macAt+macLength])
		require.True(t, w.signed(newKey(Secret(secret)), p.Authenticator))
		require.False(t, w.signed(newKey(Secret(secret+"x")), p.Authenticator))
		b[len(b)-1]++
		require.False(t, w.signed(newKey(Secret(secret)), p.Authenticator))
	}
}

func TestResponseAuthenticatorIsThatOfLayeh(t *testing.T) {
	for _, secret := range []string{"s", vectorSecret, strings.Repeat("long", 100)} {
		raw, err := layeh.New(CodeAccessRequest, []byte(secret)).Encode()
		require.NoError(t, err)
		p := &Packet{Code: CodeAccessAccept}
		require.NoError(t, rfc2865.ReplyMessage_AddString(p, "Welcome"))
		b := mustReply(t, p, Secret(secret), scanned(t, raw))
		assert.True(t, layeh.IsAuthenticResponse(b, raw, []byte(secret)))
	}
}

// withAttributes returns a packet whose wire form has the attributes.
func withAttributes(code Code, attributes string) []byte {
	b := make([]byte, headerLength, headerLength+len(attributes))
	b[0], b[1] = byte(code), 9
	b = append(b, attributes...)
	binary.BigEndian.PutUint16(b[2:4], uint16(len(b)))
	return b
}

func TestScanRefusesWhatIsNoPacket(t *testing.T) {
	mac := "\x50\x12" + strings.Repeat("m", macLength)
	tooLong := withAttributes(CodeAccessRequest, strings.Repeat("\x21\xff"+strings.Repeat("p", 253), 16))
	short := withAttributes(CodeAccessRequest, "")
	short[3] = 19
	cut := withAttributes(CodeAccessRequest, "\x01\x04ab")
	for name, b := range map[string][]byte{
		"empty":                                nil,
		"shorter than a header":                make([]byte, 19),
		"Length less than a header":            short,
		"Length more than the datagram":        cut[:len(cut)-1],
		"Length more than 4096":                tooLong,
		"half an attribute":                    withAttributes(CodeAccessRequest, "\x01"),
		"attribute of length 0":                withAttributes(CodeAccessRequest, "\x01\x00"),
		"attribute of length 1":                withAttributes(CodeAccessRequest, "\x01\x01"),
		"attribute beyond the packet":          withAttributes(CodeAccessRequest, "\x01\x05ab"),
		"Message-Authenticator of 15 bytes":    withAttributes(CodeAccessRequest, "\x50\x11"+mac[2:17]),
		"two Message-Authenticators":           withAttributes(CodeAccessRequest, mac+mac),
		"an empty one before a right one":      withAttributes(CodeAccessRequest, "\x50\x02"+mac),
		"two that are the same, far apart":     withAttributes(CodeAccessRequest, mac+"\x01\x04ab"+mac),
		"Length of 4097 in a datagram of 4097": append(binary.BigEndian.AppendUint16([]byte{1, 1}, 4097), make([]byte, 4093)...),
	} {
		_, err := scan(b)
		assert.Error(t, err, name)
	}
}

func TestScanIgnoresPaddingAndFindsWhatTheTransportNeeds(t *testing.T) {
	b := withAttributes(CodeAccessRequest, "\x01\x02\x21\x04p1\x4f\x03e\x50\x12"+strings.Repeat("m", macLength)+"\x21\x04p2")
	w := scanned(t, append(bytes.Clone(b), 0, 0, 0, 80, 18))
	assert.Equal(t, b, w.bytes)
	assert.Equal(t, wire{bytes: b, attrs: 5, macAt: headerLength + 11, eap: true, proxyStates: 8}, w)
	assert.Equal(t, "\x21\x04p1\x21\x04p2", string(w.appendProxyStates(nil)))
	assert.Nil(t, scanned(t, withAttributes(CodeAccessRequest, "\x01\x02")).appendProxyStates(nil))
}

func TestAReplyHasTheAttributesOfTheHandlerAndTheTransports(t *testing.T) {
	p := &Packet{Code: CodeAccessAccept}
	p.Add(typeProxyState, []byte("of the handler"))
	p.Add(typeMessageAuthenticator, []byte("of the handler"))
	p.Add(rfc2865.Class_Type, nil)
	p.Add(rfc2865.Class_Type, bytes.Repeat([]byte("c"), 253))
	request := withAttributes(CodeAccessRequest, "\x01\x02\x21\x04p1")
	b := mustReply(t, p, vectorSecret, scanned(t, request))
	w := scanned(t, b)
	assert.Equal(t, request[1], b[1])
	assert.Equal(t, "\x19\x02\x19\xff"+strings.Repeat("c", 253)+"\x21\x04p1", string(b[w.macAt+macLength:]))
}

func TestWhatCannotBeSentIsRefused(t *testing.T) {
	for _, a := range []AVP{{Type: 0}, {Type: -1}, {Type: 256}, {Type: 18, Attribute: make([]byte, 254)}} {
		p := &Packet{Code: CodeAccessAccept, Attributes: Attributes{&a}}
		_, err := hashers.Get().(*hasher).request(p, newKey("s"))
		assert.ErrorContains(t, err, fmt.Sprintf("attribute %d of %d bytes", a.Type, len(a.Attribute)))
	}
	p := &Packet{Code: CodeAccessAccept}
	for range 15 {
		p.Add(rfc2865.Class_Type, make([]byte, 253))
	}
	p.Add(rfc2865.Class_Type, make([]byte, 4096-headerLength-2-macLength-15*255-2))
	assert.Len(t, mustSign(t, p, "s"), 4096)
	p.Add(rfc2865.Class_Type, nil)
	_, err := hashers.Get().(*hasher).request(p, newKey("s"))
	assert.ErrorIs(t, err, ErrTooLong)
}

func TestReplyRefusesOtherCodes(t *testing.T) {
	request := scanned(t, unhex(t, vector71Request))
	for _, code := range []Code{0, CodeAccessRequest, CodeStatusServer, layeh.CodeAccountingResponse, 300} {
		_, err := hashers.Get().(*hasher).reply(&Packet{Code: code}, newKey("s"), request)
		assert.ErrorContains(t, err, "is no answer to an Access-Request")
	}
}

// FuzzScan holds scan and parse against layeh's Parse: what scan takes is what
// that takes, but for Message-Authenticators that cannot be right.
func FuzzScan(f *testing.F) {
	for _, vector := range []string{vector71Request, vector71Accept, vector73Request, vector73Challenge, vector73Answer} {
		f.Add(unhex(f, vector))
	}
	f.Add(withAttributes(CodeAccessRequest, "\x01\x02\x21\x04p1\x4f\x03e\x50\x12mmmmmmmmmmmmmmmm\x21\x04p2"))
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := scan(b)
		want, wantErr := layeh.Parse(b, []byte(vectorSecret))
		if err != nil {
			if wantErr == nil {
				macs := 0
				for _, a := range want.Attributes {
					if a.Type == rfc2869.MessageAuthenticator_Type {
						macs++
					}
				}
				mac := want.Get(rfc2869.MessageAuthenticator_Type)
				require.True(t, macs > 1 || macs == 1 && len(mac) != macLength, "refused without reason")
			}
			return
		}
		require.NoError(t, wantErr)
		var p Packet
		w.parse(&p, []byte(vectorSecret), new(room))
		for _, a := range p.Attributes {
			if len(a.Attribute) == 0 {
				a.Attribute = nil // as layeh has it
			}
		}
		want.Attributes = append(Attributes{}, want.Attributes...)
		require.Equal(t, want, &p)

		// What is marshalled parses as what it was, behind the signature.
		out, err := hashers.Get().(*hasher).request(&p, newKey(vectorSecret))
		if err != nil {
			return // no room for the signature, or an attribute 0
		}
		again, err := layeh.Parse(out, []byte(vectorSecret))
		require.NoError(t, err)
		require.True(t, scanned(t, out).signed(newKey(vectorSecret), p.Authenticator))
		require.Equal(t, Type(typeMessageAuthenticator), again.Attributes[0].Type)
	})
}
