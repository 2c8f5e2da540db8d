package radiusauth_test

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "testing123"
	first  = "192.0.2.1:1812"
	second = "192.0.2.2:1812"
	here   = "192.0.2.99"
)

// bubble runs the test with a network in memory, where waiting takes no time.
func bubble(t *testing.T, test func(t *testing.T, n *radiustest.Network)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, new(radiustest.Network)) })
}

// asks returns an Authenticator of these servers on the network.
func asks(n *radiustest.Network, addresses ...string) *radiusauth.Authenticator {
	a := &radiusauth.Authenticator{
		Secret:      secret,
		DialContext: n.Dialer(here),
		Logger:      slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, address := range addresses {
		a.Servers = append(a.Servers, radiusauth.Server{Address: address})
	}
	return a
}

// upstream is a RADIUS server that remembers what it was asked.
type upstream struct {
	server *radius.Server
	done   chan struct{}

	mu       sync.Mutex
	requests []*radius.Packet
}

// serve starts an upstream, which a handler makes answer. Nil: it accepts the
// password "good" and rejects others.
func serve(t *testing.T, conn net.PacketConn, handler radius.HandlerFunc) *upstream {
	t.Helper()
	if handler == nil {
		handler = acceptGood
	}
	clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("0.0.0.0/0"), Secret: secret})
	require.NoError(t, err)
	u := &upstream{done: make(chan struct{})}
	u.server = &radius.Server{
		Clients: clients,
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			u.mu.Lock()
			u.requests = append(u.requests, r.Packet)
			u.mu.Unlock()
			handler(w, r)
		}),
	}
	go func() {
		defer close(u.done)
		_ = u.server.Serve(conn)
	}()
	t.Cleanup(u.stop)
	return u
}

func (u *upstream) stop() {
	_ = u.server.Close()
	<-u.done
}

// asked returns how many requests came, retransmissions not counted.
func (u *upstream) asked() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.requests)
}

func (u *upstream) last() *radius.Packet {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.requests[len(u.requests)-1]
}

func listen(t *testing.T, n *radiustest.Network, address string) net.PacketConn {
	t.Helper()
	conn, err := n.Listen(address)
	require.NoError(t, err)
	return conn
}

func acceptGood(w radius.ResponseWriter, r *radius.Request) {
	code := radius.CodeAccessReject
	if rfc2865.UserPassword_GetString(r.Packet) == "good" {
		code = radius.CodeAccessAccept
	}
	_ = w.Write(r.Response(code))
}

// replies returns a handler that always sends this.
func replies(code radius.Code, attributes ...*radius.AVP) radius.HandlerFunc {
	return func(w radius.ResponseWriter, r *radius.Request) {
		reply := r.Response(code)
		reply.Attributes = attributes
		_ = w.Write(reply)
	}
}

func attr(kind radius.Type, value string) *radius.AVP {
	return &radius.AVP{Type: kind, Attribute: radius.Attribute(value)}
}

// vsa returns a Vendor-Specific of the vendor's attributes, given as type, value.
func vsa(t *testing.T, vendor uint32, attributes ...any) *radius.AVP {
	t.Helper()
	var inner []radius.AVP
	for pair := range slices.Chunk(attributes, 2) {
		inner = append(inner, radius.AVP{Type: radius.Type(pair[0].(int)), Attribute: radius.Attribute(pair[1].(string))})
	}
	value, err := radius.NewVendorSpecific(vendor, inner...)
	require.NoError(t, err)
	return &radius.AVP{Type: rfc2865.VendorSpecific_Type, Attribute: value}
}

// nasRequest returns what a NAS sent, for primary.Request.Packet.
func nasRequest(attributes ...*radius.AVP) *radius.Packet {
	packet := layeh.New(radius.CodeAccessRequest, []byte("secret of the NAS"))
	packet.Attributes = attributes
	return packet
}

func jdoe(password radius.Secret) *primary.Request {
	return &primary.Request{Username: "jdoe", Password: password}
}

func requireRejection(t *testing.T, err error) *primary.Rejection {
	t.Helper()
	var rejection *primary.Rejection
	require.ErrorAs(t, err, &rejection)
	return rejection
}

func requireChallenge(t *testing.T, err error) *primary.Challenge {
	t.Helper()
	var challenge *primary.Challenge
	require.ErrorAs(t, err, &challenge)
	return challenge
}

// assertUnknown: the servers could not be asked, which is no answer.
func assertUnknown(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	assert.NotErrorIs(t, err, primary.ErrRejected)
}
