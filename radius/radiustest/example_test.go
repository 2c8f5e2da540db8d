package radiustest_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// A login with a challenge, on a network in memory.
func ExampleNAS() {
	var network radiustest.Network
	conn, err := network.Listen("192.0.2.1:1812")
	if err != nil {
		log.Fatal(err)
	}
	clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("192.0.2.7/32"), Secret: "xyzzy5461"})
	if err != nil {
		log.Fatal(err)
	}
	server := &radius.Server{Clients: clients, Handler: radius.HandlerFunc(askForACode)}
	go func() { _ = server.Serve(conn) }()
	defer func() { _ = server.Close() }()

	nas := &radiustest.NAS{
		Server:    "192.0.2.1:1812",
		Secret:    "xyzzy5461",
		Exchanger: radius.Exchanger{Dial: network.Dialer("192.0.2.7")},
	}
	challenge, err := nas.Login(context.Background(), "mopsy", "challenge")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(challenge)
	reply, err := nas.Answer(context.Background(), challenge, "99101462")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply)

	// The same in one call.
	reply, err = nas.Login(context.Background(), "mopsy", "challenge", "1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(reply.Accepted(), reply)
	// Output:
	// Access-Challenge: Challenge 32769430. Enter response at prompt.
	// Access-Accept: Welcome, mopsy.
	// false Access-Reject
}

func askForACode(w radius.ResponseWriter, r *radius.Request) {
	reply := r.Response(radius.CodeAccessReject)
	switch {
	case rfc2865.State_Get(r.Packet) == nil:
		reply.Code = radius.CodeAccessChallenge
		_ = rfc2865.State_SetString(reply, "32769430")
		_ = rfc2865.ReplyMessage_SetString(reply, "Challenge 32769430. Enter response at prompt.")
	case rfc2865.UserPassword_GetString(r.Packet) == "99101462":
		reply.Code = radius.CodeAccessAccept
		_ = rfc2865.ReplyMessage_SetString(reply, "Welcome, "+rfc2865.UserName_GetString(r.Packet)+".")
	}
	_ = w.Write(reply)
}
