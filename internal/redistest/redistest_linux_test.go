package redistest_test

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/redistest"
)

func TestServerComesBack(t *testing.T) {
	s := redistest.Start(t)
	s.Must(t, "SET", "a", "1")
	assert.Equal(t, "1", s.Must(t, "GET", "a"))
	s.Kill()
	require.NoError(t, s.Restart())
	assert.Empty(t, s.Must(t, "GET", "a"))
}

func TestSecureServer(t *testing.T) {
	s := redistest.StartSecure(t, "p:", "+get +set +ping")
	assert.Equal(t, "OK", s.Must(t, "SET", "p:a", "1"))
	assert.Contains(t, s.Must(t, "SET", "other", "1"), "NOPERM")
}

func TestSentinelPromotesTheReplica(t *testing.T) {
	g := redistest.StartGroup(t)
	g.Primary.Kill()
	g.AwaitFailOver(t)
}

func TestClusterHasAllSlots(t *testing.T) {
	nodes := redistest.StartCluster(t)
	assert.Contains(t, nodes[2].Must(t, "CLUSTER", "INFO"), "cluster_slots_ok:16384")
}

func TestLinkLosesReplies(t *testing.T) {
	s := redistest.Start(t)
	l := redistest.NewLink(t, s.Addr)
	call := func(command string) (string, error) {
		c, err := net.Dial("tcp", l.Addr)
		require.NoError(t, err)
		defer func() { _ = c.Close() }()
		require.NoError(t, c.SetDeadline(time.Now().Add(2*time.Second)))
		_, err = c.Write([]byte(command + "\r\n"))
		require.NoError(t, err)
		return bufio.NewReader(c).ReadString('\n')
	}
	reply, err := call("PING")
	require.NoError(t, err)
	assert.Equal(t, "+PONG\r\n", reply)
	l.LoseReplies()
	_, err = call("SET a 1")
	require.Error(t, err)
	assert.Equal(t, "1", s.Must(t, "GET", "a"))
	l.Repair()
	l.Cut()
	_, err = call("PING")
	require.Error(t, err)
}
