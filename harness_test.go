package radmfa_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestMain(m *testing.M) {
	if servedBenchmark() {
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	serverAddr = "192.0.2.1:1812"
	nasIP      = "192.0.2.7"
	secret     = "xyzzy5461"
	password   = "correct horse"
	pathAuth   = "/auth/v2/auth"
)

// world is a server with everything around it: a NAS, a network, a service. Its
// fields may be changed before start.
type world struct {
	t       *testing.T
	network *radiustest.Network
	service *duotest.Service
	server  *radmfa.Server
	nas     *radiustest.NAS
	log     *syncBuffer

	directory *ldapauthtest.Directory // with mustChange

	mu     sync.Mutex
	events []radmfa.Event
	served chan error
}

// newWorld returns the world in which jdoe has a password and a smartphone that
// approves.
func newWorld(t *testing.T) *world {
	w := &world{
		t:       t,
		network: &radiustest.Network{},
		service: &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}},
		log:     &syncBuffer{},
		served:  make(chan error, 1),
	}
	clients, err := radius.NewClients(
		radius.Client{Name: "vpn", Prefix: netip.MustParsePrefix(nasIP + "/32"), Secret: secret},
		radius.Client{Name: "other vpn", Prefix: netip.MustParsePrefix("192.0.2.8/32"), Secret: secret},
	)
	require.NoError(t, err)
	w.server = &radmfa.Server{
		Clients:      clients,
		Primary:      primarytest.Users{"jdoe": password, "alice": password},
		SecondFactor: w.service.Client(),
		FailMode:     radmfa.FailOpen,
		Logger:       slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		OnEvent: func(_ context.Context, e radmfa.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		},
	}
	w.nas = w.newNAS(nasIP)
	return w
}

// mustChange makes an Active Directory the first factor, at which jdoe must change
// the password.
func (w *world) mustChange() {
	server, roots := ldapauthtest.NewTLS("dc1.example.com")
	w.directory = &ldapauthtest.Directory{ActiveDirectory: true, TLS: server, Entries: []ldapauthtest.Entry{
		{DN: "DC=example,DC=com", Attributes: map[string][]string{
			"minPwdLength": {"12"}, "pwdHistoryLength": {"24"}, "pwdProperties": {"1"},
		}},
		{DN: "CN=svc,DC=example,DC=com", Password: "svc-pw", Attributes: map[string][]string{"userPrincipalName": {"svc@example.com"}}},
		{DN: "CN=John Doe,DC=example,DC=com", Password: password, MustChange: true, Attributes: map[string][]string{"sAMAccountName": {"jdoe"}}},
	}}
	first := &ldapauth.Authenticator{
		Hosts: []string{"dc1.example.com"}, TLSConfig: &tls.Config{RootCAs: roots}, DialContext: w.directory.Dial,
		ServiceUser: "svc@example.com", ServicePassword: "svc-pw", BaseDN: "DC=example,DC=com",
		AllowPasswordChange: true, Logger: w.server.Logger,
	}
	w.t.Cleanup(func() { assert.NoError(w.t, first.Close()) })
	w.server.Primary = first
}

// refuseChanges makes the directory refuse changes of passwords.
func (w *world) refuseChanges(code uint16) {
	w.directory.OnChange = func(string, string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: code} }
}

// newNAS returns a NAS with the given address.
func (w *world) newNAS(ip string) *radiustest.NAS {
	return &radiustest.NAS{
		Server: serverAddr, Secret: secret,
		Exchanger: radius.Exchanger{Dial: w.network.Dialer(ip), Tries: 30},
	}
}

// start serves until the test ends.
func (w *world) start() {
	conn, err := w.network.Listen(serverAddr)
	require.NoError(w.t, err)
	go func() { w.served <- w.server.Serve(conn) }()
	w.t.Cleanup(func() {
		assert.NoError(w.t, w.server.Close())
		assert.ErrorIs(w.t, <-w.served, radmfa.ErrServerClosed)
	})
}

// login logs in and fails the test when there is no reply.
func (w *world) login(username, password string, answers ...string) *radiustest.Reply {
	w.t.Helper()
	reply, err := w.nas.Login(w.t.Context(), username, password, answers...)
	require.NoError(w.t, err)
	return reply
}

// seen returns the events until now.
func (w *world) seen() []radmfa.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	require.NotEmpty(w.t, w.events)
	return slices.Clone(w.events)
}

// logins returns how many logins the events are of.
func (w *world) logins() int {
	ids := make(map[string]bool)
	for _, e := range w.seen() {
		ids[e.LoginID] = true
	}
	return len(ids)
}

func (w *world) lastEvent() radmfa.Event {
	events := w.seen()
	return events[len(events)-1]
}

var errBroken = errors.New("the store is broken")

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
