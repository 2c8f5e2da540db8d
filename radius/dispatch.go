package radius

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
)

const (
	// maxKeys bounds how many secrets are kept ready.
	maxKeys = 1 << 12
	// maxUnsignedProxyState is how many bytes of Proxy-State an unsigned request
	// may have unless it comes from a proxy. The collision of CVE-2024-3596 needs
	// several times as much; a NAS sends none.
	maxUnsignedProxyState = 128
)

// peer is where a packet came from: a datagram and which address it was sent to,
// or a connection.
type peer struct {
	addr netip.AddrPort
	info packetInfo
	conn *tlsConn // nil: it was a datagram
}

// sender sends a reply to a peer.
type sender interface {
	send(reply []byte, to peer) error
}

// dispatcher decides what becomes of each packet: it finds the client, verifies
// the packet, and gives a new request to the handler. It knows no socket.
type dispatcher struct {
	server  *Server
	out     sender
	local   net.Addr
	replies *replyCache
	keys    map[*Client]*key // the secrets; only receive uses it, not dispatch

	ctx    context.Context // of all requests
	cancel context.CancelFunc

	workers // their WaitGroup has the receiver as well
}

func (s *Server) newDispatcher(local net.Addr, out sender) *dispatcher {
	d := &dispatcher{
		server: s, out: out, local: local,
		replies: newReplyCache(orDefault(s.MaxInFlight, defaultMaxInFlight),
			orDefault(s.AnswerMemory, defaultAnswerMemory)),
		keys: make(map[*Client]*key),
	}
	d.running.Add(1) // until endReceiving
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

func (d *dispatcher) endReceiving() {
	d.noMore()
	d.running.Done()
}

// receive handles one datagram. Nothing is allocated for it and no goroutine
// started before the sender is known and the packet verified.
func (d *dispatcher) receive(datagram []byte, from peer) {
	s := d.server
	from.addr = netip.AddrPortFrom(from.addr.Addr().Unmap(), from.addr.Port())
	client := s.Clients.Client(from.addr.Addr())
	if client == nil || client.Secret == "" || client.TLSName != "" {
		s.drop(Drop{Reason: DropUnknownClient, Source: from.addr, Client: client, Length: len(datagram)})
		return
	}
	d.dispatch(datagram, from, client, d.keyOf(client))
}

// dispatch handles one packet of a client. It returns why, when the packet is
// dropped, and may be called concurrently.
func (d *dispatcher) dispatch(packet []byte, from peer, client *Client, k *key) (DropReason, bool) {
	s := d.server
	drop := func(reason DropReason) (DropReason, bool) {
		s.drop(Drop{Reason: reason, Source: from.addr, Client: client, Length: len(packet)})
		return reason, false
	}
	w, err := scan(packet)
	if err != nil || w.proxyStates > maxProxyStates {
		return drop(DropMalformed)
	}
	code := Code(w.bytes[0])
	if code != CodeAccessRequest && code != CodeStatusServer {
		return drop(DropCode)
	}
	if reason, ok := s.verify(w, from, client, k); !ok {
		return drop(reason)
	}
	if code == CodeStatusServer {
		d.answerStatus(w, from, k)
		return 0, true
	}
	id := d.replies.key(from, w)
	switch reply, state := d.replies.begin(id, client); state {
	case tooMany:
		return drop(DropTooManyInFlight)
	case inFlight:
		s.joined.Add(1)
	case replied:
		s.repeated.Add(1)
		d.send(reply, from)
	case fresh:
		s.handled.Add(1)
		r := &request{Context: d.ctx, dispatcher: d, peer: from, client: client, key: k, id: id, wire: w}
		r.wire.bytes = append(r.bytes[:0], w.bytes...) // the datagram's buffer is used again
		d.start(r)
	}
	return 0, true
}

// keyOf returns the client's secret, ready for use.
func (d *dispatcher) keyOf(client *Client) *key {
	k := d.keys[client]
	if k == nil {
		if len(d.keys) >= maxKeys {
			clear(d.keys)
		}
		k = newKey(client.Secret)
		d.keys[client] = k
	}
	return k
}

// verify reports whether the packet may be served, or else why not.
func (s *Server) verify(w wire, from peer, client *Client, k *key) (DropReason, bool) {
	signed := w.macAt != 0
	if signed && !w.signed(k, w.authenticator()) {
		return DropBadMessageAuthenticator, false
	}
	if Code(w.bytes[0]) == CodeStatusServer { // RFC 5997 section 3
		return DropNoMessageAuthenticator, signed
	}
	switch policy, overTLS := client.MessageAuthenticator, from.conn != nil; {
	case policy == MessageAuthenticatorAuto && !overTLS && !s.permitUnsigned(client, from.addr, signed):
		return DropNoLongerSigned, false
	case signed:
		return 0, true
	case policy == MessageAuthenticatorRequired, w.eap: // RFC 3579 section 3.2
		return DropNoMessageAuthenticator, false
	case overTLS: // nobody can change it on its way
		return 0, true
	case w.proxyStates > maxUnsignedProxyState && !client.Proxy:
		return DropProxyState, false
	}
	return 0, true
}

// answerStatus answers a Status-Server as RFC 5997 section 4.2 says, without a
// handler, since those may all be waiting.
func (d *dispatcher) answerStatus(w wire, to peer, k *key) {
	d.server.statuses.Add(1)
	h := hashers.Get().(*hasher)
	defer hashers.Put(h)
	if b, err := h.reply(&Packet{Code: CodeAccessAccept}, k, w); err == nil {
		d.send(b, to)
	}
}

func (d *dispatcher) send(reply []byte, to peer) {
	if err := d.out.send(reply, to); err != nil {
		d.notSent(to, err)
	}
}

func (d *dispatcher) notSent(to peer, err error) {
	s := d.server
	s.writeLog.log(s.logger(), slog.LevelWarn, "radius: a reply could not be sent",
		slog.String("to", to.addr.String()), slog.Any("error", err))
}
