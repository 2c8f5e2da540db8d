package radiustest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
)

// NAS is a network access server (a VPN gateway, say) that logs users in by
// RADIUS. It is safe for concurrent use.
type NAS struct {
	// Server is the address and port of the RADIUS server. Required.
	Server string

	// Secret is the shared secret. Required.
	Secret radius.Secret

	// Attributes are sent in each Access-Request beside User-Name,
	// User-Password and State, such as Calling-Station-Id.
	Attributes radius.Attributes

	// Exchanger sends the requests; its Dial may be that of a Network, and with its
	// TLS the Secret is usually "radsec". Where
	// Interval and Tries are zero, the NAS sends a request every 5 s and waits 70 s
	// in all, as one should that has users who look at a push.
	Exchanger radius.Exchanger
}

// patience is how long a NAS waits: longer than a push lasts.
const patience = 70 * time.Second

// Reply is what the server answered.
type Reply struct {
	*radius.Packet

	username string
}

// Accepted reports whether the reply is an Access-Accept.
func (r Reply) Accepted() bool { return r.Code == radius.CodeAccessAccept }

// Rejected reports whether the reply is an Access-Reject.
func (r Reply) Rejected() bool { return r.Code == radius.CodeAccessReject }

// Challenged reports whether the reply is an Access-Challenge.
func (r Reply) Challenged() bool { return r.Code == radius.CodeAccessChallenge }

// Message returns the text for the user: all Reply-Messages in order (RFC 2865
// section 5.18).
func (r Reply) Message() string {
	messages, _ := rfc2865.ReplyMessage_GetStrings(r.Packet)
	return strings.Join(messages, "")
}

// String returns the code and the text, as in "Access-Reject: Login request
// denied."
func (r Reply) String() string {
	if m := r.Message(); m != "" {
		return r.Code.String() + ": " + m
	}
	return r.Code.String()
}

// MarshalText implements encoding.TextMarshaler as String, since the packet
// holds the shared secret.
func (r Reply) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Login sends name and password, and then each answer to the challenge that it
// is asked for, as long as there is one. It returns the last reply. It is an
// error when no reply comes, and when there are more answers than challenges.
func (n *NAS) Login(ctx context.Context, username, password string, answers ...string) (*Reply, error) {
	reply, err := n.ask(ctx, username, password, nil)
	for i, answer := range answers {
		if err != nil {
			return nil, err
		}
		if !reply.Challenged() {
			return nil, fmt.Errorf("radiustest: answer %d of %d is not asked for: %s", i+1, len(answers), reply)
		}
		reply, err = n.Answer(ctx, reply, answer)
	}
	return reply, err
}

// Answer sends the user's answer to a challenge.
func (n *NAS) Answer(ctx context.Context, challenge *Reply, answer string) (*Reply, error) {
	state := rfc2865.State_Get(challenge.Packet)
	if len(state) == 0 {
		return nil, errors.New("radiustest: the challenge has no State")
	}
	return n.ask(ctx, challenge.username, answer, state)
}

func (n *NAS) ask(ctx context.Context, username, password string, state []byte) (*Reply, error) {
	request, err := n.NewRequest(username, password, state)
	if err != nil {
		return nil, err
	}
	exchanger := n.Exchanger
	if exchanger.Interval == 0 && exchanger.Tries == 0 {
		exchanger.Interval, exchanger.Tries = patience/14, 14
	}
	packet, err := exchanger.Exchange(ctx, request, n.Server)
	if err != nil {
		return nil, err
	}
	return &Reply{Packet: packet, username: username}, nil
}

// NewRequest returns the Access-Request that Login would send, for tests that
// change it or send it themselves. State is nil in a first request.
func (n *NAS) NewRequest(username, password string, state []byte) (*radius.Packet, error) {
	request := layeh.New(radius.CodeAccessRequest, []byte(n.Secret))
	request.Attributes = append(request.Attributes, n.Attributes...)
	if err := rfc2865.UserName_SetString(request, username); err != nil {
		return nil, fmt.Errorf("radiustest: User-Name: %w", err)
	}
	if err := rfc2865.UserPassword_SetString(request, password); err != nil {
		return nil, fmt.Errorf("radiustest: User-Password: %w", err)
	}
	if len(state) > 0 {
		if err := rfc2865.State_Set(request, state); err != nil {
			return nil, fmt.Errorf("radiustest: State: %w", err)
		}
	}
	return request, nil
}
