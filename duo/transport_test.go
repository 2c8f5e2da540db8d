package duo_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// socketService is a service that is reached over real TLS connections.
type socketService struct {
	*httptest.Server
	dialled atomic.Int64 // connections so far
}

// serve starts a service, with HTTP/2 unless change says otherwise, and returns
// a client of it.
func serve(t *testing.T, h http.Handler, change func(*httptest.Server)) (*socketService, *duo.Client) {
	s := &socketService{Server: httptest.NewUnstartedServer(h)}
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.dialled.Add(1)
		}
	}
	if change != nil {
		change(s.Server)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := x509.NewCertPool()
	ca.AddCert(s.Certificate())
	client := (&duotest.Service{}).Client()
	client.Host, client.HTTPClient, client.TLSConfig = s.Listener.Addr().String(), nil, &tls.Config{RootCAs: ca}
	t.Cleanup(client.CloseIdleConnections)
	return s, client
}

func http1(s *httptest.Server) { s.EnableHTTP2 = false }

// gate is an Answer that says when it was asked and waits for release.
type gate struct {
	asked   atomic.Int64
	release chan struct{}
}

func (g *gate) answer(ctx context.Context, _ duotest.Push) duo.Status {
	g.asked.Add(1)
	select {
	case <-g.release:
		return duo.StatusAllow
	case <-ctx.Done():
		return ""
	}
}

// waitingLogins holds n pushes at once, calls meanwhile, and lets them end.
func waitingLogins(t *testing.T, n int, svc *duotest.Service, client *duo.Client, meanwhile func()) {
	g := &gate{release: make(chan struct{})}
	svc.Users = map[string]*duotest.User{"jdoe": phone(g.answer)}
	_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			r, err := client.Auth(t.Context(), push)
			if assert.NoError(t, err) {
				assert.True(t, r.Allowed())
			}
		})
	}
	assert.Eventually(t, func() bool { return g.asked.Load() == int64(n) }, 30*time.Second, 5*time.Millisecond)
	meanwhile()
	close(g.release)
	wg.Wait()
}

func TestWaitingLoginsShareConnections(t *testing.T) {
	svc := new(duotest.Service)
	server, client := serve(t, svc, nil)
	waitingLogins(t, 300, svc, client, func() {
		assert.LessOrEqual(t, server.dialled.Load(), int64(40))
	})
}

func TestWaitingLoginsDoNotHoldUpOtherCalls(t *testing.T) {
	svc := new(duotest.Service)
	_, client := serve(t, svc, func(s *httptest.Server) {
		s.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 100}
	})
	const more = 3_500 // than fit on the connections that are dialled at first
	waitingLogins(t, more, svc, client, func() {
		_, err := client.Check(t.Context())
		assert.NoError(t, err)
	})
}

func TestWaitingLoginsAreNotCappedWithoutHTTP2(t *testing.T) {
	svc := new(duotest.Service)
	_, client := serve(t, svc, http1)
	waitingLogins(t, 300, svc, client, func() {})
}

func TestShortCallsReuseTheirConnections(t *testing.T) {
	server, client := serve(t, new(duotest.Service), http1)
	_, err := client.Ping(t.Context())
	require.NoError(t, err)
	for range 5 {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := client.Check(t.Context())
				assert.NoError(t, err)
			})
		}
		wg.Wait()
	}
	assert.LessOrEqual(t, server.dialled.Load(), int64(50), "not one for each of a hundred calls")
}

func TestTheCertificateIsVerified(t *testing.T) {
	server, client := serve(t, new(duotest.Service), nil)
	client.TLSConfig = nil
	_, err := client.Ping(t.Context())
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, err, &untrusted)
	assert.True(t, unavailable(err), "no TLS, no connection")
	assert.Equal(t, int64(1), server.dialled.Load(), "it does not become better")
}

func TestOldTLSIsRefused(t *testing.T) {
	_, client := serve(t, new(duotest.Service), func(s *httptest.Server) {
		s.TLS = &tls.Config{MaxVersion: tls.VersionTLS11} // #nosec G402 -- that is what the test is about
	})
	_, err := client.Ping(t.Context())
	require.ErrorContains(t, err, "protocol version")
	assert.True(t, unavailable(err))
}

func TestNoConnection(t *testing.T) {
	server, client := serve(t, new(duotest.Service), nil)
	server.Close()
	_, err := client.Auth(t.Context(), push)
	require.Error(t, err)
	assert.True(t, unavailable(err))
}

func TestAPushIsNotRepeatedWhenItsConnectionBreaks(t *testing.T) {
	for name, change := range map[string]func(*httptest.Server){"HTTP/1.1": http1, "HTTP/2": nil} {
		t.Run(name, func(t *testing.T) {
			svc := service("jdoe", &duotest.User{})
			_, client := serve(t, svc, change)
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			require.NoError(t, err)
			svc.Break("", duotest.Fault{Reset: true})
			_, err = client.Auth(t.Context(), push)
			assert.True(t, unavailable(err), err)
			assert.Equal(t, 1, svc.Count("/auth/v2/auth"))
		})
	}
}

func TestAnIdleConnectionThatWasClosedCostsNoPush(t *testing.T) {
	for name, change := range map[string]func(*httptest.Server){"HTTP/1.1": http1, "HTTP/2": nil} {
		t.Run(name, func(t *testing.T) {
			svc := service("jdoe", &duotest.User{})
			server, client := serve(t, svc, change)
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			require.NoError(t, err)
			server.CloseClientConnections()
			time.Sleep(50 * time.Millisecond) // for the news to arrive
			r, err := client.Auth(t.Context(), push)
			require.NoError(t, err)
			assert.True(t, r.Allowed())
			assert.Equal(t, 1, svc.Count("/auth/v2/auth"))
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	svc := new(duotest.Service)
	svc.Break("", duotest.Fault{Status: 307, Header: http.Header{"Location": {other.URL}}, Times: -1})
	own := &http.Client{Transport: svc}
	client := svc.Client()
	client.HTTPClient = own
	_, err := client.Auth(t.Context(), push)
	assert.True(t, unavailable(err), err)
	assert.Zero(t, elsewhere.Load())
	assert.Nil(t, own.CheckRedirect, "the caller's client stays as it was")
}

func TestAnswersThatAreNotHTTP(t *testing.T) {
	for name, answer := range map[string]string{
		"nonsense":          "220 mail.example.com ESMTP\x1b[2J\r\n",
		"endless header":    "HTTP/1.1 200 OK\r\nX: " + string(make([]byte, 1<<20)),
		"wrong length":      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
		"impossible length": "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
		"broken chunks":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
		"nothing":           "",
	} {
		t.Run(name, func(t *testing.T) {
			_, client := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if assert.NoError(t, err) {
					_, _ = io.WriteString(conn, answer)
					conn.Close()
				}
			}), http1)
			_, err := client.Check(t.Context())
			require.Error(t, err)
			assert.True(t, unavailable(err))
			assert.NotContains(t, err.Error(), "\x1b")
		})
	}
}

// proxy is an HTTP proxy that leads every connection to one address and asks
// for credentials.
func proxy(t *testing.T, to string) (*url.URL, *atomic.Int64) {
	used := new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect || r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpwYXNzd29yZDE3" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		used.Add(1)
		there, err := net.Dial("tcp", to)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		here, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
		go func() {
			_, _ = io.Copy(there, here)
			there.Close()
		}()
		_, _ = io.Copy(here, there)
		here.Close()
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	require.NoError(t, err)
	u.User = url.UserPassword("user", "password17")
	return u, used
}

func TestProxyByField(t *testing.T) {
	svc := service("jdoe", &duotest.User{})
	server, client := serve(t, svc, nil)
	u, used := proxy(t, server.Listener.Addr().String())
	client.Proxy = http.ProxyURL(u)
	client.Host = "example.com" // is in the certificate
	_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.NoError(t, err)
	r, err := client.Auth(t.Context(), push)
	require.NoError(t, err)
	assert.True(t, r.Allowed())
	assert.NotZero(t, used.Load())
}

func TestAProxyThatRefusesIsNoOutage(t *testing.T) {
	server, client := serve(t, new(duotest.Service), nil)
	u, used := proxy(t, server.Listener.Addr().String())
	u.User = url.UserPassword("user", "wrong18")
	client.Proxy = http.ProxyURL(u)
	_, err := client.Ping(t.Context())
	require.ErrorContains(t, err, "Proxy Authentication Required")
	assert.ErrorContains(t, err, "it wants a user name and password")
	assert.NotContains(t, err.Error(), "wrong18")
	assert.False(t, unavailable(err))
	assert.Zero(t, used.Load())
}

// net/http reads the environment once, so this test needs a process of its own.
func TestProxyByEnvironment(t *testing.T) {
	server, _ := serve(t, new(duotest.Service), nil)
	u, used := proxy(t, server.Listener.Addr().String())
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DUO_TEST_PROCESS=check", "HTTPS_PROXY="+u.String(), "NO_PROXY=")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	go func() {
		_ = pem.Encode(in, &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		in.Close()
	}()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, int64(1), used.Load())
}

// checkThroughProxy is the other process of TestProxyByEnvironment.
func checkThroughProxy() {
	cert, _ := io.ReadAll(bufio.NewReader(os.Stdin))
	client := (&duotest.Service{}).Client()
	client.Host, client.HTTPClient, client.TLSConfig = "example.com", nil, &tls.Config{RootCAs: x509.NewCertPool()}
	client.TLSConfig.RootCAs.AppendCertsFromPEM(cert)
	if _, err := client.Check(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
