package radius_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// serveUDP serves on a free port of the loopback interface, and returns its
// address. Where the system has no such address, the test is skipped.
func serveUDP(t *testing.T, network, listen string, server *radius.Server) netip.AddrPort {
	conn, err := net.ListenPacket(network, listen)
	if err != nil {
		t.Skip(err)
	}
	log := new(logBuffer)
	server.Logger = log.logger()
	server.ReadBuffer = 64 << 10
	server.Clients = clients(t,
		radius.Client{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Secret: secret},
		radius.Client{Prefix: netip.MustParsePrefix("::1/128"), Secret: secret})
	ended := make(chan error)
	go func() { ended <- server.Serve(conn) }()
	t.Cleanup(func() {
		assert.NoError(t, server.Shutdown(context.Background()))
		assert.Equal(t, radius.ErrServerClosed, <-ended)
		assert.Empty(t, log.lines(t))
	})
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestLoginsOverUDP(t *testing.T) {
	for _, c := range []struct{ network, listen, dial string }{
		{"udp4", "127.0.0.1:0", "127.0.0.1"},
		{"udp6", "[::1]:0", "[::1]"},
		{"udp", ":0", "127.0.0.1"}, // an IPv6 socket that takes IPv4 as well, where there is IPv6
		{"udp", ":0", "[::1]"},
	} {
		t.Run(c.network+" "+c.listen+" from "+c.dial, func(t *testing.T) {
			if c.dial == "[::1]" && !hasIPv6() {
				t.Skip("no IPv6 here")
			}
			server := &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
				time.Sleep(10 * time.Millisecond)
				accept(w, r)
			})}
			port := serveUDP(t, c.network, c.listen, server).Port()
			nas := &radiustest.NAS{Server: fmt.Sprintf("%s:%d", c.dial, port), Secret: secret,
				Exchanger: radius.Exchanger{Interval: 5 * time.Second}}
			var wg sync.WaitGroup
			for i := range 50 {
				wg.Go(func() {
					reply, err := nas.Login(t.Context(), fmt.Sprint("user", i), "password")
					if assert.NoError(t, err) {
						assert.Equal(t, fmt.Sprint("Access-Accept: Welcome user", i), reply.String())
					}
				})
			}
			wg.Wait()
			assert.EqualValues(t, 50, server.Stats().Handled)
		})
	}
}

func hasIPv6() bool {
	conn, err := net.ListenPacket("udp6", "[::1]:0")
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func TestAClosedPortIsNamedInTheError(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	nas := &radiustest.NAS{Server: conn.LocalAddr().String(), Secret: secret,
		Exchanger: radius.Exchanger{Interval: 100 * time.Millisecond, Tries: 2}}
	_, err = nas.Login(t.Context(), "nemo", "password")
	assert.ErrorIs(t, err, radius.ErrNoReply)
	if runtime.GOOS == "linux" {
		assert.ErrorIs(t, err, syscall.ECONNREFUSED)
	}
}

// A NAS that goes away while its logins wait must not stop the server's reading,
// as the ICMP messages about its port do on Windows.
func TestANASThatGoesAwayDisturbsNobody(t *testing.T) {
	server := &radius.Server{Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
		time.Sleep(50 * time.Millisecond)
		accept(w, r)
	})}
	to := serveUDP(t, "udp4", "127.0.0.1:0", server)
	gone, err := net.Dial("udp4", to.String())
	require.NoError(t, err)
	for range 20 {
		_, err = gone.Write(newRequest(t, "nemo"))
		require.NoError(t, err)
	}
	require.NoError(t, gone.Close())
	nas := &radiustest.NAS{Server: to.String(), Secret: secret}
	for range 3 {
		reply, err := nas.Login(t.Context(), "nemo", "password")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
	}
}
