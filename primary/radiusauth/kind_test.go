package radiusauth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/radiusauth"
)

func TestParseKind(t *testing.T) {
	for in, want := range map[string]radiusauth.Kind{
		"Filter-Id":           {Type: 11},
		" class ":             {Type: 25},
		"Tunnel-Password":     {Type: 69},
		"Cisco-AVPair":        {Vendor: 9, Type: 1},
		"fortinet-group-name": {Vendor: 12356, Type: 1},
		"MS-CHAP2-Success":    {Vendor: 311, Type: 26},
		"11":                  {Type: 11},
		"255":                 {Type: 255},
		"26":                  {Type: 26},
		"26.9.1":              {Vendor: 9, Type: 1},
		"26.4294967295.255":   {Vendor: 1<<32 - 1, Type: 255},
	} {
		got, err := radiusauth.ParseKind(in)
		require.NoError(t, err, in)
		assert.Equal(t, want, got, in)
	}
	for _, in := range []string{"", "0", "256", "-1", "26.", "26.9", "26.9.", "26.0.1", "26.9.0", "26.9.256", "26.9.1.1",
		"26.4294967296.1", "25.9.1", "Filter-Ids"} {
		_, err := radiusauth.ParseKind(in)
		assert.ErrorContains(t, err, "is not known by name", "%q", in)
	}
}

func TestKindPrintsAsItIsParsed(t *testing.T) {
	for kind, want := range map[radiusauth.Kind]string{
		{Type: 11}:               "Filter-Id",
		{Type: 240}:              "240",
		{Vendor: 9, Type: 1}:     "Cisco-AVPair",
		{Vendor: 32473, Type: 1}: "26.32473.1",
	} {
		assert.Equal(t, want, kind.String())
	}
}

func FuzzParseKind(f *testing.F) {
	for _, seed := range []string{"Filter-Id", "11", "26.9.1", "26..", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		kind, err := radiusauth.ParseKind(in)
		if err != nil {
			return
		}
		again, err := radiusauth.ParseKind(kind.String())
		require.NoError(t, err)
		require.Equal(t, kind, again)
	})
}
