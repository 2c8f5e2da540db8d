package radius_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"os"
	"time"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// A server that accepts one user.
func ExampleServer() {
	clients, err := radius.NewClients(radius.Client{
		Name: "vpn", Prefix: netip.MustParsePrefix("127.0.0.1/32"), Secret: "xyzzy5461"})
	if err != nil {
		log.Fatal(err)
	}
	server := &radius.Server{
		Clients:    clients,
		ReadBuffer: 64 << 10,
		Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
			reply := r.Response(radius.CodeAccessReject)
			if rfc2865.UserName_GetString(r.Packet) == "nemo" && rfc2865.UserPassword_GetString(r.Packet) == "arctangent" {
				reply.Code = radius.CodeAccessAccept
			}
			_ = rfc2865.ReplyMessage_SetString(reply, "Hello, "+radius.ClientOf(r.Context()).Name)
			_ = w.Write(reply)
		}),
	}
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0") // ":1812", as a rule
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- server.Serve(conn) }()

	nas := &radiustest.NAS{Server: conn.LocalAddr().String(), Secret: "xyzzy5461"}
	for _, password := range []string{"arctangent", "sine"} {
		reply, err := nas.Login(context.Background(), "nemo", password)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(reply)
	}

	// Logins that wait for a person may take their time.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(server.Shutdown(ctx), errors.Is(<-ended, radius.ErrServerClosed))
	// Output:
	// Access-Accept: Hello, vpn
	// Access-Reject: Hello, vpn
	// <nil> true
}

// RADIUS over TLS beside UDP. Errors of reading the files are left out.
func ExampleServer_ServeTLS() {
	clients, err := radius.NewClients(
		radius.Client{Prefix: netip.MustParsePrefix("192.0.2.7/32"), Secret: "xyzzy5461"},
		radius.Client{TLSName: "vpn1.example.com"},
	)
	if err != nil {
		log.Fatal(err)
	}
	server := &radius.Server{Clients: clients, Handler: radius.HandlerFunc(accept)}

	certificate, _ := tls.LoadX509KeyPair("radius.pem", "radius.key")
	authorities, _ := os.ReadFile("devices-ca.pem")
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: x509.NewCertPool()}
	config.ClientCAs.AppendCertsFromPEM(authorities)

	listener, err := net.Listen("tcp", ":2083")
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.ServeTLS(listener, config))
}

// Requests over TLS share a connection to each server.
func ExampleTLSPool() {
	certificate, _ := tls.LoadX509KeyPair("proxy.pem", "proxy.key")
	authorities, _ := os.ReadFile("servers-ca.pem")
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(authorities)
	pool := &radius.TLSPool{Config: config}
	defer func() { _ = pool.Close() }()

	exchanger := &radius.Exchanger{TLS: pool}
	request := radius.New(radius.CodeStatusServer, "radsec")
	reply, err := exchanger.Exchange(context.Background(), request, "radius1.example.com:2083")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Code)
}

func ExampleNewClients() {
	clients, err := radius.NewClients(
		radius.Client{Name: "branch offices", Prefix: netip.MustParsePrefix("10.0.0.0/8"), Secret: "xyzzy5461"},
		radius.Client{Name: "main gateway", Prefix: netip.MustParsePrefix("10.1.2.3/32"), Secret: "arctangent",
			MessageAuthenticator: radius.MessageAuthenticatorRequired},
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(clients.Client(netip.MustParseAddr("10.9.9.9")))
	fmt.Println(clients.Client(netip.MustParseAddr("10.1.2.3")))
	fmt.Println(clients.Client(netip.MustParseAddr("192.0.2.1")))

	_, err = radius.NewClients(radius.Client{Name: "vpn", Prefix: netip.MustParsePrefix("192.0.2.1/32")})
	fmt.Println(err)
	// Output:
	// branch offices
	// main gateway
	// <nil>
	// radius: client vpn: the shared secret is empty
}

func ExampleExchanger() {
	var network radiustest.Network // in memory; without Dial it is UDP
	conn, err := network.Listen("192.0.2.1:1812")
	if err != nil {
		log.Fatal(err)
	}
	clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Secret: "xyzzy5461"})
	if err != nil {
		log.Fatal(err)
	}
	server := &radius.Server{Clients: clients, Handler: radius.HandlerFunc(accept)}
	go func() { _ = server.Serve(conn) }()
	defer func() { _ = server.Close() }()

	exchanger := &radius.Exchanger{Interval: 5 * time.Second, Tries: 3, Dial: network.Dialer("192.0.2.7")}
	request := layeh.New(radius.CodeAccessRequest, []byte("xyzzy5461"))
	_ = rfc2865.UserName_SetString(request, "nemo")
	_ = rfc2865.UserPassword_SetString(request, "arctangent")
	reply, err := exchanger.Exchange(context.Background(), request, "192.0.2.1:1812")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Code, rfc2865.ReplyMessage_GetString(reply))
	// Output: Access-Accept Welcome nemo
}

func ExampleParseAttributeType() {
	for _, name := range []string{"class", "Cisco-AVPair", "26.32473.1", "3076:85"} {
		fmt.Println(radius.ParseAttributeType(name))
	}
	// Output:
	// Class <nil>
	// Cisco-AVPair <nil>
	// 26.32473.1 <nil>
	// ASA-Tunnel-Group-Lock <nil>
}
