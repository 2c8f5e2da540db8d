package radius_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestALoginOf42SecondsIsHandledOnceAndAnsweredWithTheSameBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(42 * time.Second)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := sign(newRequest(t, "nemo"))
		for range 9 { // at 0, 5, ... 40 s
			nas.send(request)
			time.Sleep(5 * time.Second)
		}
		first := nas.received()
		require.Len(t, first, 1)
		assert.Equal(t, "Welcome nemo", rfc2865.ReplyMessage_GetString(verified(t, first[0], request)))

		time.Sleep(17 * time.Second) // 20 s after the reply
		nas.send(request)
		assert.Equal(t, first, nas.received())
		stats := l.server.Stats()
		assert.EqualValues(t, 1, stats.Handled)
		assert.EqualValues(t, 8, stats.Joined)
		assert.EqualValues(t, 1, stats.Repeated)
	})
}

func TestAnAnswerIsRememberedFor30SecondsFromTheReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(time.Minute)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := newRequest(t, "nemo")
		nas.send(request)
		time.Sleep(time.Minute)
		first := nas.received()
		require.Len(t, first, 1)

		time.Sleep(30*time.Second - time.Microsecond)
		nas.send(request)
		assert.Equal(t, first, nas.received())

		time.Sleep(time.Microsecond)
		nas.send(request)
		assert.Empty(t, nas.received())
		assert.EqualValues(t, 2, l.server.Stats().Handled)
		assert.Equal(t, 1, l.server.Stats().InFlight)
	})
}

func TestAnotherAuthenticatorOrPortIsAnotherRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(time.Second)}, new(radiustest.Network))
		nas, otherPort := l.peer(nasAddr), l.peer(nasIP+":40001")
		one := newRequest(t, "one", identified(1))
		two := newRequest(t, "two", identified(1))
		nas.send(one)
		nas.send(two)
		otherPort.send(one)
		assert.EqualValues(t, 3, l.server.Stats().Handled)
		time.Sleep(time.Second)

		replies := nas.received()
		require.Len(t, replies, 2)
		assert.NotEqual(t, replies[0], replies[1])
		assert.Equal(t, "Welcome one", rfc2865.ReplyMessage_GetString(otherPort.reply(one)))
	})
}

// A proxy puts all its users on one address and port.
func TestIdentifiersAreReusedWhileTheyAreBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(time.Minute)}, new(radiustest.Network))
		proxy := l.peer(nasAddr)
		requests := map[string][]byte{}
		for i := range 4 * 256 {
			name := fmt.Sprintf("Welcome user%d", i)
			requests[name] = sign(newRequest(t, name[len("Welcome "):], identified(byte(i))))
			proxy.send(requests[name])
		}
		assert.Equal(t, 4*256, l.server.Stats().InFlight)
		time.Sleep(time.Minute)
		replies := proxy.received()
		require.Len(t, replies, 4*256)
		for _, b := range replies {
			name := string(b[20+18+2:]) // behind the Message-Authenticator
			require.Contains(t, requests, name)
			verified(t, b, requests[name])
			delete(requests, name)
		}
	})
}

func TestARequestWithoutReplyIsHandledAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		l := start(t, &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			if calls.Add(1) > 1 {
				accept(w, r)
			}
		})}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := newRequest(t, "nemo")
		nas.send(request)
		assert.Empty(t, nas.received())
		assert.Zero(t, l.server.Stats().InFlight)
		nas.send(request)
		assert.Equal(t, radius.CodeAccessAccept, nas.reply(request).Code)
	})
}

func TestAHandlerThatGoesOnAfterItsReplyIsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{MaxInFlight: 1, Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			accept(w, r)
			time.Sleep(time.Minute)
		})}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.send(request)
		replies := nas.received()
		require.Len(t, replies, 2, "a retransmission is answered meanwhile")
		assert.Equal(t, replies[0], replies[1])
		assert.Equal(t, 1, l.server.Stats().InFlight)

		nas.send(newRequest(t, "other"))
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropTooManyInFlight])
		time.Sleep(time.Minute)
		assert.Zero(t, l.server.Stats().InFlight)
	})
}

func TestMaxInFlightDropsNewRequestsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{MaxInFlight: 2, Handler: acceptAfter(time.Minute)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		one, two, three := newRequest(t, "one"), newRequest(t, "two"), newRequest(t, "three")
		for _, request := range [][]byte{one, two, three, one, two} {
			nas.send(request)
		}
		stats := l.server.Stats()
		assert.EqualValues(t, 2, stats.InFlight)
		assert.EqualValues(t, 2, stats.Joined)
		assert.EqualValues(t, 1, stats.Dropped[radius.DropTooManyInFlight])

		time.Sleep(time.Minute)
		assert.Len(t, nas.received(), 2)
		nas.send(three)
		time.Sleep(time.Minute)
		assert.Equal(t, "Welcome three", rfc2865.ReplyMessage_GetString(nas.reply(three)))
	})
}

func TestAnswerMemoryForgetsTheOldestAnswersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{AnswerMemory: 1000, Handler: radius.HandlerFunc(accept)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		var requests [][]byte
		for i := range 10 {
			requests = append(requests, newRequest(t, fmt.Sprint("user", i)))
			nas.send(requests[i])
		}
		assert.EqualValues(t, 5, l.server.Stats().Forgotten) // 5 answers of about 190 bytes fit
		require.Len(t, l.log.lines(t), 1)

		for _, request := range requests[5:] {
			nas.send(request)
		}
		assert.EqualValues(t, 5, l.server.Stats().Repeated)
		nas.send(requests[4])
		assert.EqualValues(t, 11, l.server.Stats().Handled)
		assert.Len(t, nas.received(), 10+5+1)
	})
}
