package radius_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/json"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const (
	secret  = "xyzzy5461"
	address = "192.0.2.1:1812" // of the server
	nasIP   = "198.51.100.7"   // of a client of the server
	nasAddr = nasIP + ":40000"
)

// lab is a server on a network in memory.
type lab struct {
	*testing.T
	server  *radius.Server
	network *radiustest.Network
	log     *logBuffer
	ended   chan struct{} // closed when Serve has returned
	err     error         // that of Serve
}

// start serves on the network; the zero values of what the test does not care
// for are filled in. It is called in a synctest bubble.
func start(t *testing.T, server *radius.Server, network *radiustest.Network) *lab {
	t.Helper()
	l := &lab{T: t, server: server, network: network, log: new(logBuffer), ended: make(chan struct{})}
	if server.Clients == nil {
		server.Clients = clients(t, radius.Client{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Secret: secret})
	}
	if server.Logger == nil {
		server.Logger = l.log.logger()
	}
	conn, err := network.Listen(address)
	require.NoError(t, err)
	go func() {
		defer close(l.ended)
		l.err = server.Serve(conn)
	}()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		<-l.ended
	})
	synctest.Wait()
	return l
}

func clients(t testing.TB, list ...radius.Client) *radius.Clients {
	c, err := radius.NewClients(list...)
	require.NoError(t, err)
	return c
}

// nas logs in from nasIP, and tries often.
func (l *lab) nas() *radiustest.NAS {
	return &radiustest.NAS{Server: address, Secret: secret, Exchanger: radius.Exchanger{
		Interval: time.Second, Tries: 1000, Dial: l.network.Dialer(nasIP)}}
}

// peer sends and receives raw datagrams.
type peer struct {
	*testing.T
	conn *radiustest.Conn
}

func (l *lab) peer(local string) *peer {
	conn, err := l.network.Listen(local)
	require.NoError(l, err)
	l.Cleanup(func() { _ = conn.Close() })
	return &peer{l.T, conn}
}

// send sends the datagram and waits until everything that follows at once is
// done.
func (p *peer) send(datagram []byte) {
	_, err := p.conn.WriteToUDPAddrPort(datagram, netip.MustParseAddrPort(address))
	require.NoError(p, err)
	synctest.Wait()
}

// received returns the datagrams that have come since the last call.
func (p *peer) received() (list [][]byte) {
	synctest.Wait()
	require.NoError(p, p.conn.SetReadDeadline(time.Now().Add(time.Nanosecond)))
	for {
		b := make([]byte, 5000)
		n, from, err := p.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return list
		}
		require.Equal(p, address, from.String())
		list = append(list, b[:n])
	}
}

// reply returns the one datagram that has come, parsed and verified as the
// reply to request.
func (p *peer) reply(request []byte) *radius.Packet {
	p.Helper()
	list := p.received()
	require.Len(p, list, 1)
	return verified(p, list[0], request)
}

// verified checks both signatures of a reply by other means than our own code.
func verified(t testing.TB, b, request []byte) *radius.Packet {
	t.Helper()
	require.True(t, layeh.IsAuthenticResponse(b, request, []byte(secret)), "Response Authenticator")
	packet, err := layeh.Parse(b, []byte(secret))
	require.NoError(t, err)
	require.Equal(t, rfc2869.MessageAuthenticator_Type, packet.Attributes[0].Type)
	unsigned := bytes.Clone(b)
	copy(unsigned[4:20], request[4:20])
	copy(unsigned[22:38], make([]byte, 16))
	require.Equal(t, hmacMD5(unsigned), []byte(packet.Attributes[0].Attribute), "Message-Authenticator")
	return packet
}

func hmacMD5(b []byte) []byte {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(b)
	return mac.Sum(nil)
}

// newRequest returns the wire form of an Access-Request without signature.
func newRequest(t testing.TB, username string, change ...func(*radius.Packet)) []byte {
	p := layeh.New(radius.CodeAccessRequest, []byte(secret))
	require.NoError(t, rfc2865.UserName_SetString(p, username))
	for _, f := range change {
		f(p)
	}
	b, err := p.Encode()
	require.NoError(t, err)
	return b
}

// sign returns the packet with a Message-Authenticator at its end.
func sign(packet []byte) []byte {
	b := append(bytes.Clone(packet), byte(rfc2869.MessageAuthenticator_Type), 18)
	b = append(b, make([]byte, 16)...)
	b[2], b[3] = byte(len(b)>>8), byte(len(b))
	copy(b[len(b)-16:], hmacMD5(b))
	return b
}

// identified changes the Identifier.
func identified(id byte) func(*radius.Packet) {
	return func(p *radius.Packet) { p.Identifier = id }
}

// with adds an attribute.
func with(kind radius.Type, value string) func(*radius.Packet) {
	return func(p *radius.Packet) { p.Add(kind, []byte(value)) }
}

// statusServer returns the wire form of an unsigned Status-Server.
func statusServer(t testing.TB) []byte {
	b, err := layeh.New(radius.CodeStatusServer, []byte(secret)).Encode()
	require.NoError(t, err)
	return b
}

// accept answers every request with an Access-Accept that greets the user.
func accept(w radius.ResponseWriter, r *radius.Request) {
	_ = w.Write(message(radius.CodeAccessAccept, "Welcome "+rfc2865.UserName_GetString(r.Packet)))
}

func message(code radius.Code, text string) *radius.Packet {
	p := &radius.Packet{Code: code}
	_ = rfc2865.ReplyMessage_SetString(p, text)
	return p
}

// acceptAfter answers after a time, or when ctx ends with a reject.
func acceptAfter(d time.Duration) radius.HandlerFunc {
	return func(w radius.ResponseWriter, r *radius.Request) {
		select {
		case <-time.After(d):
			accept(w, r)
		case <-r.Context().Done():
			_ = w.Write(message(radius.CodeAccessReject, context.Cause(r.Context()).Error()))
		}
	}
}

// logBuffer collects log lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// lines returns the lines since the last call.
func (l *logBuffer) lines(t testing.TB) (lines []map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for decoder := json.NewDecoder(&l.buf); decoder.More(); {
		var line map[string]any
		require.NoError(t, decoder.Decode(&line))
		lines = append(lines, line)
	}
	l.buf.Reset()
	return lines
}
