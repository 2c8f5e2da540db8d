package radius_test

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// handle sends one signed request, lets the handler work on it, and returns the
// server, the request and the peer.
func handle(t *testing.T, handler radius.HandlerFunc) (*lab, []byte, *peer) {
	l := start(t, &radius.Server{Handler: handler}, new(radiustest.Network))
	nas := l.peer(nasAddr)
	request := sign(newRequest(t, "nemo", with(proxyStateType, "near"), with(rfc2865.Class_Type, "c"), with(proxyStateType, "far")))
	nas.send(request)
	return l, request, nas
}

func TestProxyStateIsCopiedInOrder(t *testing.T) {
	for _, code := range []radius.Code{radius.CodeAccessAccept, radius.CodeAccessReject, radius.CodeAccessChallenge} {
		synctest.Test(t, func(t *testing.T) {
			_, request, nas := handle(t, func(w radius.ResponseWriter, r *radius.Request) {
				// A handler that copies them itself, as for other transports, does no harm.
				p := message(code, "text")
				p.Add(proxyStateType, r.Get(proxyStateType))
				assert.NoError(t, w.Write(p))
			})
			p := nas.reply(request)
			assert.Equal(t, code, p.Code)
			require.Len(t, p.Attributes, 4)
			assert.Equal(t, "text", string(p.Attributes[1].Attribute))
			assert.Equal(t, radius.AVP{Type: proxyStateType, Attribute: []byte("near")}, *p.Attributes[2])
			assert.Equal(t, radius.AVP{Type: proxyStateType, Attribute: []byte("far")}, *p.Attributes[3])
		})
	}
}

func TestAPanicIsLoggedAndRejected(t *testing.T) {
	for name, handler := range map[string]radius.HandlerFunc{
		"panic":     func(radius.ResponseWriter, *radius.Request) { panic("oops") },
		"nil reply": func(w radius.ResponseWriter, _ *radius.Request) { _ = w.Write(nil) },
		"nil attribute": func(w radius.ResponseWriter, _ *radius.Request) {
			_ = w.Write(&radius.Packet{Code: 2, Attributes: radius.Attributes{nil}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, request, nas := handle(t, handler)
				p := nas.reply(request)
				assert.Equal(t, radius.CodeAccessReject, p.Code)
				assert.Equal(t, "far", string(p.Attributes[len(p.Attributes)-1].Attribute))
				lines := l.log.lines(t)
				require.Len(t, lines, 1)
				assert.Equal(t, "ERROR", lines[0]["level"])
				assert.Contains(t, lines[0]["stack"], "handler_test.go")

				nas.send(sign(newRequest(t, "other")))
				assert.Len(t, nas.received(), 1, "the server goes on")
				assert.Empty(t, l.log.lines(t), "one line in 10 s")
			})
		})
	}
}

func TestAPanicAfterTheReplyChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, request, nas := handle(t, func(w radius.ResponseWriter, r *radius.Request) {
			accept(w, r)
			panic("oops")
		})
		assert.Equal(t, radius.CodeAccessAccept, nas.reply(request).Code)
	})
}

func TestAHandlerThatLeavesItsGoroutineEndsTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, nas := handle(t, func(radius.ResponseWriter, *radius.Request) { runtime.Goexit() })
		assert.Empty(t, nas.received())
		assert.Zero(t, l.server.Stats().InFlight)
	})
}

func TestOnlyTheFirstReplyIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writer radius.ResponseWriter
		_, request, nas := handle(t, func(w radius.ResponseWriter, r *radius.Request) {
			writer = w
			assert.NoError(t, w.Write(message(radius.CodeAccessReject, "first")))
			assert.Error(t, w.Write(message(radius.CodeAccessAccept, "second")))
		})
		assert.Equal(t, radius.CodeAccessReject, nas.reply(request).Code)
		assert.Error(t, writer.Write(message(radius.CodeAccessAccept, "late")))
		assert.Empty(t, nas.received())
	})
}

func TestAHandlerThatHasReturnedCannotReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var writer radius.ResponseWriter
		l, request, nas := handle(t, func(w radius.ResponseWriter, _ *radius.Request) { writer = w })
		require.Zero(t, l.server.Stats().InFlight)
		nas.send(request) // is new again
		assert.EqualValues(t, 2, l.server.Stats().Handled)
		assert.ErrorContains(t, writer.Write(message(radius.CodeAccessAccept, "late")), "its handler has returned")
		assert.Empty(t, nas.received())
	})
}

func TestAReplyThatCannotBeSentMayBeFollowedByOneThatCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, request, nas := handle(t, func(w radius.ResponseWriter, _ *radius.Request) {
			long := message(radius.CodeAccessAccept, "")
			for range 16 {
				long.Add(rfc2865.Class_Type, bytes.Repeat([]byte("c"), 253))
			}
			assert.ErrorIs(t, w.Write(long), radius.ErrTooLong)
			assert.ErrorContains(t, w.Write(&radius.Packet{Code: radius.CodeAccessRequest}), "is no answer")
			long.Attributes = radius.Attributes{{Type: rfc2865.ReplyMessage_Type, Attribute: bytes.Repeat([]byte("c"), 254)}}
			assert.ErrorContains(t, w.Write(long), "attribute 18 of 254 bytes")
			assert.NoError(t, w.Write(message(radius.CodeAccessReject, "short")))
		})
		assert.Equal(t, "short", rfc2865.ReplyMessage_GetString(nas.reply(request)))
	})
}

func TestAHandlerKnowsTheClientTheAddressesAndThePacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, request, nas := handle(t, func(w radius.ResponseWriter, r *radius.Request) {
			assert.Equal(t, "198.51.100.0/24", radius.ClientOf(r.Context()).String())
			inner, cancel := context.WithTimeout(r.Context(), time.Second)
			defer cancel()
			assert.Same(t, radius.ClientOf(r.Context()), radius.ClientOf(inner))
			assert.Nil(t, inner.Value("another key"))
			assert.Equal(t, nasAddr, r.RemoteAddr.String())
			assert.Equal(t, address, r.LocalAddr.String())
			assert.Equal(t, secret, string(r.Secret))
			assert.Equal(t, "nemo", rfc2865.UserName_GetString(r.Packet))
			accept(w, r)
		})
		assert.Equal(t, radius.CodeAccessAccept, nas.reply(request).Code)
		assert.Nil(t, radius.ClientOf(t.Context()))
	})
}

// The read buffer and the goroutines are used again; what a handler has is not.
func TestWhatAHandlerHasIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []*radius.Request
		l := start(t, &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			kept = append(kept, r)
			accept(w, r)
		})}, new(radiustest.Network))
		for i := range 20 {
			l.peer(fmt.Sprintf("198.51.100.%d:%d", i, 1000+i)).send(newRequest(t, strings.Repeat(fmt.Sprint(i), 20)))
		}
		require.Len(t, kept, 20)
		for i, r := range kept {
			assert.Equal(t, strings.Repeat(fmt.Sprint(i), 20), rfc2865.UserName_GetString(r.Packet))
			assert.Equal(t, fmt.Sprintf("198.51.100.%d:%d", i, 1000+i), r.RemoteAddr.String())
			assert.Equal(t, secret, string(r.Secret))
			_ = append(r.Secret, "overwrites nothing"...)
		}
	})
}

func TestIPv6SendersKeepTheirZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{
			Clients: clients(t, radius.Client{Prefix: netip.MustParsePrefix("fe80::/64"), Secret: secret}),
			Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
				_ = w.Write(message(radius.CodeAccessAccept, r.RemoteAddr.String()))
			})}, new(radiustest.Network))
		for _, local := range []string{"[fe80::7%eth0]:99", "[fe80::7%eth1]:99"} {
			nas := l.peer(local)
			request := sign([]byte("\x01\x07\x00\x14the same in both"))
			nas.send(request)
			assert.Equal(t, local, rfc2865.ReplyMessage_GetString(nas.reply(request)))
		}
	})
}

func TestFitsSaysWhatWriteWouldSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, request, nas := handle(t, func(w radius.ResponseWriter, r *radius.Request) {
			p := message(radius.CodeAccessReject, "text")
			for len(p.Attributes) < 100 && radius.Fits(p, r.Packet) == nil {
				p.Add(rfc2865.Class_Type, make([]byte, 98))
			}
			assert.ErrorIs(t, radius.Fits(p, r.Packet), radius.ErrTooLong)
			assert.ErrorIs(t, w.Write(p), radius.ErrTooLong)
			p.Attributes = p.Attributes[:len(p.Attributes)-1]
			assert.NoError(t, radius.Fits(p, r.Packet))
			assert.NoError(t, w.Write(p))
			p.Add(rfc2865.Class_Type, make([]byte, 254))
			assert.ErrorContains(t, radius.Fits(p, r.Packet), "attribute 25 of 254 bytes")
		})
		assert.Greater(t, len(nas.reply(request).Attributes), 30)
	})
}
