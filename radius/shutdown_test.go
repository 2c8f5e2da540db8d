package radius_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestShutdownWaitsForTheAnswerOfAPush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(42 * time.Second)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := sign(newRequest(t, "nemo"))
		nas.send(request)
		time.Sleep(10 * time.Second)

		begin := time.Now()
		ended := make(chan error)
		go func() { ended <- l.server.Shutdown(t.Context()) }()
		synctest.Wait()
		nas.send(sign(newRequest(t, "late")))
		assert.EqualValues(t, 1, l.server.Stats().Handled, "nothing is read any more")

		require.NoError(t, <-ended)
		assert.Equal(t, 32*time.Second, time.Since(begin))
		assert.Equal(t, "Welcome nemo", rfc2865.ReplyMessage_GetString(nas.reply(request)))
		<-l.ended
		assert.Equal(t, radius.ErrServerClosed, l.err)
		assert.NoError(t, l.server.Shutdown(t.Context()), "a second Shutdown has nothing to do")
	})
}

func TestShutdownCancelsWhatWaitsWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(time.Hour)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := sign(newRequest(t, "nemo"))
		nas.send(request)

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		assert.ErrorIs(t, l.server.Shutdown(ctx), context.DeadlineExceeded)
		assert.Equal(t, 5*time.Second, time.Since(begin), "no longer than needed")
		p := nas.reply(request)
		assert.Equal(t, radius.CodeAccessReject, p.Code)
		assert.Equal(t, "context canceled", rfc2865.ReplyMessage_GetString(p))
	})
}

func TestAHandlerThatIgnoresItsContextIsGivenASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			time.Sleep(time.Minute)
			accept(w, r)
		})}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		nas.send(newRequest(t, "nemo"))

		begin := time.Now()
		require.NoError(t, l.server.Close())
		assert.Equal(t, time.Second, time.Since(begin))
		<-l.ended
		assert.Equal(t, time.Minute, time.Since(begin), "Serve returns when the handler has")
		assert.Empty(t, nas.received())
		lines := l.log.lines(t)
		require.Len(t, lines, 1)
		assert.Equal(t, "radius: a reply could not be sent", lines[0]["msg"])
	})
}

func TestCloseEndsEverythingAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: acceptAfter(time.Hour)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := sign(newRequest(t, "nemo"))
		nas.send(request)
		begin := time.Now()
		require.NoError(t, l.server.Close())
		<-l.ended
		assert.Equal(t, radius.ErrServerClosed, l.err)
		assert.Zero(t, time.Since(begin))
		assert.Equal(t, radius.CodeAccessReject, nas.reply(request).Code)
		assert.NoError(t, l.server.Close())
	})
}

func TestShutdownOfSeveralConnectionsEndsThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(radiustest.Network)
		l := start(t, &radius.Server{Handler: acceptAfter(time.Minute)}, network)
		second, err := network.Listen("[2001:db8::1]:1812")
		require.NoError(t, err)
		ended := make(chan error)
		go func() { ended <- l.server.Serve(second) }()
		l.peer(nasAddr).send(newRequest(t, "nemo"))
		require.NoError(t, l.server.Shutdown(t.Context()))
		assert.Equal(t, radius.ErrServerClosed, <-ended)
		<-l.ended
		_, err = second.WriteTo(nil, second.LocalAddr())
		assert.ErrorIs(t, err, net.ErrClosed)
	})
}

func TestServeAfterCloseClosesTheConnection(t *testing.T) {
	network := new(radiustest.Network)
	server := &radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}
	require.NoError(t, server.Close())
	conn, err := network.Listen(address)
	require.NoError(t, err)
	assert.Equal(t, radius.ErrServerClosed, server.Serve(conn))
	_, err = network.Listen(address)
	assert.NoError(t, err, "the address is free again")
}

func TestServeNeedsClientsAndAHandler(t *testing.T) {
	network := new(radiustest.Network)
	for _, server := range []*radius.Server{{}, {Clients: clients(t)}, {Handler: radius.HandlerFunc(accept)}} {
		conn, err := network.Listen(address)
		require.NoError(t, err)
		err = server.Serve(conn)
		assert.ErrorContains(t, err, "needs Clients and a Handler")
		assert.False(t, errors.Is(err, radius.ErrServerClosed))
	}
}

// Whatever the order in which they happen, Serve and Close end.
func TestServeAndCloseRace(t *testing.T) {
	for range 200 {
		network := new(radiustest.Network)
		server := &radius.Server{Clients: clients(t), Handler: radius.HandlerFunc(accept)}
		conn, err := network.Listen(address)
		require.NoError(t, err)
		ended := make(chan error)
		go func() { ended <- server.Serve(conn) }()
		go func() { _ = server.Shutdown(t.Context()) }()
		go func() { _ = server.Stats() }()
		assert.NoError(t, server.Close())
		assert.Equal(t, radius.ErrServerClosed, <-ended)
	}
}
