package radius

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
)

// BenchmarkDrop measures what a datagram costs that goes no further.
func BenchmarkDrop(b *testing.B) {
	socket := testServer(b, discardWriter{}).newSocket(new(scriptedConn))
	defer socket.cancel()
	forged := mustSign(b, layeh.New(CodeAccessRequest, nil), "another secret")
	for name, source := range map[string]string{"unknown-sender": "198.51.100.1:1", "forged": "192.0.2.1:1"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			from := netip.MustParseAddrPort(source)
			socket.receive(forged, peer{addr: from})
			for b.Loop() {
				socket.receive(forged, peer{addr: from})
			}
		})
	}
}

type discardWriter struct{}

func (discardWriter) Write(b []byte) (int, error) { return len(b), nil }

// BenchmarkKnownSenderDuringFlood measures by how much the round trip of a known
// NAS becomes longer (medians) while an unknown one sends 50,000 datagrams a
// second.
func BenchmarkKnownSenderDuringFlood(b *testing.B) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(b, err)
	flooder, err := net.ListenPacket("udp4", "127.0.0.2:0")
	if err != nil {
		_ = conn.Close()
		b.Skip("needs a second loopback address: ", err)
	}
	list, err := NewClients(Client{Prefix: netip.MustParsePrefix("127.0.0.1/32"), Secret: vectorSecret})
	require.NoError(b, err)
	server := testServer(b, discardWriter{})
	server.Clients = list
	ended := make(chan error)
	go func() { ended <- server.Serve(conn) }()

	const roundTrips = 2000
	quiet := medianRoundTrip(b, conn.LocalAddr().String(), roundTrips)
	ctx, cancel := context.WithCancel(context.Background())
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		flood(ctx, flooder, conn.LocalAddr())
	}()
	var during time.Duration
	for b.Loop() {
		during = medianRoundTrip(b, conn.LocalAddr().String(), roundTrips)
	}
	cancel()
	<-flooded
	_ = flooder.Close()
	require.NoError(b, server.Close())
	require.ErrorIs(b, <-ended, ErrServerClosed)

	stats := server.Stats()
	require.NotZero(b, stats.Dropped[DropUnknownClient])
	b.ReportMetric(float64(during)/float64(quiet), "flooded/quiet")
	b.ReportMetric(float64(stats.Dropped[DropUnknownClient]), "dropped")
	b.ReportMetric(0, "ns/op")
}

func medianRoundTrip(b *testing.B, to string, n int) time.Duration {
	conn, err := net.Dial("udp4", to)
	require.NoError(b, err)
	defer func() { _ = conn.Close() }()
	times, in := make([]time.Duration, 0, n), make([]byte, 4096)
	for range n {
		request := mustSign(b, layeh.New(CodeAccessRequest, nil), vectorSecret)
		begin := time.Now()
		_, err := conn.Write(request)
		require.NoError(b, err)
		_ = conn.SetReadDeadline(begin.Add(time.Second))
		if _, err := conn.Read(in); err == nil {
			times = append(times, time.Since(begin))
		}
	}
	require.NotEmpty(b, times)
	slices.Sort(times)
	return times[len(times)/2]
}

// flood sends 50 datagrams in each millisecond.
func flood(ctx context.Context, conn net.PacketConn, to net.Addr) {
	datagram := withAttributes(CodeAccessRequest, "\x01\x06nemo")
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for range 50 {
				_, _ = conn.WriteTo(datagram, to)
			}
		}
	}
}
