package radmfa_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"strings"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// A whole login on the loopback interface, with fakes for the service and the
// NAS. In production SecondFactor is a *duo.Client with your keys, and Primary
// one of the packages below primary.
func Example() {
	service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	clients, err := radius.NewClients(radius.Client{
		Name:   "vpn",
		Prefix: netip.MustParsePrefix("127.0.0.1/32"),
		Secret: "testing123",
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &radmfa.Server{
		Clients:      clients,
		Primary:      primarytest.Users{"jdoe": "correct horse"},
		SecondFactor: service.Client(),
		Logger:       slog.New(slog.DiscardHandler),
	}
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = server.Serve(conn) }()
	defer func() { _ = server.Shutdown(context.Background()) }()

	nas := &radiustest.NAS{Server: conn.LocalAddr().String(), Secret: "testing123"}
	challenge, err := nas.Login(context.Background(), "jdoe", "correct horse")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.TrimSpace(challenge.String()))
	result, err := nas.Answer(context.Background(), challenge, "push")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result)
	// Output:
	// Access-Challenge: Duo two-factor login for jdoe
	//
	// Enter a passcode or select one of the following options:
	//
	// 1. Duo Push to XXX-XXX-1234
	// 2. Phone call to XXX-XXX-1234
	// 3. SMS passcodes to XXX-XXX-1234
	//
	// Passcode or option (1-3):
	// Access-Accept: Success. Logging you in...
}

// Devices by UDP and over TLS, with the same logins.
func ExampleServer_ServeTLS() {
	clients, err := radius.NewClients(
		radius.Client{Name: "old vpn", Prefix: netip.MustParsePrefix("192.0.2.7/32"), Secret: "testing123"},
		radius.Client{Name: "new vpn", TLSName: "vpn1.example.com"},
	)
	if err != nil {
		log.Fatal(err)
	}
	server := &radmfa.Server{
		Clients:      clients,
		Primary:      primarytest.Users{"jdoe": "correct horse"},
		SecondFactor: (&duotest.Service{}).Client(),
	}
	listener, err := net.Listen("tcp", ":2083")
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := tls.LoadX509KeyPair("radius.pem", "radius.key")
	if err != nil {
		log.Fatal(err)
	}
	devices := x509.NewCertPool() // the authorities of the devices' certificates
	go func() {
		log.Fatal(server.ServeTLS(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: devices}))
	}()
	log.Fatal(server.ListenAndServe())
}

// An Event tells how each stage of a login ended, for metrics and audit.
func ExampleServer_onEvent() {
	service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	clients, err := radius.NewClients(radius.Client{
		Name: "vpn", Prefix: netip.MustParsePrefix("192.0.2.7/32"), Secret: "testing123",
	})
	if err != nil {
		log.Fatal(err)
	}
	server := &radmfa.Server{
		Clients:      clients,
		Primary:      primarytest.Users{"jdoe": "correct horse"},
		SecondFactor: service.Client(),
		Logger:       slog.New(slog.DiscardHandler),
		OnEvent: func(_ context.Context, e radmfa.Event) {
			fmt.Printf("%s %s: %s %s\n", e.Client, e.Username, e.Stage, e.Result)
		},
	}
	network := &radiustest.Network{}
	conn, err := network.Listen("192.0.2.1:1812")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = server.Serve(conn) }()
	defer func() { _ = server.Close() }()

	nas := &radiustest.NAS{Server: "192.0.2.1:1812", Secret: "testing123"}
	nas.Exchanger.Dial = network.Dialer("192.0.2.7")
	if _, err := nas.Login(context.Background(), "jdoe", "correct horse", "push"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// vpn jdoe: primary accepted
	// vpn jdoe: preauth challenged
	// vpn jdoe: login challenged
	// vpn jdoe: auth waiting
	// vpn jdoe: auth accepted
	// vpn jdoe: login accepted
}

// A password that must be changed: the user sets a new one after the push.
func Example_passwordChange() {
	certificate, roots := ldapauthtest.NewTLS("dc1.example.com")
	directory := &ldapauthtest.Directory{ActiveDirectory: true, TLS: certificate, Entries: []ldapauthtest.Entry{
		{DN: "DC=example,DC=com", Attributes: map[string][]string{"minPwdLength": {"12"}}},
		{DN: "CN=svc,DC=example,DC=com", Password: "svc-pw"},
		{DN: "CN=jdoe,DC=example,DC=com", Password: "correct horse", MustChange: true,
			Attributes: map[string][]string{"sAMAccountName": {"jdoe"}}},
	}}
	first := &ldapauth.Authenticator{
		Hosts: []string{"dc1.example.com"}, TLSConfig: &tls.Config{RootCAs: roots}, DialContext: directory.Dial,
		ServiceUser: "CN=svc,DC=example,DC=com", ServicePassword: "svc-pw", BaseDN: "DC=example,DC=com",
		AllowPasswordChange: true, Logger: slog.New(slog.DiscardHandler),
	}
	defer func() { _ = first.Close() }()
	service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	server := &radmfa.Server{Primary: first, SecondFactor: service.Client(), Logger: slog.New(slog.DiscardHandler)}

	reply := radmfa.Reply{}
	for _, typed := range []radius.Secret{"correct horse", "push", "short", "short", "a new horse, and more", "a new horse, and more"} {
		reply = server.Login(context.Background(), radmfa.Request{Username: "jdoe", Password: typed, State: reply.State})
		if text := strings.Join(reply.Messages, ""); !strings.HasPrefix(text, "Duo") {
			fmt.Println(strings.TrimSpace(text))
		}
	}
	fmt.Println(reply.Result)
	// Output:
	// Your password must be changed. Enter a new password:
	// Enter the new password again:
	// The new password was refused.
	// It must have at least 12 characters.
	// Enter a new password:
	// Enter the new password again:
	// Your password has been changed.
	// accepted
}

// A Cause can be counted, or branched on.
func ExampleCause() {
	service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {Devices: []duotest.Device{{Answer: duotest.ReportFraud}}}}}
	server := &radmfa.Server{
		Primary:      primarytest.Users{"jdoe": "correct horse"},
		SecondFactor: service.Client(),
		Logger:       slog.New(slog.DiscardHandler),
		OnEvent: func(_ context.Context, e radmfa.Event) {
			if e.Stage == radmfa.StageLogin && e.Cause == radmfa.CauseFraud {
				fmt.Printf("call %s: somebody knows the password (%s)\n", e.Username, e.Reason)
			}
		},
	}
	login := radmfa.Request{Username: "jdoe", Password: "correct horse"}
	menu := server.Login(context.Background(), login)
	login.State, login.Password = menu.State, "push"
	fmt.Println(server.Login(context.Background(), login).Result)
	// Output:
	// call jdoe: somebody knows the password (the user reported the login as fraud)
	// rejected
}
