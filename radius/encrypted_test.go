package radius_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2868"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa/radius"
)

// keysReply answers a request with every kind of key, and with attributes that
// are none, in the layout of layeh's generated packages.
func keysReply(t testing.TB, request *radius.Packet) *radius.Packet {
	t.Helper()
	reply := request.Response(radius.CodeAccessAccept)
	require.NoError(t, rfc2865.Class_AddString(reply, "one"))
	require.NoError(t, rfc2868.TunnelPassword_AddString(reply, 1, "tunnel-secret"))
	require.NoError(t, rfc2868.TunnelPassword_AddString(reply, 0x1f, "another, longer than sixteen"))
	require.NoError(t, microsoft.MSMPPESendKey_Add(reply, bytes.Repeat([]byte{0xa5}, 32)))
	require.NoError(t, microsoft.MSMPPERecvKey_Add(reply, []byte{0, 1, 2, 0, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 0}))
	require.NoError(t, microsoft.MSCHAP2Success_AddString(reply, "\x01S=0123"))
	require.NoError(t, rfc2865.Class_AddString(reply, "two"))
	return reply
}

func types(attributes radius.Attributes) []radius.Type {
	var list []radius.Type
	for _, a := range attributes {
		list = append(list, a.Type)
	}
	return list
}

func TestKeysOfOneRequestAreReadableUnderAnother(t *testing.T) {
	upstream := layeh.New(radius.CodeAccessRequest, []byte("upstream secret"))
	nas := layeh.New(radius.CodeAccessRequest, []byte("nas secret"))
	reply := keysReply(t, upstream)

	clear, err := radius.DecryptKeys(reply.Attributes, "upstream secret", upstream.Authenticator)
	require.NoError(t, err)
	assert.Equal(t, types(reply.Attributes), types(clear), "the order is kept")
	assert.Equal(t, "\x01\x00\x00tunnel-secret", string(clear.Get(rfc2868.TunnelPassword_Type)))

	accept := nas.Response(radius.CodeAccessAccept)
	accept.Attributes, err = radius.EncryptKeys(clear, "nas secret", nas.Authenticator)
	require.NoError(t, err)
	assert.Equal(t, types(reply.Attributes), types(accept.Attributes))

	tags, passwords, err := rfc2868.TunnelPassword_GetStrings(accept, nas)
	require.NoError(t, err)
	assert.Equal(t, []byte{1, 0x1f}, tags)
	assert.Equal(t, []string{"tunnel-secret", "another, longer than sixteen"}, passwords)
	assert.Equal(t, bytes.Repeat([]byte{0xa5}, 32), microsoft.MSMPPESendKey_Get(accept, nas))
	assert.Equal(t, []byte{0, 1, 2, 0, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 0}, microsoft.MSMPPERecvKey_Get(accept, nas))
	assert.Equal(t, "\x01S=0123", microsoft.MSCHAP2Success_GetString(accept))
	classes, err := rfc2865.Class_GetStrings(accept)
	require.NoError(t, err)
	assert.Equal(t, []string{"one", "two"}, classes)
}

func TestSaltsDifferWithinAPacketAndHaveTheirHighestBitSet(t *testing.T) {
	clear := radius.Attributes{}
	for range 40 {
		clear.Add(rfc2868.TunnelPassword_Type, radius.Attribute("\x00\x00\x00same"))
	}
	encrypted, err := radius.EncryptKeys(clear, "secret", [16]byte{1})
	require.NoError(t, err)
	salts := map[uint16]bool{}
	for _, a := range encrypted {
		salt := binary.BigEndian.Uint16(a.Attribute[1:])
		assert.NotZero(t, salt&0x8000)
		salts[salt] = true
	}
	assert.Len(t, salts, 40)
}

func TestMSCHAPMPPEKeysSurviveZeroBytes(t *testing.T) {
	keys := append(make([]byte, 8), bytes.Repeat([]byte{7, 0}, 8)...) // no LM-Key: zeros
	hidden, err := layeh.NewUserPassword(keys, []byte("secret"), make([]byte, 16))
	require.NoError(t, err)
	value, err := radius.NewVendorSpecific(311, radius.AVP{Type: 12, Attribute: hidden})
	require.NoError(t, err)

	clear, err := radius.DecryptKeys(radius.Attributes{{Type: 26, Attribute: value}}, "secret", [16]byte{})
	require.NoError(t, err)
	_, inner, ok := radius.ParseVendorSpecific(clear[0].Attribute)
	require.True(t, ok)
	assert.Equal(t, keys, []byte(inner[0].Attribute))

	again, err := radius.EncryptKeys(clear, "secret", [16]byte{})
	require.NoError(t, err)
	assert.Equal(t, value, again[0].Attribute)
}

func TestKeysAmongOthersInOneVendorSpecific(t *testing.T) {
	request := layeh.New(radius.CodeAccessRequest, []byte("secret"))
	send, err := layeh.NewTunnelPassword([]byte("key"), []byte{0x80, 1}, request.Secret, request.Authenticator[:])
	require.NoError(t, err)
	bad := append(radius.Attribute{0x80, 2}, send[2:]...) // another salt: garbage
	bad = bad[:len(bad)-1]
	value, err := radius.NewVendorSpecific(311,
		radius.AVP{Type: 7, Attribute: radius.Attribute{0, 0, 0, 1}},
		radius.AVP{Type: 17, Attribute: bad},
		radius.AVP{Type: 16, Attribute: send})
	require.NoError(t, err)

	clear, err := radius.DecryptKeys(radius.Attributes{{Type: 26, Attribute: value}}, "secret", request.Authenticator)
	assert.ErrorContains(t, err, "Microsoft's attribute 17 left out")
	require.Len(t, clear, 1)
	_, inner, ok := radius.ParseVendorSpecific(clear[0].Attribute)
	require.True(t, ok)
	assert.Equal(t, []radius.AVP{
		{Type: 7, Attribute: radius.Attribute{0, 0, 0, 1}},
		{Type: 16, Attribute: radius.Attribute("\x00\x00key")},
	}, inner)
}

func TestWhatCannotBeDecryptedIsLeftOut(t *testing.T) {
	for name, a := range map[string]radius.AVP{
		"empty Tunnel-Password":       {Type: 69},
		"Tunnel-Password of a tag":    {Type: 69, Attribute: radius.Attribute{1}},
		"in clear already":            {Type: 69, Attribute: append(radius.Attribute{1, 0, 0, 3}, make([]byte, 15)...)},
		"no whole block":              {Type: 69, Attribute: append(radius.Attribute{1, 0x80, 0}, make([]byte, 15)...)},
		"MS-CHAP-MPPE-Keys too short": {Type: 26, Attribute: radius.Attribute{0, 0, 1, 55, 12, 4, 1, 1}},
		"MS-MPPE-Send-Key too short":  {Type: 26, Attribute: radius.Attribute{0, 0, 1, 55, 16, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			class := &radius.AVP{Type: 25, Attribute: radius.Attribute("kept")}
			clear, err := radius.DecryptKeys(radius.Attributes{&a, class}, "secret", [16]byte{})
			assert.ErrorContains(t, err, "left out")
			assert.Equal(t, radius.Attributes{class}, clear)
		})
	}
}

func TestEncryptKeysLeavesOthersAndItsInputAlone(t *testing.T) {
	request := layeh.New(radius.CodeAccessRequest, []byte("secret"))
	reply := keysReply(t, request)
	reply.Add(26, radius.Attribute{0, 0, 1, 55, 99})         // no list of attributes
	reply.Add(26, radius.Attribute{0, 0, 0, 9, 16, 4, 0, 0}) // another vendor's 16
	reply.Add(69, radius.Attribute{1})
	again, err := radius.EncryptKeys(reply.Attributes, "secret", request.Authenticator)
	require.NoError(t, err)
	assert.Equal(t, reply.Attributes, again)

	clear := radius.Attributes{{Type: 69, Attribute: radius.Attribute("\x00\x00\x00key")}}
	_, err = radius.EncryptKeys(clear, "secret", request.Authenticator)
	require.NoError(t, err)
	assert.Equal(t, "\x00\x00\x00key", string(clear[0].Attribute))
}

func TestAKeyWithoutRoomIsLeftOut(t *testing.T) {
	long := radius.Attribute("\x00\x00\x00" + string(make([]byte, 240)))
	attributes, err := radius.EncryptKeys(radius.Attributes{{Type: 69, Attribute: long}}, "secret", [16]byte{})
	assert.ErrorContains(t, err, "Tunnel-Password left out: it has more than 239 bytes")
	assert.Empty(t, attributes)

	attributes, err = radius.EncryptKeys(radius.Attributes{{Type: 69, Attribute: long[:242]}}, "secret", [16]byte{})
	require.NoError(t, err)
	assert.Len(t, attributes[0].Attribute, 243)
}

func TestVendorSpecificOfAnotherFormIsNotParsed(t *testing.T) {
	for _, value := range []string{"", "\x00\x00\x00\x09", "\x00\x00\x00\x09\x01", "\x00\x00\x00\x09\x01\x01",
		"\x00\x00\x00\x09\x01\x04a", "\x00\x00\x00\x09\x01\x03ab"} {
		_, _, ok := radius.ParseVendorSpecific(radius.Attribute(value))
		assert.False(t, ok, "%q", value)
	}
	_, err := radius.NewVendorSpecific(9, radius.AVP{Type: 1, Attribute: make(radius.Attribute, 248)})
	assert.ErrorContains(t, err, "has no room")
}

func FuzzKeys(f *testing.F) {
	request := &radius.Packet{Secret: []byte("secret")}
	for _, a := range keysReply(f, request).Attributes {
		f.Add(int(a.Type), []byte(a.Attribute))
	}
	f.Add(26, []byte{0, 0, 1, 55, 16, 2, 12, 2})
	f.Fuzz(func(t *testing.T, kind int, value []byte) {
		in := radius.Attributes{{Type: radius.Type(kind & 0xff), Attribute: value}}
		before := string(value)
		clear, _ := radius.DecryptKeys(in, "secret", [16]byte{})
		encrypted, _ := radius.EncryptKeys(clear, "nas", [16]byte{1})
		again, _ := radius.DecryptKeys(encrypted, "nas", [16]byte{1})
		require.Equal(t, before, string(value), "the input changed")
		if len(value) <= 253 {
			require.Equal(t, clear, again)
		}
	})
}

func FuzzParseVendorSpecific(f *testing.F) {
	f.Add([]byte{0, 0, 0, 9, 1, 3, 'a', 2, 2})
	f.Fuzz(func(t *testing.T, value []byte) {
		vendor, attributes, ok := radius.ParseVendorSpecific(value)
		if !ok || len(value) > 253 {
			return
		}
		again, err := radius.NewVendorSpecific(vendor, attributes...)
		require.NoError(t, err)
		require.Equal(t, value, []byte(again))
	})
}

// A Tunnel-Password on its way from one RADIUS server to the NAS of another.
func ExampleEncryptKeys() {
	request := layeh.New(radius.CodeAccessRequest, []byte("secret of the NAS"))

	clear := radius.Attributes{{Type: rfc2868.TunnelPassword_Type, Attribute: []byte("\x01\x00\x00vlan key")}}
	accept := request.Response(radius.CodeAccessAccept)
	accept.Attributes, _ = radius.EncryptKeys(clear, radius.Secret(request.Secret), request.Authenticator)

	tag, password := rfc2868.TunnelPassword_GetString(accept, request)
	fmt.Println(tag, password)
	// Output: 1 vlan key
}
