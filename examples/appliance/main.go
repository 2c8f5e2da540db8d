// Appliance is an example of a program that has users of its own and adds the
// second factor to their logins: a VPN appliance. Its VPN daemon (strongSwan,
// ocserv, OpenVPN) asks by RADIUS on the loopback interface. The accounts in
// accounts.go were there before; appliance.go is what was added, a radmfa.Server
// whose first factor is those accounts and whose events go to the audit log. The
// test is what the program's author would write, with the fakes of this module.
//
// To try it, make an account and give the keys of an Auth API application:
//
//	echo 'correct horse' | go run ./examples/appliance -new jdoe > accounts.json
//	export VPN_SECRET=testing123 DUO_HOST=api-XXXXXXXX.duosecurity.com DUO_IKEY=... DUO_SKEY=...
//	go run ./examples/appliance -accounts accounts.json -listen 127.0.0.1:1812
//
// The audit log goes to stdout, all other logs go to stderr. Ctrl-C or SIGTERM
// stops it, once the logins in flight have ended.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/radius"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "appliance:", err)
		os.Exit(1)
	}
}

// run is main with everything it touches. Ctx ends with a signal.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("appliance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:1812", "UDP `address` of the RADIUS server")
	file := flags.String("accounts", "accounts.json", "`file` of the accounts")
	open := flags.Bool("fail-open", false, "let users with the right password in while the Duo service cannot be reached")
	name := flags.String("new", "", "print an accounts file with an account of this `name`; its password is read from stdin")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name != "" {
		return printAccount(*name, stdin, stdout)
	}
	secret, client, err := keys(getenv)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	a := &appliance{
		secondFactor: client,
		audit:        slog.New(slog.NewJSONHandler(stdout, nil)),
		log:          slog.New(slog.NewTextHandler(stderr, nil)),
	}
	if *open {
		a.failMode = radmfa.FailOpen
	}
	if a.accounts, err = loadAccounts(*file); err != nil {
		return err
	}
	a.vpn, err = radius.NewClients(radius.Client{Name: "vpn", Prefix: netip.MustParsePrefix("127.0.0.1/32"), Secret: secret})
	if err != nil {
		return err
	}
	conn, err := net.ListenPacket("udp", *listen)
	if err != nil {
		return err
	}
	a.log.Info("serving RADIUS", "address", conn.LocalAddr())
	if _, err := client.Check(ctx); err != nil { // it may be there later
		a.log.Error("the second factor does not work yet", "error", err)
	}
	return a.serve(ctx, conn)
}

// keys come from the environment, since other users see a program's flags. The
// error names every one that is missing.
func keys(getenv func(string) string) (radius.Secret, *duo.Client, error) {
	var missing []error
	get := func(name, what string) string {
		value := getenv(name)
		if value == "" {
			missing = append(missing, fmt.Errorf("%s is not set: %s", name, what))
		}
		return value
	}
	secret := radius.Secret(get("VPN_SECRET", "the secret shared with the VPN daemon"))
	client := &duo.Client{
		Host:           get("DUO_HOST", "the API hostname of the Auth API application"),
		IntegrationKey: get("DUO_IKEY", "its integration key"),
		SecretKey:      duo.Secret(get("DUO_SKEY", "its secret key")),
	}
	return secret, client, errors.Join(missing...)
}
