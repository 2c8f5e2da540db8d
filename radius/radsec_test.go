package radius_test

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// challenges asks for a PIN, takes three seconds, and accepts 4242.
func challenges(w radius.ResponseWriter, r *radius.Request) {
	reply := r.Response(radius.CodeAccessChallenge)
	switch {
	case rfc2865.State_Get(r.Packet) == nil && rfc2865.UserPassword_GetString(r.Packet) == "arctangent":
		_ = rfc2865.State_SetString(reply, "a state")
		_ = rfc2865.ReplyMessage_SetString(reply, "PIN?")
	case rfc2865.State_GetString(r.Packet) == "a state" && rfc2865.UserPassword_GetString(r.Packet) == "4242":
		time.Sleep(3 * time.Second)
		reply.Code = radius.CodeAccessAccept
		_ = rfc2865.ReplyMessage_SetString(reply, "Hello, "+radius.ClientOf(r.Context()).String())
	default:
		reply.Code = radius.CodeAccessReject
	}
	_ = w.Write(reply)
}

// serveRadSec serves over TLS on the loopback interface, for clients with nasName.
func serveRadSec(t *testing.T, ca *radsectest.CA) (*radius.Server, string) {
	t.Helper()
	server := &radius.Server{Clients: clients(t, radius.Client{TLSName: nasName}), Handler: radius.HandlerFunc(challenges)}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ended := make(chan error)
	go func() { ended <- server.ServeTLS(listener, ca.Config("localhost", "127.0.0.1")) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		assert.Equal(t, radius.ErrServerClosed, <-ended)
	})
	return server, listener.Addr().String()
}

// logInThrough logs in with a challenge through a proxy at the address.
func logInThrough(t *testing.T, proxy string) {
	t.Helper()
	nas := &radiustest.NAS{Server: proxy, Secret: secret, Exchanger: radius.Exchanger{Interval: 20 * time.Second, Tries: 1, UnsignedReplies: true}}
	reply, err := nas.Login(t.Context(), "nemo", "arctangent", "4242")
	require.NoError(t, err)
	assert.Equal(t, "Access-Accept: Hello, "+nasName, reply.String())
	reply, err = nas.Login(t.Context(), "nemo", "sine")
	require.NoError(t, err)
	assert.True(t, reply.Rejected())
}

func TestRadsecproxyAsClient(t *testing.T) {
	ca := radsectest.NewCA(t)
	server, address := serveRadSec(t, ca)
	proxy := radsectest.Proxy{Files: ca.Write(nasName), Server: address, Secret: secret}.Start(t)
	logInThrough(t, proxy)
	assert.Equal(t, 1, server.Stats().Connections)
	assert.EqualValues(t, 3, server.Stats().Handled)
}

func TestFreeRADIUSAsClient(t *testing.T) {
	ca := radsectest.NewCA(t)
	server, address := serveRadSec(t, ca)
	logInThrough(t, freeradiustest.StartProxy(t, secret, ca.Write(nasName), address))
	assert.EqualValues(t, 3, server.Stats().Handled)
	assert.Positive(t, server.Stats().Connections)
}
