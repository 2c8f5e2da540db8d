package main

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/radmfa/radmfa/radius"
)

// listener is a socket and the instance that answers there. The instance can be
// replaced while requests are in flight: those end with the one they began with.
type listener struct {
	addr   string // as configured
	server *radius.Server

	mu      sync.RWMutex
	current *instance
}

func newListener(addr string, i *instance, logger *slog.Logger) *listener {
	l := &listener{addr: addr, current: i}
	l.server = &radius.Server{Clients: l, Handler: l, Logger: logger.With("listener", addr)}
	return l
}

// Client implements radius.ClientSource.
func (l *listener) Client(source netip.Addr) *radius.Client {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.current.clients.Client(source)
}

// ServeRADIUS implements radius.Handler.
func (l *listener) ServeRADIUS(w radius.ResponseWriter, r *radius.Request) {
	i := l.acquire()
	defer i.inUse.Done()
	i.server.ServeRADIUS(w, r)
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
	_ = l.server.Shutdown(ctx)
	l.instance().close()
}
