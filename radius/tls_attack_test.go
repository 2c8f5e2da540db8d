package radius_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"

	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
)

func TestTLSRefusesWhoDoesNotProveWhoItIs(t *testing.T) {
	otherCA := radsectest.NewCA(t)
	for name, c := range map[string]struct {
		change func(l *tlsLab, c *tls.Config)
		reason radius.DropReason
		log    string
	}{
		"no certificate": {func(_ *tlsLab, c *tls.Config) { c.Certificates = nil },
			radius.DropHandshake, "didn't provide a certificate"},
		"another CA": {func(_ *tlsLab, c *tls.Config) { c.Certificates = otherCA.Config(nasName).Certificates },
			radius.DropHandshake, "unknown authority"},
		"expired": {func(l *tlsLab, c *tls.Config) {
			c.Certificates[0] = l.ca.Issue([]string{nasName}, func(t *x509.Certificate) { t.NotAfter = time.Now().Add(-time.Hour) })
		}, radius.DropHandshake, "expired"},
		"for servers only": {func(l *tlsLab, c *tls.Config) {
			c.Certificates[0] = l.ca.Issue([]string{nasName}, func(t *x509.Certificate) {
				t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
			})
		}, radius.DropHandshake, "incompatible key usage"},
		"TLS 1.1": {func(_ *tlsLab, c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 },
			radius.DropHandshake, "unsupported versions"},
		"another name": {func(l *tlsLab, c *tls.Config) { c.Certificates = l.ca.Config("evil.example.com").Certificates },
			radius.DropUnknownName, `[\"evil.example.com\"]`},
		"the name of a client as Common Name": {func(l *tlsLab, c *tls.Config) {
			c.Certificates[0] = l.ca.Issue([]string{nasName}, func(t *x509.Certificate) { t.DNSNames = nil })
		}, radius.DropUnknownName, "its DNS names are []"},
		"a wildcard": {func(l *tlsLab, c *tls.Config) { c.Certificates = l.ca.Config("*.example.com").Certificates },
			radius.DropUnknownName, `[\"*.example.com\"]`},
	} {
		t.Run(name, func(t *testing.T) {
			tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
				config := l.config(nasName)
				c.change(l, config)
				raw, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
				require.NoError(t, err)
				defer func() { _ = raw.Close() }()
				conn := tls.Client(raw, config)
				_ = conn.HandshakeContext(t.Context())
				go func() { _, _ = conn.Write(newRequest(t, "nemo")) }()
				_, err = conn.Read(make([]byte, 1))
				assert.Error(t, err)
				synctest.Wait()

				assert.EqualValues(t, 1, l.server.Stats().Dropped[c.reason])
				assert.Zero(t, l.server.Stats().Handled)
				lines := l.log.lines(t)
				require.Len(t, lines, 1)
				assert.Equal(t, "radius: dropped: "+c.reason.String(), lines[0]["msg"])
				assert.Contains(t, fmt.Sprintf("%q", lines[0]["error"]), c.log)
			})
		})
	}
}

func TestTLSClientsMayBeBoundToAddresses(t *testing.T) {
	server := &radius.Server{Clients: clients(t, radius.Client{TLSName: nasName, Secret: secret,
		Prefix: netip.MustParsePrefix("203.0.113.0/24")})}
	tlsTest(t, server, func(t *testing.T, l *tlsLab) {
		l.connect(l.config(nasName)).requireClosed()
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropUnknownName])
	})
}

func TestTLSClosesAfterMalformedPackets(t *testing.T) {
	short, long := newRequest(t, "nemo"), newRequest(t, "nemo")
	short[2], short[3] = 0, 19
	long[2], long[3] = 0x10, 1
	attribute := newRequest(t, "nemo")
	attribute[21] = 1
	forged := sign(newRequest(t, "nemo"))
	forged[len(forged)-1]++
	for name, c := range map[string]struct {
		packet []byte
		reason radius.DropReason
	}{
		"too short":                   {short, radius.DropMalformed},
		"too long":                    {long, radius.DropMalformed},
		"attribute":                   {attribute, radius.DropMalformed},
		"HTTP":                        {[]byte("GET / HTTP/1.1\r\n\r\n"), radius.DropMalformed},
		"wrong Message-Authenticator": {forged, radius.DropBadMessageAuthenticator},
	} {
		t.Run(name, func(t *testing.T) {
			tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
				nas := l.connect(l.config(nasName))
				nas.send(c.packet)
				nas.requireClosed()
				synctest.Wait()
				assert.EqualValues(t, 1, l.server.Stats().Dropped[c.reason])
				assert.Zero(t, l.server.Stats().Connections)
			})
		})
	}
}

func TestTLSSlowPeersAreClosed(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		silent, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
		require.NoError(t, err)
		began := time.Now()
		_, err = silent.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
		assert.Equal(t, 10*time.Second, time.Since(began), "handshake")
		synctest.Wait()
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropHandshake])

		nas := l.connect(l.config(nasName))
		request := newRequest(t, "nemo")
		began = time.Now()
		go func() { // a byte a second would be enough to stay
			for _, b := range request {
				if _, err := nas.conn.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		nas.requireClosed()
		assert.Equal(t, 10*time.Second, time.Since(began), "packet")
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropMalformed])

		idle := l.connect(l.config(nasName))
		began = time.Now()
		idle.requireClosed()
		assert.Equal(t, 10*time.Minute, time.Since(began), "idle")
		synctest.Wait()
		assert.Zero(t, l.server.Stats().Connections)
	})
}

func TestTLSWhoNeverReadsIsClosed(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		deaf := l.connectDeaf(l.config(nasName))
		other := l.connect(l.config(nasName))
		go func() {
			for i := 0; ; i++ {
				if _, err := deaf.conn.Write(newRequest(t, "nemo", identified(byte(i)))); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		for range 20 {
			request := newRequest(t, "other")
			other.send(request)
			other.reply(request)
		}
		assert.Zero(t, time.Since(began))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		assert.Equal(t, 1, l.server.Stats().Connections)
		assert.Zero(t, l.server.Stats().InFlight)
		lines := l.log.lines(t)
		require.NotEmpty(t, lines)
		assert.Equal(t, "radius: a reply could not be sent", lines[0]["msg"])
	})
}

func TestTLSTenThousandSilentConnections(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		before := l.connect(l.config(nasName))
		dial := l.network.Dialer("203.0.113.66")
		for range 10_000 {
			conn, err := dial(t.Context(), "tcp", tlsAddress)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
		}
		synctest.Wait()
		assert.EqualValues(t, 10_000-128, l.server.Stats().Dropped[radius.DropTooManyConnections])
		for _, nas := range []*stream{before, l.connect(l.config("vpn2.example.com"))} {
			request := newRequest(t, "nemo")
			nas.send(request)
			nas.reply(request)
		}
		assert.Equal(t, 2, l.server.Stats().Connections)
	})
}

func TestTLSConnectionsAreShared(t *testing.T) {
	tlsTest(t, &radius.Server{MaxConnections: 40}, func(t *testing.T, l *tlsLab) {
		greedy := l.config(nasName)
		for i := range 60 {
			s := l.connect(greedy)
			synctest.Wait()
			if i >= 40-40/8 {
				s.requireClosed()
			}
		}
		assert.Equal(t, 35, l.server.Stats().Connections)
		assert.EqualValues(t, 25, l.server.Stats().Dropped[radius.DropTooManyConnections])
		nas := l.connect(l.config("vpn2.example.com"))
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
	})
}

func TestTLSCloseWaitsForNoPeer(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(time.Hour)}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		request := newRequest(t, "nemo")
		nas.send(request)
		l.connectDeaf(l.config(nasName)).send(newRequest(t, "nemo"))
		half, err := l.network.Dialer(nasIP)(t.Context(), "tcp", tlsAddress)
		require.NoError(t, err)
		defer func() { _ = half.Close() }()
		began := time.Now()
		require.NoError(t, l.server.Close())
		assert.LessOrEqual(t, time.Since(began), 2*time.Second)
		assert.Equal(t, radius.CodeAccessReject, nas.reply(request).Code)
	})
}

type changing struct{ *radius.Clients }

func TestTLSARemovedClientIsClosed(t *testing.T) {
	source := &changing{clients(t, radius.Client{TLSName: nasName, Secret: secret})}
	tlsTest(t, &radius.Server{Clients: source}, func(t *testing.T, l *tlsLab) {
		nas := l.connect(l.config(nasName))
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
		source.Clients = clients(t, radius.Client{TLSName: nasName, Secret: "another secret"})
		nas.send(newRequest(t, "nemo"))
		p, err := layeh.Parse(<-nas.replies, []byte("another secret"))
		require.NoError(t, err)
		assert.Equal(t, radius.CodeAccessAccept, p.Code)
		source.Clients = clients(t)
		nas.send(request)
		nas.requireClosed()
		assert.EqualValues(t, 1, l.server.Stats().Dropped[radius.DropUnknownName])
	})
}

func TestTLSACertificateThatExpiresIsClosed(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		config := l.config(nasName)
		config.Certificates[0] = l.ca.Issue([]string{nasName}, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(time.Minute) })
		nas := l.connect(config)
		request := newRequest(t, "nemo")
		nas.send(request)
		nas.reply(request)
		time.Sleep(2 * time.Minute)
		nas.send(request)
		nas.requireClosed()
	})
}

func TestATLSClientCannotSendDatagrams(t *testing.T) {
	list := clients(t, radius.Client{TLSName: nasName, Prefix: netip.MustParsePrefix("198.51.100.0/24")})
	assert.Nil(t, list.Client(netip.MustParseAddr(nasIP)))
	assert.Equal(t, radius.Secret("radsec"), list.TLSClient(nasName).Secret)
}
