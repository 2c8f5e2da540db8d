package radiusauth

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestANameIsAllItsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := lookupAddrs
		defer func() { lookupAddrs = before }()
		lookups, found := 0, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
		var failure error
		lookupAddrs = func(_ context.Context, host string) ([]netip.Addr, error) {
			lookups++
			assert.Equal(t, "nps1.example.com", host)
			return found, failure
		}
		a := &Authenticator{Servers: []Server{{Address: "nps1.example.com:1645"}, {Address: "192.0.2.9"}}, Secret: "secret"}
		require.NoError(t, a.configure())
		addresses := func() (list []string) {
			for _, turn := range a.order(t.Context()) {
				list = append(list, turn.address)
			}
			return list
		}
		want := []string{"192.0.2.1:1645", "[2001:db8::1]:1645", "192.0.2.9:1812"}
		assert.Equal(t, want, addresses())
		assert.Equal(t, want, addresses())
		assert.Equal(t, 1, lookups, "remembered for a while")

		a.order(t.Context())[0].failed(errors.New("no reply"))
		assert.Equal(t, append(want[1:], want[0]), addresses(), "one address is down")

		time.Sleep(nameLasts)
		failure = errors.New("the name server is silent")
		assert.Len(t, addresses(), 3, "what was known goes on")
		failure, found = nil, found[1:]
		time.Sleep(noNameLasts)
		assert.Equal(t, want[1:], addresses())
	})
}

func TestANameThatCannotBeResolvedIsDialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := lookupAddrs
		defer func() { lookupAddrs = before }()
		lookupAddrs = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
		a := &Authenticator{Servers: []Server{{Address: "radius.invalid"}}, Secret: "secret"}
		require.NoError(t, a.configure())
		assert.Equal(t, "radius.invalid:1812", a.order(t.Context())[0].address)
	})
}
