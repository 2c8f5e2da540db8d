package radiustest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Network is a datagram network in memory. The zero value delivers everything
// at once and in order. Its fields must not change once it is in use; its
// methods are safe for concurrent use.
type Network struct {
	// Loss and Duplicate are the probabilities, 0 to 1, that a datagram is lost
	// or arrives twice.
	Loss, Duplicate float64

	// MinDelay and MaxDelay are the bounds of how long a datagram travels, drawn
	// for each: where they differ, datagrams overtake each other.
	MinDelay, MaxDelay time.Duration

	// Seed makes the chances repeatable, as far as the order is in which
	// datagrams are sent.
	Seed uint64

	mu    sync.Mutex
	rand  *rand.Rand
	conns map[netip.AddrPort]*Conn
	ports uint16 // the last port that Dial gave out
}

// Listen opens the address, such as "192.0.2.1:1812". It is an error when the
// address is no IP address and port, or is open already.
func (n *Network) Listen(address string) (*Conn, error) {
	local, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("radiustest: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.open(unmap(local))
}

// unmap gives IPv4 addresses one form, as a real network does.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Dialer returns a function for radius.Exchanger's Dial: each of its
// connections has a new port on the given local IP address, such as "192.0.2.7".
func (n *Network) Dialer(ip string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(_ context.Context, _, address string) (net.Conn, error) {
		local, err := netip.ParseAddr(ip)
		if err != nil {
			return nil, fmt.Errorf("radiustest: %w", err)
		}
		remote, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, fmt.Errorf("radiustest: %w", err)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		for range 1 << 16 {
			n.ports++
			if n.ports < 1024 {
				continue
			}
			if c, err := n.open(unmap(netip.AddrPortFrom(local, n.ports))); err == nil {
				return &dialed{Conn: c, remote: unmap(remote)}, nil
			}
		}
		return nil, fmt.Errorf("radiustest: every port of %s is open", ip)
	}
}

func (n *Network) open(local netip.AddrPort) (*Conn, error) {
	if n.conns[local] != nil {
		return nil, fmt.Errorf("radiustest: %s is open already", local)
	}
	if n.conns == nil {
		n.conns = make(map[netip.AddrPort]*Conn)
		n.rand = rand.New(rand.NewPCG(n.Seed, 0))
	}
	c := &Conn{network: n, local: local, changed: make(chan struct{})}
	n.conns[local] = c
	return c, nil
}

// send lets the datagram take its chances.
func (n *Network) send(d datagram, to netip.AddrPort) {
	n.mu.Lock()
	var delays []time.Duration
	for copies := 1; copies > 0; copies-- {
		if n.rand.Float64() < n.Loss {
			continue
		}
		delay := n.MinDelay
		if spread := n.MaxDelay - n.MinDelay; spread > 0 {
			delay += time.Duration(n.rand.Int64N(int64(spread)))
		}
		delays = append(delays, delay)
		if len(delays) == 1 && n.rand.Float64() < n.Duplicate {
			copies++
		}
	}
	n.mu.Unlock()
	for _, delay := range delays {
		if delay <= 0 {
			n.deliver(d, to)
		} else {
			time.AfterFunc(delay, func() { n.deliver(d, to) })
		}
	}
}

func (n *Network) deliver(d datagram, to netip.AddrPort) {
	n.mu.Lock()
	c := n.conns[to]
	n.mu.Unlock()
	if c != nil {
		c.arrive(d)
	}
}

type datagram struct {
	bytes []byte
	from  netip.AddrPort
}

// Conn is one open address of a Network. It is a net.PacketConn and has the
// methods of *net.UDPConn that radius.Server prefers.
type Conn struct {
	network *Network
	local   netip.AddrPort

	mu       sync.Mutex
	queue    []datagram
	deadline time.Time
	closed   bool
	changed  chan struct{} // closed and made anew when one of the above changes
}

var errClosed = fmt.Errorf("radiustest: %w", net.ErrClosed)

// ReadFromUDPAddrPort waits for a datagram.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		d, wait, err := c.next()
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		if wait == nil {
			return copy(b, d.bytes), d.from, nil
		}
		wait()
	}
}

// next returns a datagram, an error, or what waits until there may be one.
func (c *Conn) next() (d datagram, wait func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := time.Until(c.deadline)
	switch {
	case c.closed:
		return d, nil, errClosed
	case !c.deadline.IsZero() && left <= 0:
		return d, nil, fmt.Errorf("radiustest: read: %w", os.ErrDeadlineExceeded)
	case len(c.queue) > 0:
		d, c.queue = c.queue[0], c.queue[1:]
		return d, nil, nil
	}
	changed := c.changed
	if c.deadline.IsZero() {
		return d, func() { <-changed }, nil
	}
	return d, func() {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-changed:
		case <-timer.C:
		}
	}, nil
}

// change makes a change and wakes the readers.
func (c *Conn) change(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *Conn) arrive(d datagram) { c.change(func() { c.queue = append(c.queue, d) }) }

// WriteToUDPAddrPort sends a datagram. As on a real network, nothing tells
// whether it arrives.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed {
		return 0, errClosed
	}
	c.network.send(datagram{append([]byte(nil), b...), c.local}, unmap(to))
	return len(b), nil
}

// ReadFrom implements net.PacketConn.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return 0, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo implements net.PacketConn.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	udp, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errors.New("radiustest: the address is not a *net.UDPAddr")
	}
	return c.WriteToUDPAddrPort(b, udp.AddrPort())
}

// Close closes the address; it can then be opened again.
func (c *Conn) Close() error {
	c.change(func() { c.closed = true })
	c.network.mu.Lock()
	defer c.network.mu.Unlock()
	if c.network.conns[c.local] == c {
		delete(c.network.conns, c.local)
	}
	return nil
}

// LocalAddr returns the address, a *net.UDPAddr.
func (c *Conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.local) }

// SetReadDeadline bounds reads, also one that is waiting.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.change(func() { c.deadline = t })
	return nil
}

// SetDeadline is SetReadDeadline, since writes never wait.
func (c *Conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

// SetWriteDeadline does nothing, since writes never wait.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }

// dialed is a Conn that speaks with one other only.
type dialed struct {
	*Conn
	remote netip.AddrPort
}

func (d *dialed) Read(b []byte) (int, error) {
	for {
		n, from, err := d.ReadFromUDPAddrPort(b)
		if err != nil || from == d.remote {
			return n, err
		}
	}
}

func (d *dialed) Write(b []byte) (int, error) { return d.WriteToUDPAddrPort(b, d.remote) }

func (d *dialed) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(d.remote) }
