package radsectest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// Network is a network of streams in memory, for testing/synctest. As in a kernel,
// 64 KiB may wait for their reader. The zero value is ready.
type Network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	ports     uint16
}

// Listen opens the address, such as "192.0.2.1:2083".
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("radsectest: %s is open already", address)
	}
	if n.listeners == nil {
		n.listeners = make(map[string]*listener)
	}
	l := &listener{network: n, address: address, accepted: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = l
	return l, nil
}

// Dialer returns a function that connects from the IP address, from a new port each
// time.
func (n *Network) Dialer(ip string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, address string) (net.Conn, error) {
		n.mu.Lock()
		l := n.listeners[address]
		n.ports++
		local := addr(netip.AddrPortFrom(netip.MustParseAddr(ip), 1024+n.ports).String())
		n.mu.Unlock()
		refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		if l == nil {
			return nil, refused
		}
		out, in := newPipe(), newPipe()
		select {
		case l.accepted <- &conn{r: out, w: in, local: addr(address), remote: local}:
			return &conn{r: in, w: out, local: local, remote: addr(address)}, nil
		case <-l.closed:
			return nil, refused
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type listener struct {
	network  *Network
	address  string
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

var errClosed = fmt.Errorf("radsectest: %w", net.ErrClosed)

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, errClosed
	}
}

func (l *listener) Close() error {
	err := errors.New("radsectest: closed already")
	l.once.Do(func() {
		close(l.closed)
		l.network.mu.Lock()
		delete(l.network.listeners, l.address)
		l.network.mu.Unlock()
		err = nil
	})
	return err
}

func (l *listener) Addr() net.Addr { return addr(l.address) }

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }
