package radmfa_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const tlsAddr = "192.0.2.1:2083"

// tlsNAS serves the world over TLS as well, and returns a NAS for each name in a
// certificate.
func tlsNAS(t *testing.T, w *world, names ...string) []*radiustest.NAS {
	var clients []radius.Client
	for _, name := range names {
		clients = append(clients, radius.Client{TLSName: name})
	}
	list, err := radius.NewClients(clients...)
	require.NoError(t, err)
	w.server.Clients = list
	network, ca := new(radsectest.Network), radsectest.NewCA(t)
	listener, err := network.Listen(tlsAddr)
	require.NoError(t, err)
	served := make(chan error)
	go func() { served <- w.server.ServeTLS(listener, ca.Config("192.0.2.1")) }()
	t.Cleanup(func() {
		assert.NoError(t, w.server.Close())
		assert.Equal(t, radmfa.ErrServerClosed, <-served)
	})
	var devices []*radiustest.NAS
	for _, name := range names {
		pool := &radius.TLSPool{Config: ca.Config(name)}
		t.Cleanup(func() { assert.NoError(t, pool.Close()) })
		devices = append(devices, &radiustest.NAS{Server: tlsAddr, Secret: "radsec",
			Exchanger: radius.Exchanger{TLS: pool, Dial: network.Dialer(nasIP)}})
	}
	return devices
}

// A login goes on over another connection of the same device, and of no other.
func TestTLSStateBelongsToADevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		nas := tlsNAS(t, w, "vpn1.example.com", "vpn2.example.com")
		challenge, err := nas[0].Login(t.Context(), "jdoe", password)
		require.NoError(t, err)
		require.True(t, challenge.Challenged())
		reply, err := nas[1].Answer(t.Context(), challenge, "1")
		require.NoError(t, err)
		assert.True(t, reply.Rejected())

		time.Sleep(time.Second)
		challenge, err = nas[0].Login(t.Context(), "jdoe", password)
		require.NoError(t, err)
		time.Sleep(2 * time.Minute)
		again := *nas[0]
		pool := &radius.TLSPool{Config: again.Exchanger.TLS.Config}
		defer func() { assert.NoError(t, pool.Close()) }()
		again.Exchanger.TLS = pool
		reply, err = again.Answer(t.Context(), challenge, "1")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.Equal(t, "vpn1.example.com", w.lastEvent().Client)
	})
}

// A NAS whose connection breaks during a push asks again, and there is one push.
func TestTLSOnePushOverTwoConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		nas := tlsNAS(t, w, "vpn1.example.com")[0]
		challenge, err := nas.Login(t.Context(), "jdoe", password)
		require.NoError(t, err)
		broken := *nas
		broken.Exchanger.TLS = &radius.TLSPool{Config: nas.Exchanger.TLS.Config}
		go func() {
			time.Sleep(5 * time.Second)
			assert.NoError(t, broken.Exchanger.TLS.Close())
		}()
		_, err = broken.Answer(t.Context(), challenge, "1")
		assert.Error(t, err)
		reply, err := nas.Answer(t.Context(), challenge, "1")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}
