package duo

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Bounds of our own transports.
const (
	// maxCalls is how many calls that do not wait for a person are under way at
	// once. More of them wait here, so that a burst of ours is not taken for
	// silence of the service: this machine can always keep up with so many.
	maxCalls    = 512
	maxDials    = 32   // at once, where connections are shared
	maxIdle     = 1024 // connections that wait for the next call
	idleTimeout = 50 * time.Second
	dialTimeout = 5 * time.Second
	pingAfter   = 15 * time.Second // of silence on an HTTP/2 connection
	pingTimeout = 10 * time.Second
)

// web sends requests, by the caller's client or by one of our transports.
//
// Over HTTP/2 a connection carries a hundred calls or more. There a bound on
// connections keeps a burst of calls from dialling one each; net/http still opens
// more when all are full. Over HTTP/1.1 each waiting login takes a connection,
// and the same bound would be one on waiting logins. So there are two
// transports, and the last answer tells which to use.
type web struct {
	shared *http.Client
	single *http.Client
	probes *http.Client  // a connection for each, so that no call is in its way
	places chan struct{} // of calls that are under way
	http1  atomic.Bool
}

type proxyFunc = func(*http.Request) (*url.URL, error)

func (w *web) setUp(own *http.Client, config *tls.Config, proxy proxyFunc) {
	w.places = make(chan struct{}, maxCalls)
	if own != nil {
		c := *own
		c.CheckRedirect = noRedirect
		w.shared, w.single, w.probes = &c, &c, &c
		return
	}
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	w.shared = &http.Client{CheckRedirect: noRedirect, Transport: transport(config, proxy, maxDials)}
	w.single = &http.Client{CheckRedirect: noRedirect, Transport: transport(config, proxy, 0)}
	fresh := transport(config, proxy, 0)
	fresh.DisableKeepAlives = true
	w.probes = &http.Client{CheckRedirect: noRedirect, Transport: fresh}
}

// noRedirect keeps what was signed for one host from going to another.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func transport(config *tls.Config, proxy proxyFunc, maxConns int) *http.Transport {
	if config = config.Clone(); config == nil {
		config = &tls.Config{}
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: checkProxy,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    dialTimeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		MaxConnsPerHost:        maxConns,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true,
	}
}

func (w *web) do(r *http.Request, probe bool) (*http.Response, error) {
	if probe {
		return w.probes.Do(r)
	}
	client := w.shared
	if w.http1.Load() {
		client = w.single
	}
	resp, err := client.Do(r)
	if err == nil {
		w.http1.Store(resp.ProtoMajor < 2)
	}
	return resp, err
}

// enter waits for a place among the calls that are under way, leave gives it back.
func (w *web) enter(ctx context.Context) error {
	select {
	case w.places <- struct{}{}:
		return nil
	default:
	}
	select {
	case w.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return &waitedError{ctx.Err()}
	}
}

func (w *web) leave() { <-w.places }

func (w *web) closeIdle() {
	w.shared.CloseIdleConnections()
	w.single.CloseIdleConnections()
}
