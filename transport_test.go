package radmfa_test

import (
	"bytes"
	"log/slog"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
)

// A transport that neither verifies nor signs gets nobody in, and its owner is
// told why.
func TestAForeignTransportIsRefused(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	var log bytes.Buffer
	service := &duotest.Service{Unknown: &duotest.User{}}
	foreign := &layeh.PacketServer{
		SecretSource: layeh.StaticSecretSource([]byte(secret)),
		Handler: layeh.HandlerFunc((&radmfa.Server{
			Primary: primary.None{}, SecondFactor: service.Client(), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}).ServeRADIUS),
	}
	served := make(chan error, 1)
	go func() { served <- foreign.Serve(conn) }()
	request := layeh.New(layeh.CodeAccessRequest, []byte(secret))
	require.NoError(t, rfc2865.UserName_SetString(request, "jdoe"))
	require.NoError(t, rfc2865.UserPassword_SetString(request, password))
	reply, err := layeh.Exchange(t.Context(), request, conn.LocalAddr().String())
	require.NoError(t, err)
	assert.Equal(t, layeh.CodeAccessReject, reply.Code)
	require.NoError(t, foreign.Shutdown(t.Context()))
	require.ErrorIs(t, <-served, layeh.ErrServerShutdown)
	assert.Contains(t, log.String(), "serve with Server.Serve or a radius.Server, or call Server.Login")
	assert.Zero(t, service.Count(pathAuth))
}
