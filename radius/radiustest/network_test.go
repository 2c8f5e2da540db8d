package radiustest_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius/radiustest"
)

func listen(t *testing.T, n *radiustest.Network, address string) *radiustest.Conn {
	conn, err := n.Listen(address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// numbers sends 1,000 numbered datagrams and returns what arrives, in its order.
func numbers(t *testing.T, n *radiustest.Network) (list []int) {
	from, to := listen(t, n, "192.0.2.7:1"), listen(t, n, "192.0.2.1:1812")
	for i := range 1000 {
		_, err := from.WriteTo([]byte{byte(i >> 8), byte(i)}, to.LocalAddr())
		require.NoError(t, err)
		time.Sleep(time.Millisecond)
	}
	require.NoError(t, to.SetDeadline(time.Now().Add(time.Minute)))
	for b := make([]byte, 9); ; {
		n, source, err := to.ReadFrom(b)
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			return list
		}
		require.Equal(t, 2, n)
		require.Equal(t, "192.0.2.7:1", source.String())
		list = append(list, int(b[0])<<8|int(b[1]))
	}
}

func TestTheZeroNetworkDeliversEverythingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i, got := range numbers(t, new(radiustest.Network)) {
			require.Equal(t, i, got)
		}
	})
}

func TestLossDuplicationAndDelayAreAsAskedFor(t *testing.T) {
	run := func(n *radiustest.Network) (list []int) {
		synctest.Test(t, func(t *testing.T) { list = numbers(t, n) })
		return list
	}
	count := func(list []int) (distinct, twice, overtaken int) {
		seen := map[int]int{}
		for i, number := range list {
			seen[number]++
			if seen[number] == 2 {
				twice++
			}
			if i > 0 && number < list[i-1] {
				overtaken++
			}
		}
		return len(seen), twice, overtaken
	}
	distinct, twice, overtaken := count(run(&radiustest.Network{Loss: 0.3, Seed: 1}))
	assert.InDelta(t, 700, distinct, 60)
	assert.Zero(t, twice+overtaken)

	distinct, twice, _ = count(run(&radiustest.Network{Duplicate: 0.3, Seed: 1}))
	assert.Equal(t, 1000, distinct)
	assert.InDelta(t, 300, twice, 60)

	distinct, twice, overtaken = count(run(&radiustest.Network{MinDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond}))
	assert.Equal(t, 1000, distinct)
	assert.Zero(t, twice)
	assert.NotZero(t, overtaken)

	bad := radiustest.Network{Loss: 0.3, Duplicate: 0.3, Seed: 7}
	again := radiustest.Network{Loss: 0.3, Duplicate: 0.3, Seed: 7}
	assert.Equal(t, run(&bad), run(&again), "the seed repeats it")
	assert.Empty(t, run(&radiustest.Network{Loss: 1, Duplicate: 1}))
}

func TestADelayIsThatLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &radiustest.Network{MinDelay: 3 * time.Second, MaxDelay: 3 * time.Second}
		from, to := listen(t, n, "192.0.2.7:1"), listen(t, n, "192.0.2.1:1812")
		_, err := from.WriteTo([]byte("x"), to.LocalAddr())
		require.NoError(t, err)
		begin := time.Now()
		_, _, err = to.ReadFrom(make([]byte, 1))
		require.NoError(t, err)
		assert.Equal(t, 3*time.Second, time.Since(begin))
	})
}

func TestAReadWaitsUntilItsDeadlineOrTheClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := listen(t, new(radiustest.Network), "192.0.2.1:1812")
		begin := time.Now()
		require.NoError(t, conn.SetReadDeadline(begin.Add(time.Second)))
		_, _, err := conn.ReadFrom(nil)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begin))

		require.NoError(t, conn.SetReadDeadline(time.Time{}))
		time.AfterFunc(time.Second, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
		_, _, err = conn.ReadFrom(nil)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "also one that is set meanwhile")

		require.NoError(t, conn.SetReadDeadline(time.Time{}))
		time.AfterFunc(time.Second, func() { _ = conn.Close() })
		_, _, err = conn.ReadFrom(nil)
		assert.ErrorIs(t, err, net.ErrClosed)
		_, err = conn.WriteTo(nil, conn.LocalAddr())
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.NoError(t, conn.SetWriteDeadline(begin))
	})
}

func TestAddressesAreOpenedOnceAndFreedByClose(t *testing.T) {
	n := new(radiustest.Network)
	conn := listen(t, n, "192.0.2.1:1812")
	for _, address := range []string{"192.0.2.1:1812", "[::ffff:192.0.2.1]:1812", "example.com:1812", "192.0.2.1", ""} {
		_, err := n.Listen(address)
		assert.Error(t, err, address)
	}
	require.NoError(t, conn.Close())
	again := listen(t, n, "192.0.2.1:1812")
	require.NoError(t, conn.Close(), "a second Close")
	_, err := n.Listen("192.0.2.1:1812")
	assert.Error(t, err, "does not close the next one")
	require.NoError(t, again.Close())
}

func TestEachConnectionThatIsDialedHasAPortOfItsOwnAndHearsItsPeerOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(radiustest.Network)
		server, forger := listen(t, n, "192.0.2.1:1812"), listen(t, n, "192.0.2.66:1812")
		dial := n.Dialer("192.0.2.7")
		one, err := dial(context.Background(), "udp", "192.0.2.1:1812")
		require.NoError(t, err)
		two, err := dial(context.Background(), "udp", "[::ffff:192.0.2.1]:1812")
		require.NoError(t, err)
		assert.NotEqual(t, one.LocalAddr().String(), two.LocalAddr().String())
		assert.Equal(t, "192.0.2.1:1812", two.RemoteAddr().String())

		_, err = forger.WriteTo([]byte("forged"), two.LocalAddr())
		require.NoError(t, err)
		// net.ParseIP gives IPv4 addresses another form.
		local := netip.MustParseAddrPort(two.LocalAddr().String())
		_, err = server.WriteTo([]byte("right"), &net.UDPAddr{IP: net.ParseIP(local.Addr().String()), Port: int(local.Port())})
		require.NoError(t, err)
		b := make([]byte, 9)
		length, err := two.Read(b)
		require.NoError(t, err)
		assert.Equal(t, "right", string(b[:length]))
		require.NoError(t, one.Close())
		require.NoError(t, two.Close())
	})
}

func TestWhatCannotBeDialedOrSentIsAnError(t *testing.T) {
	n := new(radiustest.Network)
	for local, remote := range map[string]string{"nowhere": "192.0.2.1:1812", "192.0.2.7": "example.com:1812"} {
		_, err := n.Dialer(local)(context.Background(), "udp", remote)
		assert.ErrorContains(t, err, "radiustest: ")
	}
	conn := listen(t, n, "192.0.2.1:1812")
	_, err := conn.WriteTo(nil, &net.TCPAddr{})
	assert.EqualError(t, err, "radiustest: the address is not a *net.UDPAddr")
}
