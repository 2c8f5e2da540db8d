package radius_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius"
)

func TestParseAttributeType(t *testing.T) {
	for in, want := range map[string]radius.AttributeType{
		"Filter-Id":                 {Type: 11},
		" class ":                   {Type: 25},
		"Tunnel-Password":           {Type: 69},
		"Cisco-AVPair":              {Vendor: 9, Type: 1},
		"fortinet-group-name":       {Vendor: 12356, Type: 1},
		"MS-CHAP2-Success":          {Vendor: 311, Type: 26},
		"11":                        {Type: 11},
		"255":                       {Type: 255},
		"26":                        {Type: 26},
		"26.9.1":                    {Vendor: 9, Type: 1},
		"3076:85":                   {Vendor: 3076, Type: 85},
		"CVPN3000-IPSec-Banner1":    {Vendor: 3076, Type: 15},
		"ASA-Group-Policy":          {Vendor: 3076, Type: 25},
		"Juniper-Local-User-Name":   {Vendor: 2636, Type: 1},
		"Ascend-Client-Primary-DNS": {Vendor: 529, Type: 135},
		"HP-Privilege-Level":        {Vendor: 11, Type: 1},
		"WISPr-Location-ID":         {Vendor: 14122, Type: 1},
		"NS-Admin-Privilege":        {Vendor: 3224, Type: 1},
		"Ruckus-User-Groups":        {Vendor: 25053, Type: 1},
		"26.4294967295.255":         {Vendor: 1<<32 - 1, Type: 255},
	} {
		got, err := radius.ParseAttributeType(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "0", "256", "-1", "26.", "26.9", "26.9.", "26.0.1", "26.9.0", "26.9.256", "26.9.1.1",
		"26.4294967296.1", "25.9.1", "9:", ":1", "0:1", "9:256", "Filter-Ids"} {
		_, err := radius.ParseAttributeType(in)
		assert.ErrorContains(t, err, "is not known by name", "%q", in)
	}
}

func TestAttributeTypesPrintAsTheyAreParsed(t *testing.T) {
	for kind, want := range map[radius.AttributeType]string{
		{Type: 11}:               "Filter-Id",
		{Type: 240}:              "240",
		{Vendor: 9, Type: 1}:     "Cisco-AVPair",
		{Vendor: 32473, Type: 1}: "26.32473.1",
	} {
		assert.Equal(t, want, kind.String())
	}
}

func FuzzParseAttributeType(f *testing.F) {
	for _, seed := range []string{"Filter-Id", "11", "26.9.1", "26..", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		kind, err := radius.ParseAttributeType(in)
		if err != nil {
			return
		}
		again, err := radius.ParseAttributeType(kind.String())
		require.NoError(t, err)
		require.Equal(t, kind, again)
	})
}

func TestLookupOfVendorsAttributes(t *testing.T) {
	vsa := func(vendor uint32, inner ...radius.AVP) *radius.AVP {
		value, err := radius.NewVendorSpecific(vendor, inner...)
		require.NoError(t, err)
		return &radius.AVP{Type: 26, Attribute: value}
	}
	attributes := radius.Attributes{
		{Type: 7, Attribute: radius.Attribute("no vendor's")},
		{Type: 26, Attribute: radius.Attribute("odd")},
		vsa(9, radius.AVP{Type: 7, Attribute: radius.Attribute("another vendor's")}),
		vsa(25461, radius.AVP{Type: 1, Attribute: radius.Attribute("one")}, radius.AVP{Type: 7, Attribute: radius.Attribute("first")}),
		vsa(25461, radius.AVP{Type: 7, Attribute: radius.Attribute("second")}, radius.AVP{Type: 8}),
	}
	value, ok := radius.AttributeType{Vendor: 25461, Type: 7}.Lookup(attributes)
	assert.True(t, ok)
	assert.Equal(t, "first", string(value))
	value, ok = radius.AttributeType{Vendor: 25461, Type: 8}.Lookup(attributes)
	assert.True(t, ok, "there, and empty")
	assert.Empty(t, value)
	_, ok = radius.AttributeType{Vendor: 25461, Type: 9}.Lookup(attributes)
	assert.False(t, ok)
}

func TestLookupLeavesOutTheTag(t *testing.T) {
	for value, want := range map[string]string{"\x01192.0.2.7": "192.0.2.7", "192.0.2.7": "192.0.2.7", "\x00x": "x", "": ""} {
		p := radius.Attributes{{Type: 66, Attribute: radius.Attribute(value)}}
		got, ok := radius.AttributeType{Type: 66}.Lookup(p)
		assert.True(t, ok)
		assert.Equal(t, want, string(got), "%q", value)
	}
	got, _ := radius.AttributeType{Type: 25}.Lookup(radius.Attributes{{Type: 25, Attribute: radius.Attribute("\x01x")}})
	assert.Equal(t, "\x01x", string(got), "is no tunnel's")
}

func TestReplyAttributes(t *testing.T) {
	mschapError := vsaOf(t, 311, 2)
	all := radius.Attributes{mschapError, vsaOf(t, 9, 1)}
	for i := radius.Type(1); i < 100; i++ {
		if i != 26 {
			all.Add(i, radius.Attribute("x"))
		}
	}
	types := func(code radius.Code) (list []int) {
		for _, a := range radius.ReplyAttributes(code, all) {
			list = append(list, int(a.Type))
		}
		return list
	}
	assert.Equal(t, []int{26, 18, 75}, types(radius.CodeAccessReject))
	assert.Same(t, mschapError, radius.ReplyAttributes(radius.CodeAccessReject, all)[0])
	assert.Equal(t, []int{26, 26, 18, 27, 28, 71, 73, 74, 76, 84}, types(radius.CodeAccessChallenge))
	accept := types(radius.CodeAccessAccept)
	assert.Subset(t, accept, []int{1, 6, 7, 8, 9, 11, 18, 22, 25, 26, 27, 28, 64, 65, 66, 67, 69, 81, 88, 89, 96, 97})
	for _, never := range []int{2, 3, 4, 24, 30, 31, 32, 33, 40, 60, 61, 79, 80, 87} {
		assert.NotContains(t, accept, never)
	}
	fine := radius.Attributes{{Type: 25, Attribute: radius.Attribute("x")}}
	assert.Equal(t, fine, radius.ReplyAttributes(radius.CodeAccessAccept, fine))
}

func vsaOf(t *testing.T, vendor uint32, inner radius.Type) *radius.AVP {
	value, err := radius.NewVendorSpecific(vendor, radius.AVP{Type: inner, Attribute: radius.Attribute("x")})
	require.NoError(t, err)
	return &radius.AVP{Type: 26, Attribute: value}
}
