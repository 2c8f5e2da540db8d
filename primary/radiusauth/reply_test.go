package radiusauth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2868"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// everything is a reply with attributes of every sort.
func everything(t *testing.T) []*radius.AVP {
	t.Helper()
	return []*radius.AVP{
		attr(rfc2865.Class_Type, "one"),
		attr(rfc2865.State_Type, "state"),
		vsa(t, 32473, 1, "unknown vendor"),
		attr(rfc2865.Class_Type, "two"),
		attr(rfc2865.VendorSpecific_Type, "\x00\x00\x01\xad\x00"), // no list of attributes
		attr(rfc2865.ReplyMessage_Type, "welcome\a"),
		attr(rfc2865.FilterID_Type, ""),
		vsa(t, 9, 1, "ip:addr-pool=staff", 37, "policy", 1, "again"),
		attr(rfc2865.FilterID_Type, "vpn"),
	}
}

func TestPassThrough(t *testing.T) {
	all := everything(t)
	for name, tt := range map[string]struct {
		all  bool
		some []radius.AttributeType
		want radius.Attributes
	}{
		"none": {false, nil, nil},
		"all": {true, nil, radius.Attributes{all[0], all[2], all[3], all[4],
			attr(rfc2865.ReplyMessage_Type, "welcome"), all[7], all[8]}},
		"several of a kind":            {false, []radius.AttributeType{{Type: 25}}, radius.Attributes{all[0], all[3]}},
		"two kinds, in their order":    {false, []radius.AttributeType{{Type: 11}, {Type: 25}}, radius.Attributes{all[0], all[3], all[8]}},
		"a vendor's kind among more":   {false, []radius.AttributeType{{Vendor: 9, Type: 1}}, radius.Attributes{vsa(t, 9, 1, "ip:addr-pool=staff", 1, "again")}},
		"a vendor nobody knows":        {false, []radius.AttributeType{{Vendor: 32473, Type: 1}}, radius.Attributes{all[2]}},
		"all vendors":                  {false, []radius.AttributeType{{Type: 26}}, radius.Attributes{all[2], all[4], all[7]}},
		"what is not there":            {false, []radius.AttributeType{{Vendor: 10, Type: 1}, {Type: 99}}, nil},
		"the text":                     {false, []radius.AttributeType{{Type: 18}}, radius.Attributes{attr(rfc2865.ReplyMessage_Type, "welcome")}},
		"MS-CHAP when it was not used": {false, []radius.AttributeType{{Vendor: 311, Type: 26}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				serve(t, listen(t, n, first), replies(radius.CodeAccessAccept, all...))
				a := asks(n, first)
				a.PassThroughAll, a.PassThrough = tt.all, tt.some
				result, err := a.Authenticate(t.Context(), jdoe("good"))
				require.NoError(t, err)
				if len(tt.want) == 0 {
					assert.Empty(t, result.Attributes)
					return
				}
				assert.Equal(t, tt.want, result.Attributes)
			})
		})
	}
}

func TestTextsOfARejectOrChallengeAreItsMessageOnly(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		code := radius.CodeAccessReject
		serve(t, listen(t, n, first), func(w radius.ResponseWriter, r *radius.Request) {
			replies(code, everything(t)...)(w, r)
		})
		a := asks(n, first)
		a.PassThroughAll = true
		_, err := a.Authenticate(t.Context(), jdoe("bad"))
		rejection := requireRejection(t, err)
		assert.Equal(t, "welcome", rejection.Message)
		assert.Nil(t, rejection.Attributes.Get(rfc2865.ReplyMessage_Type))
		assert.Len(t, rejection.Attributes, 6)

		code = radius.CodeAccessChallenge
		_, err = a.Authenticate(t.Context(), jdoe("bad"))
		challenge := requireChallenge(t, err)
		assert.Equal(t, "welcome", challenge.Message)
		assert.Nil(t, challenge.Attributes.Get(rfc2865.ReplyMessage_Type))
		assert.Nil(t, challenge.Attributes.Get(rfc2865.State_Type))
		assert.Len(t, challenge.Attributes, 6)
	})
}

func TestTextForTheUser(t *testing.T) {
	full := strings.Repeat("x", 252)
	for name, tt := range map[string]struct {
		texts []string
		want  string
	}{
		"none":                    {nil, ""},
		"one":                     {[]string{"bob is not allowed"}, "bob is not allowed"},
		"two":                     {[]string{"first", "second"}, "first\nsecond"},
		"empty ones":              {[]string{"", "a", "", "b", ""}, "a\nb"},
		"control characters":      {[]string{"a\x1b[2J\x07b\x7f\r\nc\x00", "\xc2\x9bd"}, "a[2Jb\nc\nd"},
		"long one in two":         {[]string{full + "x", "y"}, full + "xy"},
		"cut within a letter":     {[]string{full + "\xc3", "\xa4", "z"}, full + "ä\nz"},
		"another character set":   {[]string{"Kennwort ung\xfcltig"}, "Kennwort ungültig"},
		"UTF-8 all the same":      {[]string{"Kennwort ungültig"}, "Kennwort ungültig"},
		"nothing but white space": {[]string{" \r\n"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *radiustest.Network) {
				var attributes []*radius.AVP
				for _, text := range tt.texts {
					attributes = append(attributes, attr(rfc2865.ReplyMessage_Type, text))
				}
				serve(t, listen(t, n, first), replies(radius.CodeAccessReject, attributes...))
				a := asks(n, first)
				a.Encoding = charmap.Windows1252
				_, err := a.Authenticate(t.Context(), jdoe("bad"))
				rejection := requireRejection(t, err)
				assert.Equal(t, tt.want, rejection.Message)
				assert.NotContains(t, rejection.Reason, "\n")
			})
		})
	}
}

// What grows when it becomes UTF-8 must not make the Access-Accept impossible.
func TestTextThatGrowsIsSplitBetweenLetters(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, first), replies(radius.CodeAccessAccept,
			attr(rfc2865.ReplyMessage_Type, "x"+strings.Repeat("\xe4", 200)), attr(rfc2865.ReplyMessage_Type, "end")))
		a := asks(n, first)
		a.Encoding, a.PassThroughAll = charmap.ISO8859_1, true
		result, err := a.Authenticate(t.Context(), jdoe("good"))
		require.NoError(t, err)
		assert.Equal(t, radius.Attributes{
			attr(rfc2865.ReplyMessage_Type, "x"+strings.Repeat("ä", 126)),
			attr(rfc2865.ReplyMessage_Type, strings.Repeat("ä", 74)),
			attr(rfc2865.ReplyMessage_Type, "end"),
		}, result.Attributes)
	})
}

func TestChallengeGoesBackToTheServerThatAsked(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		one := serve(t, listen(t, n, first), nil)
		two := serve(t, listen(t, n, second), func(w radius.ResponseWriter, r *radius.Request) {
			switch {
			case rfc2865.State_GetString(r.Packet) == "s\x00tate" && rfc2865.UserPassword_GetString(r.Packet) == "4242":
				replies(radius.CodeAccessAccept)(w, r)
			case rfc2865.State_Get(r.Packet) != nil:
				replies(radius.CodeAccessReject)(w, r)
			default:
				replies(radius.CodeAccessChallenge, attr(rfc2865.ReplyMessage_Type, "PIN?"),
					attr(rfc2865.State_Type, "s\x00tate"), attr(rfc2869.Prompt_Type, "\x00\x00\x00\x01"))(w, r)
			}
		})
		a := asks(n, second, first)
		a.PassThrough = []radius.AttributeType{{Type: rfc2869.Prompt_Type}}
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		challenge := requireChallenge(t, err)
		assert.Equal(t, "PIN?", challenge.Message)
		assert.Equal(t, radius.Attributes{attr(rfc2869.Prompt_Type, "\x00\x00\x00\x01")}, challenge.Attributes)

		other := asks(n, first, second) // after a restart with the servers in another order
		_, err = other.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "4242", State: challenge.State})
		require.NoError(t, err)
		_, err = a.Authenticate(t.Context(), &primary.Request{Username: "jdoe", State: challenge.State})
		_ = requireRejection(t, err)
		assert.Equal(t, 3, two.asked(), "the empty answer too: the server decides what it means")
		assert.Zero(t, one.asked())

		two.stop()
		_, err = a.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "4242", State: challenge.State})
		assertUnknown(t, err)
		assert.Zero(t, one.asked(), "the other does not know the State")
	})
}

func TestChallengeWithoutTextOrState(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		server := serve(t, listen(t, n, first), replies(radius.CodeAccessChallenge))
		a := asks(n, first)
		_, err := a.Authenticate(t.Context(), jdoe("good"))
		challenge := requireChallenge(t, err)
		assert.NotEmpty(t, challenge.Message)
		require.NotEmpty(t, challenge.State)
		_, err = a.Authenticate(t.Context(), &primary.Request{Username: "jdoe", Password: "x", State: challenge.State})
		_ = requireChallenge(t, err)
		assert.Nil(t, server.last().Get(rfc2865.State_Type))
	})
}

func TestKeysAreEncryptedAnewForTheNAS(t *testing.T) {
	bubble(t, func(t *testing.T, n *radiustest.Network) {
		serve(t, listen(t, n, first), func(w radius.ResponseWriter, r *radius.Request) {
			reply := r.Response(radius.CodeAccessAccept)
			_ = rfc2868.TunnelPassword_AddString(reply, 1, "tunnel-secret")
			_ = microsoft.MSMPPESendKey_AddString(reply, "sixteen bytes...")
			reply.Add(rfc2868.TunnelPassword_Type, radius.Attribute("\x02\x00\x00not encrypted at all"))
			_ = w.Write(reply)
		})
		a := asks(n, first)
		a.PassThroughAll = true
		result, err := a.Authenticate(t.Context(), jdoe("good"))
		require.NoError(t, err)
		require.Len(t, result.Attributes, 2, "the one that is in clear is left out")

		nas := nasRequest()
		accept := nas.Response(radius.CodeAccessAccept)
		accept.Attributes, err = radius.EncryptKeys(result.Attributes, radius.Secret(nas.Secret), nas.Authenticator)
		require.NoError(t, err)
		tag, password := rfc2868.TunnelPassword_GetString(accept, nas)
		assert.Equal(t, byte(1), tag)
		assert.Equal(t, "tunnel-secret", password)
		assert.Equal(t, "sixteen bytes...", microsoft.MSMPPESendKey_GetString(accept, nas))
	})
}
