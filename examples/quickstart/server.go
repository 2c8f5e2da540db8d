package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const (
	secret = "testing123" // shared by the VPN and the server
	userIP = "192.0.2.33" // of the user's machine, as the VPN reports it
)

// phones are what the users look at: in the terminal, or on the page.
type phones interface {
	// push is the duotest.Answer of them all.
	push(context.Context, duotest.Push) duo.Status
	// sms shows the passcodes that were sent to a user.
	sms(ctx context.Context, username string, codes []string)
}

// world is the server and what it talks to. People are not part of it.
type world struct {
	users   []user
	service *duotest.Service
	server  *radius.Server
	served  chan error
	nas     *radiustest.NAS
}

// newWorld starts the server on conn, and closes that on an error. The renderer
// is for what shows the texts of the VPN.
func newWorld(conn net.PacketConn, p phones, renderer prompt.Renderer, logger *slog.Logger) (*world, error) {
	w := &world{
		users:   users(p.push),
		service: &duotest.Service{Users: make(map[string]*duotest.User)},
		served:  make(chan error, 1),
	}
	passwords := make(primarytest.Users)
	for _, u := range w.users {
		passwords[u.name] = radius.Secret(u.password)
		w.service.Users[u.name] = u.duo
	}
	mfa := &radmfa.Server{
		Primary:      passwords,
		SecondFactor: w.service.Client(),
		Prompt:       renderer,
		AuthTimeout:  65 * time.Second, // so that the service's word on a late push comes first
		Logger:       logger,
		OnEvent: func(ctx context.Context, e radmfa.Event) {
			// By itself, sending passcodes is a rejected login.
			if e.Stage == radmfa.StageAuth && e.Factor == duo.FactorSMS && e.Result == radmfa.ResultRejected {
				p.sms(ctx, e.Username, w.service.SMS(e.Username))
			}
		},
	}
	clients, err := radius.NewClients(radius.Client{
		Name: "vpn", Prefix: netip.MustParsePrefix("127.0.0.0/8"), Secret: secret,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// One VPN needs no large receive buffer, for which the kernel would have to be
	// told first. Else mfa.Serve(conn) would do, with Clients in mfa.
	w.server = &radius.Server{Clients: clients, Handler: mfa, ReadBuffer: 64 << 10, Logger: logger}
	go func() { w.served <- w.server.Serve(conn) }()

	w.nas = &radiustest.NAS{
		Server: conn.LocalAddr().String(), Secret: secret,
		Attributes: radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(userIP)}},
	}
	return w, nil
}

// close lets the logins in flight end. All phones must say no by then.
func (w *world) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := w.server.Shutdown(ctx)
	if served := <-w.served; !errors.Is(served, radius.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
