package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoopbackIsWhatOthersCannotReach(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.0.2.1:1": false, "localhost.example.com:1": false, "127.0.0.1": false,
	} {
		assert.Equal(t, want, IsLoopback(address), address)
	}
}

func TestADeviceHasTheNumberOfItsNetwork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "proxy.cfg")
	require.NoError(t, os.WriteFile(path, []byte("[duo_only_client]\n[radius_server_auto]\nikey=DI1\nskey=s\napi_host=a\n"+
		"radius_ip_1=192.0.2.0/24\nradius_secret_1=a\nradius_ip_3=192.0.2.7\nradius_secret_3=b\n"), 0o600))
	file, err := Load(path)
	require.NoError(t, err)
	s := file.Servers[0]
	for device, want := range map[string]int{"192.0.2.1": 1, "192.0.2.7": 3, "::ffff:192.0.2.7": 3, "192.0.3.1": 0} {
		assert.Equal(t, want, s.NumberOf(netip.MustParseAddr(device)), device)
	}
	assert.Equal(t, 2, s.Free())
	assert.Equal(t, 8, s.LineSet("radius_ip_3"))
	assert.Zero(t, s.LineSet("failmode"))
	assert.Equal(t, "safe", s.Default("failmode"))

	t.Setenv("RUNTIME_DIRECTORY", "/run/here:/run/there")
	t.Setenv("LOGS_DIRECTORY", "")
	sockets := file.StatusSockets()
	assert.Equal(t, filepath.Join("/run/here", "proxy.sock"), sockets[0])
	assert.Equal(t, filepath.Join(filepath.Dir(path), "proxy.sock"), sockets[len(sockets)-1])

	asked, err := StatusSocketsOf(path)
	require.NoError(t, err)
	assert.Equal(t, sockets, asked)
	require.NoError(t, os.WriteFile(path, []byte("[main]\nstatus_socket=here.sock\nlog_dir=/x\nnonsense\n[what]\n"), 0o600))
	asked, err = StatusSocketsOf(path)
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(filepath.Dir(path), "here.sock")}, asked, "a file with problems")
	_, err = StatusSocketsOf(path + "x")
	assert.ErrorContains(t, err, "cannot be read")
}
