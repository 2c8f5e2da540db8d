package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/radius"
)

// How the command login waits: as a device should whose users look at a push.
const (
	nasInterval = 5 * time.Second
	nasTries    = 14
	nasQuiet    = 2 * time.Second // before it says what it waits for
)

// nasIdentifier is the NAS-Identifier of the command login.
const nasIdentifier = "authproxy-login"

// terminalNAS is a device with one user, who sits at this terminal.
type terminalNAS struct {
	user    string
	out     io.Writer
	wire    *wire // nil: packets are not shown
	address string
	secret  radius.Secret
	codec   encoding.Encoding // nil: UTF-8
	waited  time.Duration     // for replies, which people do not add to
}

// isThere asks the daemon whether it listens.
func (n *terminalNAS) isThere(ctx context.Context) error {
	exchanger := radius.Exchanger{Interval: time.Second}
	if _, err := exchanger.Exchange(ctx, radius.New(radius.CodeStatusServer, n.secret), n.address); err != nil {
		return fmt.Errorf("the daemon does not answer: %w\nIs it running, and with this file as it is now?", err)
	}
	return nil
}

// login reports whether the user was accepted.
func (n *terminalNAS) login(ctx context.Context, person *keyboard) (accepted bool, err error) {
	typed, err := person.ask(ctx, "Password: ", true)
	if err != nil {
		return false, fmt.Errorf("no password: %w", err)
	}
	var state []byte
	for {
		reply, err := n.exchange(ctx, typed, state)
		if err != nil {
			return false, err
		}
		message := messageOf(reply)
		if reply.Code != radius.CodeAccessChallenge {
			if message != "" {
				_, _ = fmt.Fprintln(n.out, message)
			}
			_, _ = fmt.Fprintf(n.out, "%s after %s\n", reply.Code, n.waited.Round(time.Millisecond))
			return reply.Code == radius.CodeAccessAccept, nil
		}
		if state = rfc2865.State_Get(reply); len(state) == 0 {
			return false, errors.New("the Access-Challenge has no State")
		}
		echo, err := rfc2869.Prompt_Lookup(reply)
		hidden := err == nil && echo == rfc2869.Prompt_Value_NoEcho
		if typed, err = person.ask(ctx, asQuestion(message), hidden); err != nil {
			return false, fmt.Errorf("no answer to the challenge: %w", err)
		}
	}
}

// messageOf is the text for the user.
func messageOf(reply *radius.Packet) string {
	messages, _ := rfc2865.ReplyMessage_GetStrings(reply)
	return clean.Text(strings.Join(messages, ""))
}

// asQuestion is a text that ends in a prompt.
func asQuestion(message string) string {
	if strings.HasSuffix(message, " ") {
		return message
	}
	return message + "\n> "
}

// exchange sends what the user typed and waits for the reply.
func (n *terminalNAS) exchange(ctx context.Context, typed string, state []byte) (*radius.Packet, error) {
	request, err := n.request(typed, state)
	if err != nil {
		return nil, err
	}
	exchanger := radius.Exchanger{Interval: nasInterval, Tries: nasTries}
	if n.wire != nil {
		exchanger.Dial = n.wire.dial(n.secret)
	}
	waiting := time.AfterFunc(nasQuiet, func() {
		_, _ = fmt.Fprintln(n.out, "waiting for the reply; does the phone ring?")
	})
	begun := time.Now()
	reply, err := exchanger.Exchange(ctx, request, n.address)
	waiting.Stop()
	n.waited += time.Since(begun)
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	if err != nil {
		return nil, fmt.Errorf("%w\nThe log of the daemon may say why", err)
	}
	if n.wire != nil {
		n.wire.verified(reply, time.Since(begun))
	}
	return reply, nil
}

func (n *terminalNAS) request(typed string, state []byte) (*radius.Packet, error) {
	if n.codec != nil {
		encoded, err := n.codec.NewEncoder().String(typed)
		if err != nil {
			return nil, errors.New("what was typed has characters that pw_codec does not have")
		}
		typed = encoded
	}
	request := radius.New(radius.CodeAccessRequest, n.secret)
	err := errors.Join(
		named("User-Name", rfc2865.UserName_SetString(request, n.user)),
		named("User-Password", rfc2865.UserPassword_SetString(request, typed)),
		named("NAS-Identifier", rfc2865.NASIdentifier_SetString(request, nasIdentifier)))
	if len(state) > 0 {
		err = errors.Join(err, named("State", rfc2865.State_Set(request, state)))
	}
	return request, err
}

// named says which attribute has no room for a value.
func named(attribute string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", attribute, err)
	}
	return nil
}
