package radius_test

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
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

// upstream is a server whose answers the test makes up: to each datagram that
// comes, those that answer returns are sent.
type upstream struct {
	network *radiustest.Network
	mu      sync.Mutex
	came    [][]byte
	at      []time.Duration
}

func newUpstream(t *testing.T, answer func(request []byte, nth int) [][]byte) *upstream {
	u := &upstream{network: new(radiustest.Network)}
	conn, err := u.network.Listen(address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	begin := time.Now()
	go func() {
		for {
			b := make([]byte, 4096)
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			u.mu.Lock()
			u.came, u.at = append(u.came, b[:n]), append(u.at, time.Since(begin))
			nth := len(u.came)
			u.mu.Unlock()
			for _, reply := range answer(b[:n], nth) {
				_, _ = conn.WriteToUDPAddrPort(reply, from)
			}
		}
	}()
	return u
}

// requests returns what came, and when.
func (u *upstream) requests() ([][]byte, []time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.came), slices.Clone(u.at)
}

func (u *upstream) count() int {
	came, _ := u.requests()
	return len(came)
}

func (u *upstream) exchanger() *radius.Exchanger {
	return &radius.Exchanger{Dial: u.network.Dialer(nasIP)}
}

func accessRequest(t *testing.T) *radius.Packet {
	p := layeh.New(radius.CodeAccessRequest, []byte(secret))
	require.NoError(t, rfc2865.UserName_SetString(p, "nemo"))
	return p
}

// replyTo returns a reply as another implementation makes it.
func replyTo(request []byte, code radius.Code, signed bool, with string) []byte {
	p := &layeh.Packet{Code: code, Identifier: request[1], Secret: []byte(with), Authenticator: [16]byte(request[4:20])}
	_ = rfc2865.ReplyMessage_SetString(p, "Hello")
	if signed {
		_ = rfc2869.MessageAuthenticator_Set(p, make([]byte, 16))
		b, _ := p.MarshalBinary()
		_ = rfc2869.MessageAuthenticator_Set(p, hmacMD5(b))
	}
	b, _ := p.Encode()
	return b
}

func TestARequestIsSentAgainAsTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, func(request []byte, nth int) [][]byte {
			if nth < 3 {
				return nil
			}
			return [][]byte{replyTo(request, radius.CodeAccessChallenge, true, secret)}
		})
		request := accessRequest(t)
		request.Add(proxyStateType, []byte("somebody else's"))
		p, err := u.exchanger().Exchange(t.Context(), request, address)
		require.NoError(t, err)
		assert.Equal(t, radius.CodeAccessChallenge, p.Code)
		assert.Equal(t, "Hello", rfc2865.ReplyMessage_GetString(p))
		assert.Equal(t, secret, string(p.Secret))

		came, at := u.requests()
		assert.Equal(t, []time.Duration{0, 2 * time.Second, 4 * time.Second}, at)
		assert.Equal(t, came[0], came[1])
		assert.Equal(t, came[0], came[2])
		sent, err := layeh.Parse(came[0], []byte(secret))
		require.NoError(t, err)
		assert.Equal(t, request.Identifier, sent.Identifier)
		assert.Equal(t, request.Authenticator, sent.Authenticator)
		require.Len(t, sent.Attributes, 2, "without Proxy-State")
		assert.Equal(t, rfc2869.MessageAuthenticator_Type, sent.Attributes[0].Type)
	})
}

func TestAPacketThatIsNoReplyIsIgnoredAndNamedInTheError(t *testing.T) {
	reply := func(code radius.Code, signed bool, with string) func([]byte) []byte {
		return func(request []byte) []byte { return replyTo(request, code, signed, with) }
	}
	for name, c := range map[string]struct {
		packet func(request []byte) []byte
		want   string
	}{
		"nothing": {nil, "within 6s: it is down, or needs longer, or does not know this host, or the shared secrets differ"},
		"garbage": {func([]byte) []byte { return []byte("garbage") }, "malformed packet"},
		"another Identifier": {func(request []byte) []byte {
			other := append([]byte{1, request[1] + 1}, request[2:]...)
			return replyTo(other, radius.CodeAccessAccept, true, secret)
		}, "another Identifier"},
		"a request":    {func(request []byte) []byte { return request }, "is no reply came: Access-Request"},
		"wrong secret": {reply(radius.CodeAccessAccept, false, "other"), "Response Authenticator is wrong: the shared secrets differ"},
		"unsigned":     {reply(radius.CodeAccessAccept, false, secret), "without Message-Authenticator"},
		"wrong Message-Authenticator": {func(request []byte) []byte {
			p := &layeh.Packet{Code: 2, Identifier: request[1], Secret: []byte(secret), Authenticator: [16]byte(request[4:20])}
			_ = rfc2869.MessageAuthenticator_Set(p, make([]byte, 16))
			b, _ := p.Encode()
			return b
		}, "Message-Authenticator is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, thenRight := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					u := newUpstream(t, func(request []byte, _ int) (list [][]byte) {
						if c.packet != nil {
							list = append(list, c.packet(request))
						}
						if thenRight {
							list = append(list, replyTo(request, radius.CodeAccessReject, true, secret))
						}
						return list
					})
					begin := time.Now()
					p, err := u.exchanger().Exchange(t.Context(), accessRequest(t), address)
					if thenRight {
						require.NoError(t, err)
						assert.Equal(t, radius.CodeAccessReject, p.Code)
						assert.Equal(t, 1, u.count())
						return
					}
					assert.ErrorIs(t, err, radius.ErrNoReply)
					assert.ErrorContains(t, err, c.want)
					assert.ErrorContains(t, err, address)
					assert.NotContains(t, err.Error(), secret)
					assert.Equal(t, 6*time.Second, time.Since(begin))
					assert.Equal(t, 3, u.count())
				})
			}
		})
	}
}

func TestUnsignedRepliesAreTakenWhereTheyAreAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, func(request []byte, nth int) [][]byte {
			return [][]byte{
				replyTo(request, radius.CodeAccessAccept, false, "other"),
				replyTo(request, radius.CodeAccessReject, false, secret),
			}
		})
		exchanger := u.exchanger()
		exchanger.UnsignedReplies = true
		p, err := exchanger.Exchange(t.Context(), accessRequest(t), address)
		require.NoError(t, err)
		assert.Equal(t, radius.CodeAccessReject, p.Code)
	})
}

func TestAReplyFromAnotherAddressIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, func([]byte, int) [][]byte { return nil })
		forger, err := u.network.Listen("192.0.2.66:1812")
		require.NoError(t, err)
		dial := u.exchanger().Dial
		exchanger := &radius.Exchanger{Tries: 1, Dial: func(ctx context.Context, network, to string) (net.Conn, error) {
			conn, err := dial(ctx, network, to)
			go func() {
				time.Sleep(time.Second)
				came, _ := u.requests()
				_, _ = forger.WriteTo(replyTo(came[0], radius.CodeAccessAccept, true, secret), conn.LocalAddr())
			}()
			return conn, err
		}}
		_, err = exchanger.Exchange(t.Context(), accessRequest(t), address)
		assert.ErrorContains(t, err, "it is down")
	})
}

func TestAnExchangeEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, func([]byte, int) [][]byte { return [][]byte{[]byte("garbage")} })
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		_, err := u.exchanger().Exchange(ctx, accessRequest(t), address)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.NotErrorIs(t, err, radius.ErrNoReply)
		assert.ErrorContains(t, err, "malformed packet")
		assert.Equal(t, 3*time.Second, time.Since(begin))
		assert.Equal(t, 2, u.count())

		_, err = u.exchanger().Exchange(ctx, accessRequest(t), address)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2, u.count(), "nothing is sent when it has ended before")
	})
}

func TestARequestThatCannotBeSentIsRefusedAtOnce(t *testing.T) {
	exchanger := &radius.Exchanger{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("no route")
	}}
	_, err := exchanger.Exchange(t.Context(), accessRequest(t), address)
	assert.EqualError(t, err, "radius: no route")

	for want, p := range map[string]*radius.Packet{
		"no shared secret":                 {Code: radius.CodeAccessRequest},
		"Access-Accept is no request":      {Code: radius.CodeAccessAccept, Secret: []byte("s")},
		"Accounting-Request is no request": {Code: layeh.CodeAccountingRequest, Secret: []byte("s")},
		"attribute 0 of 0 bytes": {Code: radius.CodeAccessRequest, Secret: []byte("s"),
			Attributes: radius.Attributes{{}}},
	} {
		_, err := exchanger.Exchange(t.Context(), p, address)
		assert.ErrorContains(t, err, want)
	}
}

// refusingConn fails as a socket does when ICMP says that the port is closed,
// until the server is up.
type refusingConn struct {
	net.Conn
	down  *atomic.Bool
	reads *atomic.Int32
}

func (c refusingConn) Read(b []byte) (int, error) {
	if c.down.Load() {
		c.reads.Add(1)
		return 0, &net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNREFUSED)}
	}
	return c.Conn.Read(b)
}

func TestAPortThatIsClosedIsTriedAgainLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUpstream(t, func(request []byte, nth int) [][]byte {
			return [][]byte{replyTo(request, radius.CodeAccessAccept, true, secret)}
		})
		dial := u.exchanger().Dial
		var down atomic.Bool
		var reads atomic.Int32
		down.Store(true)
		exchanger := &radius.Exchanger{Dial: func(ctx context.Context, network, to string) (net.Conn, error) {
			conn, err := dial(ctx, network, to)
			return refusingConn{conn, &down, &reads}, err
		}}
		begin := time.Now()
		_, err := exchanger.Exchange(t.Context(), accessRequest(t), address)
		assert.ErrorIs(t, err, radius.ErrNoReply)
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
		assert.Equal(t, 6*time.Second, time.Since(begin))
		assert.EqualValues(t, 3, reads.Load())

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = exchanger.Exchange(ctx, accessRequest(t), address)
		assert.ErrorIs(t, err, context.DeadlineExceeded, "also while it waits for the next try")

		time.AfterFunc(3*time.Second, func() { down.Store(false) })
		p, err := exchanger.Exchange(t.Context(), accessRequest(t), address)
		require.NoError(t, err)
		assert.Equal(t, radius.CodeAccessAccept, p.Code)
	})
}

func TestAStatusServerIsExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(time.Hour)}, new(radiustest.Network))
		p, err := l.nas().Exchanger.Exchange(t.Context(), layeh.New(radius.CodeStatusServer, []byte(secret)), address)
		require.NoError(t, err)
		assert.Equal(t, radius.CodeAccessAccept, p.Code)
	})
}

func TestTheRepliesOfRFC2865AreTaken(t *testing.T) {
	// The request is sent signed, so it is not that of the RFC; its Identifier and
	// Authenticator are, and the reply depends on nothing else.
	for _, c := range []struct {
		identifier    byte
		authenticator string
		reply         string
		want          string
	}{
		{0, "\x0f\x40\x3f\x94\x73\x97\x80\x57\xbd\x83\xd5\xcb\x98\xf4\x22\x7a",
			"\x02\x00\x00\x26\x86\xfe\x22\x0e\x76\x24\xba\x2a\x10\x05\xf6\xbf\x9b\x55\xe0\xb2" +
				"\x06\x06\x00\x00\x00\x01\x0f\x06\x00\x00\x00\x00\x0e\x06\xc0\xa8\x01\x03", "Access-Accept"},
		{2, "\xf3\xa4\x7a\x1f\x6a\x6d\x76\x71\x0b\x94\x7a\xb9\x30\x41\xa0\x39",
			"\x0b\x02\x00\x4e\x36\xf3\xc8\x76\x4a\xe8\xc7\x11\x57\x40\x3c\x0c\x71\xff\x9c\x45" +
				"\x12\x30Challenge 32769430.  Enter response at prompt.\x18\x0a32769430",
			"Access-Challenge: Challenge 32769430.  Enter response at prompt."},
		{3, "\xb1\x22\x55\x6d\x42\x8a\x13\xd0\xd6\x25\x38\x07\xc4\x57\xec\xf0",
			"\x03\x03\x00\x14\xa4\x2f\x4f\xca\x45\x91\x6c\x4e\x09\xc8\x34\x0f\x9e\x74\x6a\xa0", "Access-Reject"},
	} {
		synctest.Test(t, func(t *testing.T) {
			u := newUpstream(t, func([]byte, int) [][]byte { return [][]byte{[]byte(c.reply)} })
			exchanger := u.exchanger()
			exchanger.UnsignedReplies = true
			request := accessRequest(t)
			request.Identifier, request.Authenticator = c.identifier, [16]byte([]byte(c.authenticator))
			p, err := exchanger.Exchange(t.Context(), request, address)
			require.NoError(t, err)
			assert.Equal(t, c.want, radiustest.Reply{Packet: p}.String())
		})
	}
}
