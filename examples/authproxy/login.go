package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/radius"
)

const loginUsage = `usage: authproxy login USER [-section SECTION] [-v] [-config FILE]

Logs USER in at the running daemon, as a device would, and prints what the user
would see. Password and answers are typed, or are the lines of the standard input
when that is not a terminal. The exit status is 0 only for an Access-Accept.

  -section  the server section to ask, where the file has several
  -v        also show the packets; passwords, passcodes and State are starred
`

// login is the command: it plays a device with one user.
func login(ctx context.Context, args []string, stdin *os.File, stdout, stderr io.Writer) int {
	o, status := loginFlags(args, stderr)
	if o == nil {
		return status
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	accepted, err := o.run(ctx, newKeyboard(stdin, stdout), stdout)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "authproxy: %v\n", err)
		return exitFailed
	}
	if !accepted {
		return exitFailed
	}
	return exitOK
}

// loginOptions are what stands on the command line.
type loginOptions struct {
	user, section, path string
	verbose             bool
}

// loginFlags returns nil and the exit status when there is nothing to do.
func loginFlags(args []string, stderr io.Writer) (*loginOptions, int) {
	o := &loginOptions{}
	flags := flag.NewFlagSet("login", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { _, _ = io.WriteString(stderr, loginUsage) }
	flags.StringVar(&o.path, "config", "", "")
	flags.StringVar(&o.section, "section", "", "")
	flags.BoolVar(&o.verbose, "v", false, "")
	var users []string // before the flags or after them
	for len(args) > 0 {
		if !strings.HasPrefix(args[0], "-") {
			users, args = append(users, args[0]), args[1:]
			continue
		}
		switch err := flags.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			return nil, exitOK
		case err != nil:
			return nil, exitUsage
		}
		if args = flags.Args(); len(args) > 0 && strings.HasPrefix(args[0], "-") {
			break // "--" stood before it
		}
	}
	if users = append(users, args...); len(users) != 1 || users[0] == "" {
		flags.Usage()
		return nil, exitUsage
	}
	o.user = users[0]
	if o.path == "" {
		o.path = findConfig()
	}
	return o, exitOK
}

// run reports whether the user was accepted.
func (o *loginOptions) run(ctx context.Context, person *keyboard, stdout io.Writer) (accepted bool, err error) {
	defer person.restore()
	file, err := config.Load(o.path)
	if err != nil {
		return false, fmt.Errorf("the configuration has problems:\n%w", err)
	}
	s, err := serverSection(file, o.section)
	if err != nil {
		return false, err
	}
	n := &terminalNAS{user: o.user, out: stdout, codec: s.Codec("pw_codec")}
	if o.verbose {
		n.wire = &wire{out: stdout}
	}
	if n.address, n.secret, err = door(file, s); err != nil {
		return false, err
	}
	_, _ = fmt.Fprintf(stdout, "[%s] at %s\n", s.Name, n.address)
	if err := n.isThere(ctx); err != nil {
		return false, err
	}
	return n.login(ctx, person)
}

// serverSection returns the section with a name, with or without brackets. The
// name may be left out when there is only one.
func serverSection(file *config.File, name string) (*config.Section, error) {
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "" && len(file.Servers) == 1 {
		return file.Servers[0], nil
	}
	var names []string
	for _, s := range file.Servers {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	if name == "" {
		return nil, fmt.Errorf("there are several server sections: add -section with one of %s", strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("%s has no server section [%s]: there are %s", file.Path, name, strings.Join(names, ", "))
}

// door returns where the section listens for this machine, and the secret that it
// shares with it.
func door(file *config.File, s *config.Section) (address string, secret radius.Secret, err error) {
	clients, err := nasClients(s)
	if err != nil {
		return "", "", err
	}
	udp, _ := s.Listens(file.Main)
	if udp == "" {
		return "", "", fmt.Errorf("[%s] is for devices over TLS alone, and this command sends datagrams", s.Name)
	}
	host, port, err := net.SplitHostPort(udp)
	if err != nil {
		return "", "", err
	}
	local := ownAddresses(host)
	for _, addr := range local {
		if c := clients.Client(addr); c != nil {
			return net.JoinHostPort(addr.String(), port), c.Secret, nil
		}
	}
	return "", "", fmt.Errorf("[%s] has no entry for %s, so the daemon would not answer this machine.\n"+
		"Add these two lines to that section of %s, and reload:\n\nradius_ip_%d=%[2]s\nradius_secret_%[4]d=%s",
		s.Name, local[0], file.Path, nextNumber(s), rand.Text())
}

// ownAddresses are those that this machine asks a listener by, and comes from: a
// request to an address of its own leaves by the same.
func ownAddresses(host string) []netip.Addr {
	four, six := netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()
	switch addr, err := netip.ParseAddr(host); {
	case err != nil || addr == netip.IPv6Unspecified():
		return []netip.Addr{four, six}
	case addr == netip.IPv4Unspecified():
		return []netip.Addr{four}
	default:
		return []netip.Addr{addr.Unmap()}
	}
}
