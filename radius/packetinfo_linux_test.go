package radius_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius"
)

// A NAS ignores a reply that comes from another address than it asked. This runs
// in a network namespace of its own, where the host has several addresses.
func TestRepliesLeaveByTheAddressThatWasAsked(t *testing.T) {
	const child = "RADIUS_TEST_NAMESPACE"
	if os.Getenv(child) == "" {
		require4 := os.Getenv("RADMFA_CONFORMANCE") == "require"
		if _, err := exec.LookPath("ip"); (err != nil || os.Getuid() != 0) && !require4 {
			t.Skip("needs root and ip(8)")
		}
		command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRepliesLeaveByTheAddressThatWasAsked$", "-test.v")
		command.Env = append(os.Environ(), child+"=1")
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
		out, err := command.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"addr", "add", "192.0.2.5/24", "dev", "lo"}, {"addr", "add", "192.0.2.6/24", "dev", "lo"},
		{"addr", "add", "2001:db8::5/64", "dev", "lo"}, {"addr", "add", "2001:db8::6/64", "dev", "lo"},
	} {
		out, err := exec.CommandContext(t.Context(), "ip", args...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	for listen, addresses := range map[string][]string{
		"0.0.0.0:0": {"127.0.0.1", "127.0.0.7", "192.0.2.5", "192.0.2.6"},
		"[::]:0":    {"192.0.2.5", "192.0.2.6", "2001:db8::5", "2001:db8::6", "::1"},
	} {
		server := &radius.Server{Handler: radius.HandlerFunc(accept), Clients: clients(t,
			radius.Client{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Secret: secret},
			radius.Client{Prefix: netip.MustParsePrefix("::/0"), Secret: secret})}
		conn, err := net.ListenPacket("udp", listen)
		require.NoError(t, err)
		go func() { _ = server.Serve(conn) }()
		port := conn.LocalAddr().(*net.UDPAddr).Port
		for _, address := range addresses {
			nas, err := net.ListenUDP("udp", nil)
			require.NoError(t, err)
			request := sign(newRequest(t, "nemo"))
			for _, datagram := range [][]byte{request, request, sign(statusServer(t))} { // the second is answered from memory
				_, err = nas.WriteTo(datagram, &net.UDPAddr{IP: net.ParseIP(address), Port: port})
				require.NoError(t, err)
				require.NoError(t, nas.SetReadDeadline(time.Now().Add(5*time.Second)))
				_, from, err := nas.ReadFromUDPAddrPort(make([]byte, 4096))
				require.NoError(t, err, "%s at %s", address, listen)
				assert.Equal(t, address, from.Addr().Unmap().String(), listen)
			}
			require.NoError(t, nas.Close())
		}
		require.NoError(t, server.Close())
	}
}
