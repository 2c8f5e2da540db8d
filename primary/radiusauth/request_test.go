package radiusauth_test

import (
	"crypto/md5"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/rfc3162"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestRequestHasWhatIsChosenAndNothingOfTheNASsExchange(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		server := serve(t, listen(t, n, first), nil)
		a := asks(n, first)
		a.NASIdentifier = "radmfa"
		a.RequestAttributes = []radius.AttributeType{
			{Type: rfc2865.NASPortType_Type}, {Vendor: 25461, Type: 7},
		}
		_, err := a.Authenticate(t.Context(), &primary.Request{
			Username: "jdoe", Password: "good",
			Packet: nasRequest(
				attr(rfc2869.MessageAuthenticator_Type, strings.Repeat("m", 16)),
				attr(rfc2865.UserName_Type, "DOMAIN\\jdoe"),
				attr(rfc2865.UserPassword_Type, strings.Repeat("p", 16)),
				attr(rfc2865.NASIPAddress_Type, "\x0a\x00\x00\x01"),
				attr(rfc2865.NASPortType_Type, "\x00\x00\x00\x05"),
				attr(rfc2865.ServiceType_Type, "\x00\x00\x00\x08"),
				attr(rfc2865.CallingStationID_Type, "198.51.100.4"),
				attr(rfc2865.ProxyState_Type, "of the NAS"),
				attr(rfc2865.State_Type, "ours"),
				vsa(t, 25461, 7, "198.51.100.4", 9, "laptop"),
			),
		})
		require.NoError(t, err)

		got := server.last()
		assert.Equal(t, "jdoe", rfc2865.UserName_GetString(got))
		assert.Equal(t, "good", rfc2865.UserPassword_GetString(got))
		got.Del(rfc2865.UserName_Type)
		got.Del(rfc2865.UserPassword_Type)
		got.Del(rfc2869.MessageAuthenticator_Type)
		assert.Equal(t, radius.Attributes{
			attr(rfc2865.NASPortType_Type, "\x00\x00\x00\x05"),
			attr(rfc2865.CallingStationID_Type, "198.51.100.4"),
			vsa(t, 25461, 7, "198.51.100.4"),
			attr(rfc2865.NASIPAddress_Type, "\xc0\x00\x02\x63"), // here
			attr(rfc2865.NASIdentifier_Type, "radmfa"),
		}, got.Attributes)
	})
}

func TestNASAddress(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*radiusauth.Authenticator)
		want   *radius.AVP
	}{
		"IPv4": {
			func(a *radiusauth.Authenticator) { a.NASIPAddress = netip.MustParseAddr("203.0.113.5") },
			attr(rfc2865.NASIPAddress_Type, "\xcb\x00\x71\x05"),
		},
		"IPv4 in IPv6": {
			func(a *radiusauth.Authenticator) { a.NASIPAddress = netip.MustParseAddr("::ffff:203.0.113.5") },
			attr(rfc2865.NASIPAddress_Type, "\xcb\x00\x71\x05"),
		},
		"IPv6": {
			func(a *radiusauth.Authenticator) { a.NASIPAddress = netip.MustParseAddr("2001:db8::5") },
			attr(rfc3162.NASIPv6Address_Type, "\x20\x01\x0d\xb8"+strings.Repeat("\x00", 11)+"\x05"),
		},
		"that of the NAS": {
			func(a *radiusauth.Authenticator) {
				a.NASIPAddress = netip.MustParseAddr("2001:db8::5")
				a.RequestAttributes = []radius.AttributeType{{Type: rfc2865.NASIPAddress_Type}}
			},
			attr(rfc2865.NASIPAddress_Type, "\x0a\x00\x00\x01"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				server := serve(t, listen(t, n, first), nil)
				a := asks(n, first)
				tt.change(a)
				_, err := a.Authenticate(t.Context(), &primary.Request{
					Username: "jdoe", Password: "good",
					Packet: nasRequest(attr(rfc2865.NASIPAddress_Type, "\x0a\x00\x00\x01")),
				})
				require.NoError(t, err)
				got := server.last()
				assert.Equal(t, tt.want, got.Attributes[len(got.Attributes)-1])
			})
		})
	}
}

func TestRefusedBeforeAServerIsAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		request primary.Request
		reason  string
	}{
		"empty password":    {primary.Request{Username: "jdoe"}, "empty password"},
		"empty, from a NAS": {primary.Request{Username: "jdoe", Packet: nasRequest()}, "empty password"},
		"empty name":        {primary.Request{Password: "good"}, "empty user name"},
		"NUL in name":       {primary.Request{Username: "jdoe\x00", Password: "good"}, "the user name has a NUL in it"},
		"long name": {primary.Request{Username: strings.Repeat("j", 254), Password: "good"},
			"the user name has more than 253 bytes"},
		"password of NULs": {primary.Request{Username: "jdoe", Password: "\x00\x00"}, "the password has a NUL in it"},
		"password ending in NUL": {primary.Request{Username: "jdoe", Password: "good\x00"},
			"the password has a NUL in it"},
		"long password": {primary.Request{Username: "jdoe", Password: radius.Secret(strings.Repeat("p", 129))},
			"the password has more than 128 bytes"},
		"EAP": {primary.Request{Username: "jdoe", Packet: nasRequest(attr(rfc2869.EAPMessage_Type, "eap"))},
			"the NAS used EAP, which cannot be passed on: set it to PAP, CHAP or MS-CHAP"},
		"CHAP of a wrong length": {primary.Request{Username: "jdoe",
			Packet: nasRequest(attr(rfc2865.CHAPPassword_Type, "short"))}, "empty password"},
		"MS-CHAP without challenge": {primary.Request{Username: "jdoe",
			Packet: nasRequest(vsa(t, 311, 25, strings.Repeat("r", 50)))}, "empty password"},
		"State of nobody": {primary.Request{Username: "jdoe", Password: "good", State: []byte("192.0.2.7:1812\x00s")},
			"the answer's State names a server that is not configured"},
		"State of another kind": {primary.Request{Username: "jdoe", Password: "good", State: []byte("s")},
			"the answer's State names a server that is not configured"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				server := serve(t, listen(t, n, first), nil)
				_, err := asks(n, first).Authenticate(t.Context(), &tt.request)
				assert.Equal(t, tt.reason, requireRejection(t, err).Reason)
				assert.Zero(t, server.asked())
			})
		})
	}
}

func TestPasswordIsEncodedForEachServer(t *testing.T) {
	const password = "pä$$wörd-€"
	for name, tt := range map[string]struct {
		common, own encoding.Encoding
		password    radius.Secret
		want        string // empty: rejected
		reason      string
	}{
		"UTF-8":           {nil, nil, password, password, ""},
		"common":          {charmap.Windows1252, nil, password, "p\xe4$$w\xf6rd-\x80", ""},
		"own":             {charmap.Windows1252, charmap.ISO8859_15, password, "p\xe4$$w\xf6rd-\xa4", ""},
		"bytes as is":     {nil, nil, "p\xe4", "p\xe4", ""},
		"not in charset":  {charmap.ISO8859_1, nil, password, "", "the password cannot be encoded as ISO 8859-1"},
		"not UTF-8":       {charmap.ISO8859_1, nil, "p\xe4", "", "the password is not UTF-8: set the character set that the NAS uses"},
		"shorter encoded": {charmap.ISO8859_1, nil, radius.Secret(strings.Repeat("ä", 128)), strings.Repeat("\xe4", 128), ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				server := serve(t, listen(t, n, first), replies(radius.CodeAccessAccept))
				a := asks(n, first)
				a.Encoding, a.Servers[0].Encoding = tt.common, tt.own
				_, err := a.Authenticate(t.Context(), jdoe(tt.password))
				if tt.want == "" {
					assert.Equal(t, tt.reason, requireRejection(t, err).Reason)
					assert.Zero(t, server.asked())
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.want, rfc2865.UserPassword_GetString(server.last()))
			})
		})
	}
}

func TestCHAPGoesOnWithItsChallenge(t *testing.T) {
	password := attr(rfc2865.CHAPPassword_Type, "\x07"+strings.Repeat("h", 16))
	for name, tt := range map[string]struct {
		packet *radius.Packet
		want   func(*radius.Packet) string
	}{
		"challenge in an attribute": {
			nasRequest(password, attr(rfc2865.CHAPChallenge_Type, "eight...")),
			func(*radius.Packet) string { return "eight..." },
		},
		"challenge is the Request Authenticator": {
			nasRequest(password),
			func(p *radius.Packet) string { return string(p.Authenticator[:]) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				server := serve(t, listen(t, n, first), replies(radius.CodeAccessAccept))
				_, err := asks(n, first).Authenticate(t.Context(), &primary.Request{Username: "jdoe", Packet: tt.packet})
				require.NoError(t, err)
				got := server.last()
				assert.Equal(t, string(password.Attribute), string(rfc2865.CHAPPassword_Get(got)))
				assert.Equal(t, tt.want(tt.packet), string(rfc2865.CHAPChallenge_Get(got)))
				challenges, err := rfc2865.CHAPChallenge_Gets(got)
				require.NoError(t, err)
				assert.Len(t, challenges, 1)
				assert.Nil(t, rfc2865.UserPassword_Get(got))
			})
		})
	}
}

func TestMSCHAPv2GoesOnAndItsAnswerComesBack(t *testing.T) {
	success := "\x01" + "S=" + strings.Repeat("A", 40)
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		server := serve(t, listen(t, n, first), func(w radius.ResponseWriter, r *radius.Request) {
			reply := r.Response(radius.CodeAccessAccept)
			reply.Add(rfc2865.Class_Type, radius.Attribute("not chosen"))
			reply.Attributes = append(reply.Attributes, vsa(t, 311, 26, success, 18, "not of MS-CHAP"))
			_ = w.Write(reply)
		})
		response := vsa(t, 311, 25, msCHAPv2(t, "jdoe", "good"))
		result, err := asks(n, first).Authenticate(t.Context(), &primary.Request{
			Username: "jdoe",
			Packet:   nasRequest(vsa(t, 311, 11, msCHAPChallenge), response, vsa(t, 311, 18, "MSRASV5.20")),
		})
		require.NoError(t, err)
		assert.Equal(t, radius.Attributes{vsa(t, 311, 26, success)}, result.Attributes)
		got := server.last()
		assert.Equal(t, vsa(t, 311, 11, msCHAPChallenge), got.Attributes[2])
		assert.Equal(t, response, got.Attributes[3])
		assert.Nil(t, rfc2865.UserPassword_Get(got))
		assert.Len(t, got.Attributes, 5, "and Message-Authenticator, User-Name, NAS-IP-Address")
	})
}

func TestMSCHAPErrorsReachTheNASAndTheOperator(t *testing.T) {
	for code, want := range map[string]string{
		"\x01E=691 R=1 C=00 V=3 M=Failed": "192.0.2.1:1812 refused the user: MS-CHAP error 691 (wrong name or password)",
		"\x01E=648":                       "192.0.2.1:1812 refused the user: MS-CHAP error 648 (password expired)",
		"\x01E=7 R=0":                     "192.0.2.1:1812 refused the user: MS-CHAP error 7 (unknown)",
		"\x01nothing":                     "192.0.2.1:1812 refused the user",
	} {
		bubble(t, func(t *testing.T, n *radiustest.Network) {
			serve(t, listen(t, n, first), replies(radius.CodeAccessReject, vsa(t, 311, 2, code)))
			_, err := asks(n, first).Authenticate(t.Context(), &primary.Request{
				Username: "jdoe",
				Packet:   nasRequest(vsa(t, 311, 11, msCHAPChallenge, 1, strings.Repeat("r", 50))),
			})
			rejection := requireRejection(t, err)
			assert.Equal(t, want, rejection.Reason)
			assert.Equal(t, radius.Attributes{vsa(t, 311, 2, code)}, rejection.Attributes)
			assert.Empty(t, rejection.Message)
		})
	}
}

const msCHAPChallenge = "0123456789abcdef"

// msCHAPv2 returns the MS-CHAP2-Response (RFC 2548 section 2.3.2) to
// msCHAPChallenge.
func msCHAPv2(t *testing.T, username, password string) string {
	t.Helper()
	const peer = "fedcba9876543210"
	response, err := rfc2759.GenerateNTResponse([]byte(msCHAPChallenge), []byte(peer), []byte(username), []byte(password))
	require.NoError(t, err)
	return "\x01\x00" + peer + strings.Repeat("\x00", 8) + string(response)
}

// chapPassword returns a CHAP-Password (RFC 2865 section 5.3).
func chapPassword(identifier byte, password string, challenge []byte) radius.Attribute {
	hash := md5.Sum(slices.Concat([]byte{identifier}, []byte(password), challenge))
	return append(radius.Attribute{identifier}, hash[:]...)
}
