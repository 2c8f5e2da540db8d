//go:build !race

// The race detector makes sync.Pool forget on purpose.

package radius

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
)

func TestTheWireIsReadAndSignedWithoutAllocation(t *testing.T) {
	p := layeh.New(CodeAccessRequest, []byte(vectorSecret))
	require.NoError(t, rfc2865.UserName_SetString(p, "nemo"))
	b, k := mustSign(t, p, vectorSecret), newKey(vectorSecret)
	allocations := testing.AllocsPerRun(1000, func() {
		w, err := scan(b)
		if err != nil || !w.signed(k, w.authenticator()) || w.authentic(k, w.authenticator()) {
			t.Error("wrong")
		}
	})
	assert.Less(t, allocations, 0.1)
}

func TestADroppedDatagramCostsNoAllocation(t *testing.T) {
	list, err := NewClients(Client{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Secret: vectorSecret})
	require.NoError(t, err)
	socket := (&Server{Clients: list, Logger: discard}).newSocket(new(scriptedConn))
	defer socket.cancel()
	unsigned := unhex(t, vector71Request)
	forged := mustSign(t, &Packet{Code: CodeAccessRequest}, "another")
	for reason, c := range map[DropReason]struct {
		source   string
		datagram []byte
	}{
		DropUnknownClient:           {"198.51.100.1:1", unsigned},
		DropMalformed:               {"192.0.2.1:1", unsigned[:30]},
		DropCode:                    {"192.0.2.1:1", []byte("\x02\x01\x00\x14authenticator---")},
		DropNoMessageAuthenticator:  {"192.0.2.1:1", withAttributes(CodeAccessRequest, "\x4f\x03e")},
		DropBadMessageAuthenticator: {"192.0.2.1:1", forged},
	} {
		source := netip.MustParseAddrPort(c.source)
		socket.receive(c.datagram, peer{addr: source}) // the one that is logged
		before := socket.server.dropped[reason].Load()
		allocations := testing.AllocsPerRun(1000, func() { socket.receive(c.datagram, peer{addr: source}) })
		assert.Less(t, allocations, 0.1, reason)
		assert.EqualValues(t, 1001, socket.server.dropped[reason].Load()-before, reason)
	}
}
