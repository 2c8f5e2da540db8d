package radiusauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// checkUser is the name that a server sees in its log when Check had to ask it
// about a user.
const checkUser = "radmfa-check"

// ServerStatus is what Check found out about one server.
type ServerStatus struct {
	// Server is "host:port".
	Server string

	// Works lists what the server did as it should, in order.
	Works []string

	// Err is what failed then, or nil.
	Err error
}

// String returns one line, such as "radius1.example.com:1812: answers
// Status-Server; answers logins".
func (s ServerStatus) String() string {
	parts := s.Works
	if s.Err != nil {
		parts = append(parts[:len(parts):len(parts)], "FAILED: "+s.Err.Error())
	}
	return s.Server + ": " + strings.Join(parts, "; ")
}

// Check asks every server with a Status-Server and with a login of the user
// "radmfa-check" with a random password, which it should refuse. Each server
// gets at most Interval times Tries for each. The error is nil when all servers
// answer logins, and else says what is wrong, or that a field is; then there is
// no ServerStatus. A server need not answer Status-Server.
func (a *Authenticator) Check(ctx context.Context) ([]ServerStatus, error) {
	if err := a.configure(); err != nil {
		return nil, err
	}
	all := make([]ServerStatus, len(a.servers))
	var wg sync.WaitGroup
	for i, s := range a.servers {
		wg.Go(func() { all[i] = s.check(ctx) })
	}
	wg.Wait()
	var failures []error
	for _, s := range all {
		if s.Err != nil {
			failures = append(failures, s.Err)
		}
	}
	return all, errors.Join(failures...)
}

func (s *server) check(ctx context.Context) ServerStatus {
	found := ServerStatus{Server: s.address}
	var wg sync.WaitGroup
	var status error
	wg.Go(func() { status = s.status(ctx) })
	l := newLogin(&primary.Request{Username: checkUser, Password: radius.Secret(rand.Text())})
	_, err := turn{server: s}.ask(ctx, l)
	wg.Wait()
	if status == nil {
		found.Works = append(found.Works, "answers Status-Server")
	}
	var challenge *primary.Challenge
	switch {
	case errors.Is(err, primary.ErrRejected), errors.As(err, &challenge):
		found.Works = append(found.Works, "answers logins")
	case err == nil:
		found.Err = fmt.Errorf("radiusauth: %s accepts any user with any password", s.address)
	default:
		found.Err = err
	}
	return found
}
