package radius_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/internal/radsectest"
	"github.com/radmfa/radmfa/radius"
)

// exchanger returns one that asks the server over TLS.
func (l *tlsLab) exchanger() *radius.Exchanger {
	pool := &radius.TLSPool{Config: l.config(nasName)}
	l.Cleanup(func() { assert.NoError(l, pool.Close()) })
	return &radius.Exchanger{TLS: pool, Dial: l.network.Dialer(nasIP)}
}

func ask(t *testing.T, e *radius.Exchanger, username string) (*radius.Packet, error) {
	request := radius.New(radius.CodeAccessRequest, secret)
	require.NoError(t, rfc2865.UserName_SetString(request, username))
	reply, err := e.Exchange(t.Context(), request, tlsAddress)
	if err == nil {
		assert.Equal(t, request.Identifier, reply.Identifier)
	}
	return reply, err
}

func TestPoolKeepsOneConnection(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		for range 600 {
			reply, err := ask(t, e, "nemo")
			require.NoError(t, err)
			require.Equal(t, "Welcome nemo", rfc2865.ReplyMessage_GetString(reply))
		}
		assert.Equal(t, 1, l.server.Stats().Connections)
		assert.EqualValues(t, 600, l.server.Stats().Handled)
		assert.Zero(t, l.server.Stats().Statuses)
	})
}

// 255 requests may wait; the next ones wait for an Identifier.
func TestPoolHas255InFlight(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(time.Second)}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		began := time.Now()
		var wg sync.WaitGroup
		for range 3 * 255 {
			wg.Go(func() {
				_, err := ask(t, e, "nemo")
				assert.NoError(t, err)
			})
		}
		time.Sleep(500 * time.Millisecond)
		assert.Equal(t, 255, l.server.Stats().InFlight)
		wg.Wait()
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.Equal(t, 1, l.server.Stats().Connections)
	})
}

// A login that waits for a person is waited for, while the server answers
// Status-Server.
func TestPoolWaitsForAPush(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(42 * time.Second)}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		e.Tries = 30
		_, err := ask(t, e, "nemo")
		require.NoError(t, err)
		assert.EqualValues(t, 1, l.server.Stats().Handled)
		assert.Positive(t, l.server.Stats().Statuses)
	})
}

func TestPoolGivesUpInTime(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(time.Hour)}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		began := time.Now()
		_, err := ask(t, e, "nemo")
		assert.ErrorIs(t, err, radius.ErrNoReply)
		assert.Equal(t, 6*time.Second, time.Since(began))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = e.Exchange(ctx, radius.New(radius.CodeAccessRequest, secret), tlsAddress)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 7*time.Second, time.Since(began))
	})
}

// A reply that comes after its request was given up does not disturb the next
// request with that Identifier.
func TestPoolIgnoresLateReplies(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(8 * time.Second)}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		for range 300 {
			_, err := ask(t, e, "nemo")
			assert.ErrorIs(t, err, radius.ErrNoReply)
		}
		e.Tries = 10
		_, err := ask(t, e, "nemo")
		assert.NoError(t, err)
		assert.Equal(t, 1, l.server.Stats().Connections)
	})
}

// scripted serves connections by what the test says, each with its number.
func scripted(t *testing.T, serve func(conn net.Conn, number int)) (*tlsLab, *radius.Exchanger) {
	l := &tlsLab{T: t, network: new(radsectest.Network), ca: radsectest.NewCA(t)}
	listener, err := l.network.Listen(tlsAddress)
	require.NoError(t, err)
	config := l.ca.Config("radius.example.com")
	config.ClientAuth = tls.RequireAndVerifyClientCert
	t.Cleanup(func() {
		_ = listener.Close()
		time.Sleep(2 * time.Minute) // connections that have been closed notice
	})
	go func() {
		for number := 1; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				serve(tls.Server(conn, config), number)
			}()
		}
	}()
	return l, l.exchanger()
}

// readRequest returns a request, or nil.
func readRequest(conn net.Conn) []byte {
	b := make([]byte, 4096)
	if _, err := io.ReadFull(conn, b[:20]); err != nil {
		return nil
	}
	length := int(b[2])<<8 | int(b[3])
	if _, err := io.ReadFull(conn, b[20:length]); err != nil {
		return nil
	}
	return b[:length]
}

// acceptance returns the reply to a request, with a shared secret.
func acceptance(t *testing.T, request []byte, secret radius.Secret) []byte {
	p := &radius.Packet{Code: radius.CodeAccessAccept, Identifier: request[1], Secret: []byte(secret), Authenticator: [16]byte(request[4:20])}
	b, err := p.Encode()
	require.NoError(t, err)
	return b
}

// A connection that says nothing any more, as when a firewall has forgotten it, is
// replaced, and the request sent again.
func TestPoolReplacesASilentConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, e := scripted(t, func(conn net.Conn, number int) {
			for answered := 0; ; answered++ {
				request := readRequest(conn)
				if request == nil {
					return
				}
				if number > 1 || answered == 0 {
					_, _ = conn.Write(acceptance(t, request, secret))
				}
			}
		})
		_, err := ask(t, e, "nemo")
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		began := time.Now()
		_, err = ask(t, e, "nemo")
		require.NoError(t, err)
		assert.Equal(t, 4*time.Second, time.Since(began))
	})
}

func TestPoolReconnectsAfterTheServerHasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, e := scripted(t, func(conn net.Conn, number int) {
			if request := readRequest(conn); request != nil && number != 2 {
				_, _ = conn.Write(acceptance(t, request, secret))
			}
			if number == 1 {
				readRequest(conn) // and closes while there is one
			}
		})
		for range 5 {
			if _, err := ask(t, e, "nemo"); err != nil {
				assert.ErrorIs(t, err, radius.ErrNoReply, "number 2")
			}
		}
		began := time.Now()
		_, err := ask(t, e, "nemo")
		require.NoError(t, err)
		assert.Zero(t, time.Since(began))
	})
}

func TestPoolErrorsSayWhy(t *testing.T) {
	for want, c := range map[string]struct {
		serve  func(conn net.Conn, number int)
		change func(l *tlsLab, e *radius.Exchanger)
		lasts  time.Duration
	}{
		"the shared secrets differ": {serve: func(conn net.Conn, _ int) {
			_, _ = conn.Write(acceptance(t, readRequest(conn), "another"))
		}},
		"a packet has the Length 19, want 20 to 4096": {serve: func(conn net.Conn, _ int) {
			b := acceptance(t, readRequest(conn), secret)
			b[3] = 19
			_, _ = conn.Write(b)
		}},
		"certificate is valid for radius.example.com, not radius2.example.com": {
			change: func(_ *tlsLab, e *radius.Exchanger) { e.TLS.Config.ServerName = "radius2.example.com" }},
		"signed by unknown authority": {
			change: func(l *tlsLab, e *radius.Exchanger) { e.TLS.Config.RootCAs = radsectest.NewCA(l).Pool }},
		"unknown certificate authority": {serve: func(conn net.Conn, _ int) { _ = conn.(*tls.Conn).Handshake(); readRequest(conn) },
			change: func(l *tlsLab, e *radius.Exchanger) {
				e.TLS.Config.Certificates = radsectest.NewCA(l).Config(nasName).Certificates
			}},
		"connection refused": {change: func(l *tlsLab, e *radius.Exchanger) {
			e.Dial = new(radsectest.Network).Dialer(nasIP)
		}},
		"the connection is not open yet": {lasts: 6 * time.Second, change: func(l *tlsLab, e *radius.Exchanger) {
			e.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
		}},
		"has no RootCAs":     {change: func(_ *tlsLab, e *radius.Exchanger) { e.TLS.Config.RootCAs = nil }},
		"has no certificate": {change: func(_ *tlsLab, e *radius.Exchanger) { e.TLS.Config.Certificates = nil }},
		"Config is nil":      {change: func(_ *tlsLab, e *radius.Exchanger) { e.TLS.Config = nil }},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				serve := c.serve
				if serve == nil {
					serve = func(conn net.Conn, _ int) { readRequest(conn) }
				}
				l, e := scripted(t, serve)
				if c.change != nil {
					c.change(l, e)
				}
				began := time.Now()
				_, err := ask(t, e, "nemo")
				assert.ErrorContains(t, err, want)
				assert.Equal(t, c.lasts, time.Since(began))
				if !strings.HasPrefix(want, "has no ") && want != "Config is nil" {
					assert.ErrorIs(t, err, radius.ErrNoReply)
				}
			})
		})
	}
}

// A server that reads nothing holds up nobody for longer than agreed.
func TestPoolServerThatNeverReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, e := scripted(t, func(conn net.Conn, _ int) {
			_ = conn.(*tls.Conn).Handshake()
			time.Sleep(time.Minute)
		})
		began := time.Now()
		var wg sync.WaitGroup
		for range 300 {
			wg.Go(func() {
				_, err := ask(t, e, "nemo")
				assert.ErrorIs(t, err, radius.ErrNoReply)
			})
		}
		wg.Wait()
		assert.Equal(t, 6*time.Second, time.Since(began))
	})
}

func TestPoolClose(t *testing.T) {
	tlsTest(t, &radius.Server{Handler: acceptAfter(time.Hour)}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		failed := make(chan error)
		go func() {
			_, err := ask(t, e, "nemo")
			failed <- err
		}()
		time.Sleep(time.Second)
		require.NoError(t, e.TLS.Close())
		assert.ErrorContains(t, <-failed, "has been closed")
		_, err := ask(t, e, "nemo")
		assert.ErrorContains(t, err, "has been closed")
		synctest.Wait()
		assert.Zero(t, l.server.Stats().Connections)
		assert.NoError(t, e.TLS.Close())
	})
}

// An idle connection is closed after a while, and the next request opens another.
func TestPoolClosesIdleConnections(t *testing.T) {
	tlsTest(t, &radius.Server{}, func(t *testing.T, l *tlsLab) {
		e := l.exchanger()
		for range 3 {
			_, err := ask(t, e, "nemo")
			require.NoError(t, err)
			time.Sleep(11 * time.Minute)
			assert.Zero(t, l.server.Stats().Connections)
		}
	})
}
