package radiusauth_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"

	"golang.org/x/text/encoding/charmap"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
)

// exampleServer starts a RADIUS server that knows one user.
func exampleServer() (address string, stop func()) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("127.0.0.1/32"), Secret: "testing123"})
	if err != nil {
		log.Fatal(err)
	}
	server := &radius.Server{Clients: clients, Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
		reply := r.Response(radius.CodeAccessReject)
		if rfc2865.UserName_GetString(r.Packet) == "jdoe" && rfc2865.UserPassword_GetString(r.Packet) == "correct horse" {
			reply.Code = radius.CodeAccessAccept
			_ = rfc2865.FilterID_AddString(reply, "vpn-full")
			_ = rfc2865.Class_AddString(reply, "staff")
		} else {
			_ = rfc2865.ReplyMessage_AddString(reply, "Wrong name or password.")
		}
		_ = w.Write(reply)
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(conn)
	}()
	return conn.LocalAddr().String(), func() {
		_ = server.Close()
		<-done
	}
}

func Example() {
	address, stop := exampleServer() // stands for your FreeRADIUS or NPS
	defer stop()

	filterID, err := radius.ParseAttributeType("Filter-Id")
	if err != nil {
		log.Fatal(err)
	}
	first := &radiusauth.Authenticator{
		Servers:       []radiusauth.Server{{Address: address}},
		Secret:        "testing123",
		NASIdentifier: "vpn-mfa",
		PassThrough:   []radius.AttributeType{filterID},
	}

	result, err := first.Authenticate(context.Background(), &primary.Request{Username: "jdoe", Password: "correct horse"})
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range result.Attributes {
		fmt.Printf("attribute %d: %s\n", a.Type, a.Attribute)
	}

	_, err = first.Authenticate(context.Background(), &primary.Request{Username: "jdoe", Password: "battery staple"})
	var rejection *primary.Rejection
	fmt.Println(errors.Is(err, primary.ErrRejected), errors.As(err, &rejection), rejection.Message)
	// Output:
	// attribute 11: vpn-full
	// true true Wrong name or password.
}

// Every option of an authproxy.cfg's [radius_client] has its place here.
func ExampleAuthenticator() {
	first := &radiusauth.Authenticator{
		Servers: []radiusauth.Server{
			{Address: "192.0.2.10"}, // host
			{Address: "192.0.2.11:1645", Replies: radiusauth.LearnSigned}, // host_2, port_2; an old FreeRADIUS
		},
		Secret:         "testing123",               // secret
		Tries:          3,                          // retries
		Interval:       radiusauth.DefaultInterval, // retry_wait
		PassThroughAll: true,                       // pass_through_all
		Encoding:       charmap.ISO8859_1,          // pw_codec
	}
	fmt.Println(first.Secret)
	// Output: [redacted]
}

// FreeRADIUS over TLS: its certificate must be for the host that is named here.
func ExampleServer() {
	certificate, err := tls.LoadX509KeyPair("mfa.pem", "mfa.key")
	if err != nil {
		log.Fatal(err)
	}
	authorities := x509.NewCertPool() // of the server's certificate
	first := &radiusauth.Authenticator{Servers: []radiusauth.Server{{
		Address: "radius1.example.com", // port 2083, secret "radsec"
		TLS:     &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: authorities},
	}}}
	defer func() { _ = first.Close() }()
}

// A connectivity test, for operators.
func ExampleAuthenticator_Check() {
	address, stop := exampleServer()
	defer stop()
	first := &radiusauth.Authenticator{Servers: []radiusauth.Server{{Address: address}}, Secret: "testing123"}
	servers, err := first.Check(context.Background())
	for _, s := range servers {
		fmt.Println(s.Works)
	}
	fmt.Println(err)
	// Output:
	// [answers Status-Server answers logins]
	// <nil>
}

// A probe, for monitoring.
func ExampleAuthenticator_Probe() {
	address, stop := exampleServer()
	defer stop()
	first := &radiusauth.Authenticator{Servers: []radiusauth.Server{{Address: address}}, Secret: "testing123"}
	fmt.Println(first.Probe(context.Background()))
	for _, s := range first.Stats() {
		fmt.Println(s.Failures, s.Down)
	}
	// Output:
	// <nil>
	// 0 false
}
