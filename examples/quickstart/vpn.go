package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/radmfa/radmfa/radius/radiustest"
)

// session logs people in until the input ends.
func (d *demo) session(ctx context.Context) error {
	d.welcome()
	for {
		_, err := d.login(ctx)
		switch {
		case errors.Is(err, io.EOF), ctx.Err() != nil:
			return nil
		case err != nil:
			d.print("quickstart: " + err.Error() + "\n")
		}
		d.print("\n")
	}
}

// once runs one login and returns the exit status.
func (d *demo) once(ctx context.Context) (int, error) {
	reply, err := d.login(ctx)
	switch {
	case errors.Is(err, io.EOF):
		return exitError, errors.New("the server asks for another answer, and -login holds only one")
	case err != nil:
		return exitError, err
	case reply.Accepted():
		return exitAccept, nil
	default:
		return exitReject, nil
	}
}

// login is one login at the VPN. It returns the last reply.
func (d *demo) login(ctx context.Context) (*radiustest.Reply, error) {
	name, err := d.ask(ctx, "VPN user name: ", false)
	if err != nil {
		return nil, err
	}
	password, err := d.ask(ctx, "VPN password: ", true)
	if err != nil {
		return nil, err
	}
	reply, err := d.wait(ctx, func(ctx context.Context) (*radiustest.Reply, error) {
		return d.nas.Login(ctx, name, password)
	})
	for err == nil && reply.Challenged() {
		text, question := cut(reply)
		d.print(reply.Code.String() + "\n" + text)
		var answer string
		if answer, err = d.ask(ctx, question, false); err != nil {
			return nil, err
		}
		challenge := reply
		reply, err = d.wait(ctx, func(ctx context.Context) (*radiustest.Reply, error) {
			return d.nas.Answer(ctx, challenge, answer)
		})
	}
	if err == nil {
		d.print(reply.Code.String() + "\n" + indent(reply.Message()) + d.hint(reply))
	}
	return reply, err
}

// hint says where the reason is that a wrong password has. A user is not told.
func (d *demo) hint(reply *radiustest.Reply) string {
	if !reply.Rejected() || reply.Message() != "" || d.verbose {
		return ""
	}
	return "  (The server tells users no more. Start with -v to see why.)\n"
}

// wait waits for the server's reply, while phones may ring.
func (d *demo) wait(ctx context.Context, request func(context.Context) (*radiustest.Reply, error)) (*radiustest.Reply, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reply *radiustest.Reply
	var err error
	replied := make(chan struct{})
	go func() {
		reply, err = request(ctx)
		close(replied)
	}()
	for {
		select {
		case <-replied:
			return reply, err
		case r := <-d.rings:
			if err := d.ring(ctx, r); err != nil {
				cancel()
				<-replied
				return nil, err
			}
		}
	}
}

// cut divides a challenge's text into what stands above, and the question in its
// last line: the server's own if it ends like one.
func cut(challenge *radiustest.Reply) (text, question string) {
	message := indent(challenge.Message())
	line := strings.LastIndex(strings.TrimSuffix(message, "\n"), "\n") + 1
	if strings.HasSuffix(message, ": \n") {
		return message[:line], strings.TrimSuffix(message[line:], "\n")
	}
	return message, "  Answer: "
}

// indent sets a text of the server apart from the program's own.
func indent(text string) string {
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(strings.ReplaceAll(text, "\n", "\n  "), "\n  \n", "\n\n") + "\n"
}

func (d *demo) welcome() {
	d.print("A RADIUS server with a second factor, and all that belongs to it.\n\n" +
		fmt.Sprintf("Server: %s (UDP), shared secret: %s\n\n", d.nas.Server, secret) +
		fmt.Sprintf("%-8s %-16s %s\n", "User", "Password", "Second factor"))
	for _, u := range d.users {
		d.print(fmt.Sprintf("%-8s %-16s %s\n", u.name, u.password, u.about))
	}
	d.print("\nThis terminal is the VPN, and it is the users' phones. Ctrl-C ends it.\n" +
		"With -web, a page in the browser is all of that.\n\n" +
		"The radclient of FreeRADIUS can log in too, from another window, and again\n" +
		"with the answer as User-Password and the State of the challenge:\n\n" +
		"  echo 'User-Name=jdoe,User-Password=\"correct horse\",\n" +
		"    Message-Authenticator=0x00' |\n" +
		fmt.Sprintf("    radclient -x -t 70 -r 1 %s auth %s\n\n", d.nas.Server, secret))
}
