// Quickstart shows a login with a second factor on one machine. It needs no
// network, no account with any service, and no configuration:
//
//	go run ./examples/quickstart
//
// A radmfa.Server listens on a free UDP port of the loopback interface. Its first
// factor is a list of users, and its second a Duo service in memory, package
// duotest. The terminal is the VPN, which asks for name, password and answer and
// sends them as RADIUS, and it is the users' phones, which show the push:
//
//	VPN user name: jdoe
//	VPN password:
//	Access-Challenge
//	  ...
//	  Passcode or option (1-3): 1
//	Phone of jdoe: Duo Push: Login request for jdoe from 192.0.2.33.
//	  Approve? [y/n] y
//	Access-Accept
//	  Success. Logging you in...
//
// A push that nobody answers ends after a minute, and Ctrl-C ends the program. The
// flag -v logs each step.
//
// All of it is a page in a browser of this machine, with the packets on the wire
// and the server's log, after
//
//	go run ./examples/quickstart -web
//
// One login for a script, with exit status 0 for Access-Accept, 1 for
// Access-Reject and 2 for anything else:
//
//	go run ./examples/quickstart -login 'jdoe:correct horse:1'
//
// The name ends at the first colon and the answer begins after the last, so that
// a password may hold some. The phone approves, or denies with -phone deny.
//
// In server.go is what a program of your own would hold, with a duo.Client in
// place of the service in memory. The rest plays the world around it: users.go,
// vpn.go, phone.go and console.go for the terminal; web.go, browser.go, handset.go,
// packets.go and feed.go for the page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"

	"github.com/radmfa/radmfa/duo"
)

// The exit statuses of a login; a session at the terminal ends with exitAccept.
const (
	exitAccept = 0
	exitReject = 1
	exitError  = 2 // no decision, or wrong flags
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main with everything it touches; it returns the exit status. Ctx ends
// with Ctrl-C.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitAccept
	case err != nil:
		return exitError
	}
	code, err := o.play(ctx, stdin, stdout, slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: o.level}))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "quickstart:", err)
		return exitError
	}
	return code
}

// play runs the server, and one login, a session, or the page.
func (o *options) play(ctx context.Context, stdin io.Reader, stdout io.Writer, handler slog.Handler) (code int, err error) {
	if o.web {
		return exitAccept, o.serveWeb(ctx, stdout, handler)
	}
	in, restore := o.input(stdin)
	defer restore()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return exitError, err
	}
	d, err := newDemo(conn, &console{input: in, out: stdout}, o, slog.New(handler))
	if err != nil {
		return exitError, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if o.login != nil {
		return d.once(ctx)
	}
	return exitAccept, d.session(ctx)
}

// options is what the flags say.
type options struct {
	login []string   // name, password and answer; nil: a session at the terminal
	phone duo.Status // what every phone says; empty: it asks
	level slog.Level
	web   bool
}

// parse reads the flags. It has told stderr what is wrong when it returns an error.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{level: slog.LevelWarn}
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		_, _ = fmt.Fprint(stderr, "Usage: go run ./examples/quickstart [flags]\n\n"+
			"A RADIUS server with a second factor, and the VPN, the users and their phones.\n\n")
		flags.PrintDefaults()
	}
	var login *string
	flags.Func("login", "run one login without a terminal: `user:password:answer`, split at the\n"+
		"first and the last colon; exit with 0 on Access-Accept, 1 on\n"+
		"Access-Reject, 2 on any error",
		func(value string) error { login = &value; return nil })
	phone := flags.String("phone", "", "the `answer` of all phones to a push: approve or deny (default: they\n"+
		"ask you, and approve with -login)")
	flags.BoolVar(&o.web, "web", false, "show all of it as a page for a browser on this machine")
	verbose := flags.Bool("v", false, "log every step of a login to stderr, not only warnings")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if *verbose {
		o.level = slog.LevelDebug
	}
	err := errors.Join(o.setLogin(login), o.setPhone(*phone))
	if o.web && (login != nil || *phone != "") {
		err = errors.Join(err, errors.New("-web has the VPN and the phones on the page: leave out -login and -phone"))
	}
	if flags.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, err)
		flags.Usage()
	}
	return o, err
}

// setLogin divides the flag. Its error does not repeat the password.
func (o *options) setLogin(value *string) error {
	if value == nil {
		return nil
	}
	name, rest, _ := strings.Cut(*value, ":")
	last := strings.LastIndex(rest, ":")
	if name == "" || last < 0 {
		return errors.New("-login wants user:password:answer")
	}
	o.login = []string{name, rest[:last], rest[last+1:]}
	return nil
}

func (o *options) setPhone(value string) error {
	switch {
	case value == "deny":
		o.phone = duo.StatusDeny
	case value == "approve", value == "" && o.login != nil:
		o.phone = duo.StatusAllow
	case value != "":
		return fmt.Errorf("-phone wants approve or deny, not %q", value)
	}
	return nil
}

// input is what the person types: the flag, or else stdin.
func (o *options) input(stdin io.Reader) (in input, restore func()) {
	if o.login != nil {
		return &typed{lines: o.login}, func() {}
	}
	return newInput(stdin)
}
