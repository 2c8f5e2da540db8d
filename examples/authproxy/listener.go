package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/radius"
)

// listener is the sockets of a section and the instance that answers there. The
// instance can be replaced while requests are in flight: those end with the one
// they began with.
type listener struct {
	key string
	udp endpoint

	checked   atomic.Uint64 // health checks
	responded func(section string, code radius.Code)

	mu      sync.RWMutex
	tls     endpoint
	current *instance
}

// listenerKey tells listeners apart: by the address for datagrams, where there is
// one.
func listenerKey(s, main *config.Section) string {
	udp, tls := s.Listens(main)
	return cmp.Or(udp, tlsLabel(tls))
}

func tlsLabel(addr string) string { return addr + "/tls" }

// endpoint is a socket, or none.
type endpoint struct {
	addr   string // as configured; empty: none
	label  string // addr, as it stands in logs and metrics
	server *radius.Server
}

func (l *listener) newEndpoint(addr, label string, logger *slog.Logger, onDrop func(radius.Drop)) endpoint {
	return endpoint{addr, label, &radius.Server{
		Clients: l, Handler: l, Logger: logger.With("listener", label),
		MaxInFlight: maxWaiting(), MaxConnections: maxConnections(), DropHint: l.dropHint, OnDrop: onDrop,
	}}
}

// endpoints returns the sockets that there are.
func (l *listener) endpoints() (list []endpoint) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, e := range []endpoint{l.udp, l.tls} {
		if e.addr != "" {
			list = append(list, e)
		}
	}
	return list
}

// setTLS changes the socket for TLS, and returns the one before.
func (l *listener) setTLS(e endpoint) (old endpoint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.tls = l.tls, e
	return old
}

// tlsAddr returns the address for TLS, or "".
func (l *listener) tlsAddr() string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.tls.addr
}

// shutdown ends the socket, if it is one.
func (e endpoint) shutdown(ctx context.Context) {
	if e.server != nil {
		_ = e.server.Shutdown(ctx)
	}
}

// listens returns where, for people.
func (l *listener) listens() string {
	var labels []string
	for _, e := range l.endpoints() {
		labels = append(labels, e.label)
	}
	return strings.Join(labels, ", ")
}

// waiting returns the number of requests in flight.
func (l *listener) waiting() (n int) {
	for _, e := range l.endpoints() {
		n += e.server.Stats().InFlight
	}
	return n
}

// reserve is how many descriptors are kept for first factors, logs and metrics.
const reserve = 256

// maxWaiting is how many logins may wait at once: each may take a descriptor.
func maxWaiting() int {
	const most = 1 << 16
	if limit := descriptors(); limit > 0 {
		return min(most, max(limit-reserve, limit/2))
	}
	return most
}

// maxConnections is how many connections over TLS a section may have: each takes a
// descriptor.
func maxConnections() int {
	const most = 1 << 10
	if limit := descriptors(); limit > 0 {
		return min(most, limit/4)
	}
	return most
}

// dropHint says what can be done about a drop in the words of the file.
func (l *listener) dropHint(d radius.Drop) string {
	s := l.instance().section
	at := func(key string) string {
		if n := numberOf(s, d.Client); n > 0 {
			return keyAt(s, s.Numbered(key, n))
		}
		return key + "_N"
	}
	switch d.Reason {
	case radius.DropUnknownClient:
		n := nextNumber(s)
		return fmt.Sprintf("if this device may ask, add radius_ip_%d=%s with its radius_secret_%[1]d to [%[3]s]", n, d.Source.Addr(), s.Name)
	case radius.DropUnknownName:
		return "if this device may ask, add radius_name_N with a DNS name of its certificate"
	case radius.DropHandshake:
		return "the device needs a certificate of an authority in radsec_ca_file, for TLS 1.2 or later, and has to trust that of radsec_cert_file"
	case radius.DropNoMessageAuthenticator:
		return "let the device send a Message-Authenticator, or set " + at("radius_message_authenticator") + " to false for it"
	case radius.DropNoLongerSigned:
		return "this device has signed all its requests until now; if it may stop, set " + at("radius_message_authenticator") + " to false, or reload (SIGHUP) to forget that"
	case radius.DropProxyState:
		return "if this device is a RADIUS proxy, let it send a Message-Authenticator, or set " + at("radius_is_proxy") + " to true"
	case radius.DropBadMessageAuthenticator:
		return "the shared secret of the device differs from its " + at("radius_secret")
	case radius.DropTooManyInFlight:
		return "one device sends too many logins at once, or the limit on open files is too low (LimitNOFILE= of the unit, ulimit -n)"
	}
	return d.Hint()
}

// numberOf is the number of the radius_ip_N that a client comes from, or zero.
func numberOf(s *config.Section, c *radius.Client) int {
	if c == nil {
		return 0
	}
	for _, n := range s.Numbers("radius_ip") {
		if slices.Contains(s.Prefixes(s.Numbered("radius_ip", n)), c.Prefix) {
			return n
		}
	}
	return 0
}

// nextNumber is the number for one more device.
func nextNumber(s *config.Section) int {
	next := 1
	for _, n := range slices.Concat(s.Numbers("radius_ip"), s.Numbers("radius_secret")) {
		next = max(next, n+1)
	}
	return next
}

// Client implements radius.ClientSource.
func (l *listener) Client(source netip.Addr) *radius.Client {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current.clients.Client(source)
}

// TLSClient implements radius.TLSClientSource.
func (l *listener) TLSClient(name string) *radius.Client {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current.clients.TLSClient(name)
}

// tlsConfig is for connections that begin: that of the instance now.
func (l *listener) tlsConfig() *tls.Config {
	return &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if c := l.instance().tls; c != nil {
			return c, nil
		}
		return nil, errors.New("RADIUS over TLS is no longer configured")
	}}
}

// ServeRADIUS implements radius.Handler.
func (l *listener) ServeRADIUS(w radius.ResponseWriter, r *radius.Request) {
	i := l.acquire()
	defer i.inUse.Done()
	w = counted{w, func(code radius.Code) { l.responded(i.section.Name, code) }}
	if i.isHealthCheck(r.Packet) {
		l.checked.Add(1)
		_ = w.Write(r.Response(radius.CodeAccessReject))
		return
	}
	i.server.ServeRADIUS(w, r)
}

// counted is a ResponseWriter that tells what was sent.
type counted struct {
	radius.ResponseWriter
	tell func(radius.Code)
}

// Write implements radius.ResponseWriter.
func (c counted) Write(p *radius.Packet) error {
	err := c.ResponseWriter.Write(p)
	if err == nil {
		c.tell(p.Code)
	}
	return err
}

// isHealthCheck reports whether a request is a device's look at whether this
// server is there, by a user who is not.
func (i *instance) isHealthCheck(p *radius.Packet) bool {
	if len(i.health) == 0 {
		return false
	}
	name := rfc2865.UserName_GetString(p)
	return slices.ContainsFunc(i.health, func(h string) bool { return names.Equal(h, name) })
}

// forget forgets who has signed everything.
func (l *listener) forget() {
	for _, e := range l.endpoints() {
		e.server.ForgetSigners()
	}
	l.instance().first.forget()
}

// acquire returns the current instance, which is not closed before its inUse is
// done.
func (l *listener) acquire() *instance {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.current.inUse.Add(1)
	return l.current
}

// replace makes another instance answer, and returns the one before.
func (l *listener) replace(i *instance) (old *instance) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.current = l.current, i
	return old
}

func (l *listener) instance() *instance {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current
}

// close lets the requests in flight end, or rejects them when ctx ends.
func (l *listener) close(ctx context.Context) {
	var wg sync.WaitGroup
	for _, e := range l.endpoints() {
		wg.Go(func() { e.shutdown(ctx) })
	}
	wg.Wait()
	l.instance().close()
}
