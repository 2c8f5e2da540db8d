package radius

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
)

var discard = slog.New(slog.DiscardHandler)

// scriptedConn is a connection whose reads do what the test says.
type scriptedConn struct {
	read     func(b []byte) (int, net.Addr, error)
	stopping chan struct{} // closed when a deadline is set

	mu      sync.Mutex
	written [][]byte
	to      []net.Addr
}

func (c *scriptedConn) ReadFrom(b []byte) (int, net.Addr, error) { return c.read(b) }

func (c *scriptedConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written, c.to = append(c.written, bytes.Clone(b)), append(c.to, to)
	return len(b), nil
}

func (c *scriptedConn) SetReadDeadline(time.Time) error {
	if c.stopping != nil {
		close(c.stopping)
	}
	return nil
}

func (c *scriptedConn) Close() error                     { return nil }
func (c *scriptedConn) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

func testServer(t testing.TB, logTo io.Writer) *Server {
	list, err := NewClients(Client{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Secret: vectorSecret})
	require.NoError(t, err)
	return &Server{Clients: list, Logger: slog.New(slog.NewTextHandler(logTo, nil)),
		Handler: HandlerFunc(func(w ResponseWriter, r *Request) {
			_ = w.Write(&Packet{Code: CodeAccessAccept})
		})}
}

// Windows reports an unreachable port of an earlier reply at the next read.
func TestFailedReadsPassAndCostLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		server := testServer(t, &log)
		reads := 0
		conn := &scriptedConn{stopping: make(chan struct{})}
		conn.read = func(b []byte) (int, net.Addr, error) {
			switch reads++; {
			case reads <= 500:
				return 0, nil, errors.New("port unreachable")
			case reads == 501:
				return copy(b, unhex(t, vector71Request)), &net.UDPAddr{IP: net.ParseIP("192.0.2.1"), Port: 9}, nil
			case reads == 502: // an hour later the same again: it is not the same trouble
				time.Sleep(time.Hour)
				return 0, nil, errors.New("port unreachable")
			}
			<-conn.stopping
			return 0, nil, os.ErrDeadlineExceeded
		}
		begin := time.Now()
		ended := make(chan error)
		go func() { ended <- server.Serve(conn) }()
		time.Sleep(501 * readPause)
		synctest.Wait()
		assert.EqualValues(t, 1, server.Stats().Handled)
		require.Len(t, conn.written, 1)
		assert.Equal(t, "192.0.2.1:9", conn.to[0].String())
		assert.Less(t, time.Since(begin), time.Second)

		time.Sleep(2 * time.Hour)
		require.NoError(t, server.Shutdown(t.Context()))
		assert.Equal(t, ErrServerClosed, <-ended)
		assert.Equal(t, 2, strings.Count(log.String(), "reading failed, trying again"), log.String())
		assert.Contains(t, log.String(), "more_since_last=499")
	})
}

func TestServeGivesUpAConnectionThatFailsFor10Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no such device")
		begin := time.Now()
		server := testServer(t, io.Discard)
		err := server.Serve(&scriptedConn{read: func([]byte) (int, net.Addr, error) { return 0, nil, broken }})
		assert.ErrorIs(t, err, broken)
		assert.ErrorContains(t, err, "radius: read")
		assert.InDelta(t, 10, time.Since(begin).Seconds(), 0.1)
		assert.Empty(t, server.running())
	})
}

func TestServeEndsWhenItsConnectionIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := testServer(t, io.Discard)
		cancelled := false
		server.Handler = HandlerFunc(func(_ ResponseWriter, r *Request) {
			<-r.Context().Done()
			cancelled = true
		})
		reads := 0
		err := server.Serve(&scriptedConn{read: func(b []byte) (int, net.Addr, error) {
			if reads++; reads == 1 {
				return copy(b, unhex(t, vector71Request)), &net.UDPAddr{IP: net.ParseIP("192.0.2.1"), Port: 9}, nil
			}
			return 0, nil, net.ErrClosed
		}})
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.True(t, cancelled, "and every handler has returned")
		assert.Zero(t, server.Stats().InFlight)
	})
}

type namedAddr string

func (namedAddr) Network() string  { return "udp" }
func (a namedAddr) String() string { return string(a) }

func TestConnectionsWithOtherAddressesAreServed(t *testing.T) {
	conn := &scriptedConn{}
	for address, want := range map[string]string{"192.0.2.1:7": "192.0.2.1:7", "[fe80::1%eth0]:7": "[fe80::1%eth0]:7"} {
		conn.read = func([]byte) (int, net.Addr, error) { return 3, namedAddr(address), nil }
		n, from, err := newPacketConn(conn).read(nil)
		require.NoError(t, err)
		assert.Equal(t, 3, n)
		assert.Equal(t, want, from.addr.String())
	}
	conn.read = func([]byte) (int, net.Addr, error) { return 3, namedAddr("/run/socket"), nil }
	_, _, err := newPacketConn(conn).read(nil)
	assert.ErrorContains(t, err, `"/run/socket" is not an IP address and port`)
}

// bufferedConn has a receive buffer that cannot be set.
type bufferedConn struct{ scriptedConn }

func (c *bufferedConn) SetReadBuffer(int) error { return errors.New("no buffer space") }

func TestASmallReceiveBufferIsWarnedOf(t *testing.T) {
	var log bytes.Buffer
	server := testServer(t, &log)
	server.growReadBuffer(new(bufferedConn))
	assert.Contains(t, log.String(), "the receive buffer cannot be set")

	log.Reset()
	server.growReadBuffer(new(scriptedConn)) // has none
	assert.Empty(t, log.String())

	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	server.ReadBuffer = 4096
	server.growReadBuffer(conn)
	assert.Empty(t, log.String())
	got, known := readBuffer(conn)
	if !known {
		t.Skip("this system does not tell the size")
	}
	assert.GreaterOrEqual(t, got, 4096/2)
	server.ReadBuffer = 1 << 30
	server.growReadBuffer(conn)
	assert.Contains(t, log.String(), "receive buffer")
	assert.Contains(t, log.String(), "want=1073741824")
}

// Devices that are remembered for MessageAuthenticatorAuto are bounded.
func TestTheSignersAreBounded(t *testing.T) {
	server := testServer(t, io.Discard)
	w := scanned(t, mustSign(t, &Packet{Code: CodeAccessRequest}, vectorSecret))
	client, k := &Client{Secret: vectorSecret}, newKey(vectorSecret)
	for i := range maxSigners + 10 {
		source := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1)
		_, ok := server.verify(w, peer{addr: source}, client, k)
		require.True(t, ok)
	}
	assert.Len(t, server.signers.devices, maxSigners)
}

// A source may make a Client for each datagram.
func TestTheKeysAreBounded(t *testing.T) {
	socket := testServer(t, io.Discard).newSocket(new(scriptedConn))
	defer socket.cancel()
	for range 2 * maxKeys {
		assert.NotNil(t, socket.keyOf(&Client{Secret: vectorSecret}))
		require.LessOrEqual(t, len(socket.keys), maxKeys)
	}
	same := &Client{Secret: "same"}
	assert.Same(t, socket.keyOf(same), socket.keyOf(same))
}

// FuzzReceive gives any bytes to the whole server: each datagram is counted
// once, only what may be served reaches the handler, and what is answered is
// answered once, signed.
func FuzzReceive(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add(unhex(f, vector71Request), true)
	f.Add(unhex(f, vector71Request), false)
	f.Add(unhex(f, vector73Challenge), true)
	f.Add(withAttributes(CodeAccessRequest, "\x4f\x03e"), true)
	for _, code := range []Code{CodeAccessRequest, CodeStatusServer} {
		b := mustSign(f, &Packet{Code: code, Identifier: 7}, vectorSecret)
		f.Add(b, true)
		f.Add(b, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, known bool) {
		conn := new(scriptedConn)
		server := testServer(t, io.Discard)
		server.Logger = discard
		socket := server.newSocket(conn)
		source := netip.MustParseAddrPort("198.51.100.1:1")
		if known {
			source = netip.MustParseAddrPort("192.0.2.1:1")
		}
		socket.receive(b, peer{addr: source})
		socket.endReceiving()
		require.NoError(t, socket.stop(context.Background()))

		stats := server.Stats()
		dropped := uint64(0)
		for _, n := range stats.Dropped {
			dropped += n
		}
		require.EqualValues(t, 1, stats.Handled+stats.Statuses+dropped)
		if dropped == 1 {
			require.Empty(t, conn.written)
			return
		}
		require.True(t, known && mayBeServed(b), "served")
		require.Len(t, conn.written, 1)
		require.True(t, layeh.IsAuthenticResponse(conn.written[0], b, []byte(vectorSecret)))
		require.True(t, scanned(t, conn.written[0]).signed(newKey(vectorSecret), [16]byte(b[4:20])))
	})
}

// mayBeServed decides by layeh's parser and the textbook HMAC.
func mayBeServed(b []byte) bool {
	p, err := layeh.Parse(b, []byte(vectorSecret))
	if err != nil || p.Code != CodeAccessRequest && p.Code != CodeStatusServer {
		return false
	}
	mac, signed := p.Lookup(rfc2869.MessageAuthenticator_Type)
	if !signed {
		_, eap := p.Lookup(rfc2869.EAPMessage_Type)
		return p.Code == CodeAccessRequest && !eap
	}
	at := headerLength + 2
	for _, a := range p.Attributes {
		if a.Type == rfc2869.MessageAuthenticator_Type {
			break
		}
		at += 2 + len(a.Attribute)
	}
	length := int(b[2])<<8 | int(b[3])
	return bytes.Equal(mac, messageAuthenticator(vectorSecret, b[:length], p.Authenticator, at))
}

func TestTheLimiterCountsWhatItHides(t *testing.T) {
	var l limiter
	now := time.Now()
	for i, c := range []struct {
		after  time.Duration
		hidden uint64
		ok     bool
	}{{0, 0, true}, {1, 0, false}, {logEvery - 1, 0, false}, {logEvery, 2, true}, {logEvery + 1, 0, false}, {3 * logEvery, 1, true}} {
		hidden, ok := l.allow(now.Add(c.after))
		assert.Equal(t, c.ok, ok, i)
		assert.Equal(t, c.hidden, hidden, i)
	}
}

// The contexts and writers of requests are ours, and get into logs by mistake.
func TestARequestPrintsNothing(t *testing.T) {
	p := &Packet{Code: CodeAccessRequest}
	require.NoError(t, rfc2865.State_SetString(p, "0123456789abcdef"))
	w := scanned(t, mustSign(t, p, vectorSecret))
	server := testServer(t, io.Discard)
	socket := server.newSocket(new(scriptedConn))
	defer socket.cancel()
	client := server.Clients.Client(netip.MustParseAddr("192.0.2.1"))
	r := &request{Context: socket.ctx, dispatcher: socket.dispatcher, peer: peer{addr: netip.MustParseAddrPort("192.0.2.1:9")},
		client: client, key: socket.keyOf(client), wire: w}
	r.wire.parse(&r.packet, r.key.secret, new(room))
	out := printed(t, r)
	assert.Contains(t, out, "radius.request(192.0.2.1:9)")
	for _, hidden := range []string{vectorSecret, "0123456789abcdef"} {
		assertHidden(t, out, hidden)
	}
}
