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
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const (
	secret = "testing123" // shared by the VPN and the server
	userIP = "192.0.2.33" // of the user's machine, as the VPN reports it
)

// demo is the server and all that belongs to a login.
type demo struct {
	*console
	users   []user
	service *duotest.Service
	server  *radius.Server
	served  chan error
	nas     *radiustest.NAS

	phone duo.Status    // what every phone says; empty: it asks
	rings chan ring     // from the phones to the console
	over  chan struct{} // closed when the console listens no more
}

// newDemo starts the server on conn, and closes that on an error.
func newDemo(conn net.PacketConn, c *console, phone duo.Status, logger *slog.Logger) (*demo, error) {
	d := &demo{
		console: c, phone: phone, service: &duotest.Service{Users: make(map[string]*duotest.User)},
		rings: make(chan ring), over: make(chan struct{}), served: make(chan error, 1),
	}
	d.users = users(d.answerPush)
	passwords := make(primarytest.Users)
	for _, u := range d.users {
		passwords[u.name] = radius.Secret(u.password)
		d.service.Users[u.name] = u.duo
	}
	mfa := &radmfa.Server{
		Primary:      passwords,
		SecondFactor: d.service.Client(),
		AuthTimeout:  65 * time.Second, // so that the service's word on a late push comes first
		OnEvent:      d.showSMS,
		Logger:       logger,
	}
	clients, err := radius.NewClients(radius.Client{
		Name: "vpn", Prefix: netip.MustParsePrefix("127.0.0.0/8"), Secret: secret,
	})
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// One terminal needs no large receive buffer, for which the kernel would have
	// to be told first. Else mfa.Serve(conn) would do, with Clients in mfa.
	d.server = &radius.Server{Clients: clients, Handler: mfa, ReadBuffer: 64 << 10, Logger: logger}
	go func() { d.served <- d.server.Serve(conn) }()

	d.nas = &radiustest.NAS{
		Server: conn.LocalAddr().String(), Secret: secret,
		Attributes: radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(userIP)}},
	}
	return d, nil
}

// close lets the logins in flight end, now that all phones say no.
func (d *demo) close() error {
	close(d.over)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	err := d.server.Shutdown(ctx)
	if served := <-d.served; !errors.Is(served, radius.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
