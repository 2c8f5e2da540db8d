package radius_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius"
)

func TestTheLongestPrefixWins(t *testing.T) {
	var list []radius.Client
	for _, prefix := range []string{
		"10.0.0.0/8", "10.1.2.0/24", "10.1.2.3/32", "10.1.0.0/16", "::ffff:192.0.2.0/120",
		"2001:db8::/32", "2001:db8:1::/48", "2001:db8:1::7/128", "fe80::/64",
	} {
		list = append(list, radius.Client{Prefix: netip.MustParsePrefix(prefix), Secret: secret})
	}
	found := clients(t, list...)
	for source, want := range map[string]string{
		"10.1.2.3":         "10.1.2.3/32",
		"::ffff:10.1.2.3":  "10.1.2.3/32",
		"10.1.2.4":         "10.1.2.0/24",
		"10.1.3.4":         "10.1.0.0/16",
		"10.9.9.9":         "10.0.0.0/8",
		"192.0.2.77":       "192.0.2.0/24",
		"2001:db8:1::7":    "2001:db8:1::7/128",
		"2001:db8:1::8":    "2001:db8:1::/48",
		"2001:db8:2::7":    "2001:db8::/32",
		"fe80::1%eth0":     "fe80::/64",
		"11.0.0.1":         "",
		"2001:db9::1":      "",
		"::10.1.2.3":       "",
		"fe80:0:0:1::%eth": "",
	} {
		c := found.Client(netip.MustParseAddr(source))
		if want == "" {
			assert.Nil(t, c, source)
		} else if assert.NotNil(t, c, source) {
			assert.Equal(t, want, c.Prefix.String(), source)
		}
	}
	assert.Nil(t, found.Client(netip.Addr{}))
	assert.Nil(t, clients(t).Client(netip.MustParseAddr("10.1.2.3")))
}

func TestAPrefixOfLengthZeroIsEverybody(t *testing.T) {
	all := clients(t, radius.Client{Name: "all", Prefix: netip.MustParsePrefix("0.0.0.0/0"), Secret: secret})
	assert.Equal(t, "all", all.Client(netip.MustParseAddr("203.0.113.9")).String())
	assert.Nil(t, all.Client(netip.MustParseAddr("2001:db8::1")), "of IPv4")
}

func TestNewClientsNamesEveryMistake(t *testing.T) {
	_, err := radius.NewClients(
		radius.Client{Name: "none", Secret: secret},
		radius.Client{Name: "open", Prefix: netip.MustParsePrefix("10.0.0.1/32")},
		radius.Client{Name: "first", Prefix: netip.MustParsePrefix("10.0.1.0/24"), Secret: secret},
		radius.Client{Name: "second", Prefix: netip.MustParsePrefix("10.0.1.9/24"), Secret: secret},
		radius.Client{Name: "mixed", Prefix: netip.MustParsePrefix("::ffff:10.0.0.0/90"), Secret: secret},
	)
	require.Error(t, err)
	for _, want := range []string{
		`client "none": no valid prefix`,
		`client open: the shared secret is empty`,
		`client second: prefix 10.0.1.0/24 belongs to client first already`,
		`client "mixed": prefix ::ffff:10.0.0.0/90 mixes IPv4 and IPv6`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), secret)
}

func TestAClientIsCalledByItsNameOrPrefix(t *testing.T) {
	c := &radius.Client{Prefix: netip.MustParsePrefix("10.0.0.0/8")}
	assert.Equal(t, "10.0.0.0/8", c.String())
	c.Name = "vpn"
	assert.Equal(t, "vpn", c.String())
}
