package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa/radius"
)

func TestPacketsAreShownByTheNamesOfAttributes(t *testing.T) {
	p := layeh.New(layeh.CodeAccessRequest, []byte(secret))
	p.Identifier = 7
	require.NoError(t, rfc2865.UserName_SetString(p, "jdoe\u202e\x00"))
	require.NoError(t, rfc2865.UserPassword_SetString(p, "correct horse"))
	require.NoError(t, rfc2865.CHAPPassword_Set(p, make([]byte, 17)))
	require.NoError(t, rfc2865.NASIPAddress_Set(p, []byte{192, 0, 2, 1}))
	require.NoError(t, rfc2865.NASPort_Set(p, 300))
	require.NoError(t, rfc2865.State_Set(p, []byte("ABCDEFGHIJ")))
	require.NoError(t, rfc2865.ReplyMessage_SetString(p, "two\nlines"))
	require.NoError(t, rfc2869.MessageAuthenticator_Set(p, []byte(strings.Repeat("\xab", 16))))
	require.NoError(t, microsoft.MSCHAP2Response_Set(p, make([]byte, 50)))
	require.NoError(t, microsoft.MSCHAPDomain_Set(p, []byte("CORP")))
	p.Add(26, []byte{1})
	p.Add(250, radius.Attribute{0xff, 0xfe})
	datagram, err := p.Encode()
	require.NoError(t, err)

	got := decode(datagram)
	assert.Equal(t, "Access-Request", got.Code)
	assert.Equal(t, 7, got.Identifier)
	assert.Equal(t, []attribute{
		{"User-Name", "0x" + "6a646f65e280ae00"},
		{"User-Password", "********"},
		{"CHAP-Password", "********"},
		{"NAS-IP-Address", "192.0.2.1"},
		{"NAS-Port", "300"},
		{"State", "ABCD… (10 bytes)"},
		{"Reply-Message", "two\nlines"},
		{"Message-Authenticator", "abababab… (16 bytes)"},
		{"MS-CHAP2-Response", "********"},
		{"MS-CHAP-Domain", "CORP"},
		{"Vendor-Specific", "0x01"},
		{"250", "0xfffe"},
	}, got.Attributes)
	assert.Equal(t, &packet{Code: "not RADIUS", Length: 5}, decode([]byte("hello")))
}
