package radmfa

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/radmfa/radmfa/challenge"
)

// Remember lets a user who has proved the second factor log in without it for
// some time, from the same address through the same device to the same
// application. The first factor and preauth are asked all the same.
//
// Only an address that is the user's own counts: none that is missing,
// 0.0.0.0, a loopback address or the NAS's, and none from which several
// accounts log in.
type Remember struct {
	// For is how long a success is remembered. Zero: not at all.
	For time.Duration

	// Store is where it is remembered: one of its own, so that remembered logins
	// take no room from challenges. Nil: the memory of this process. One that
	// others can read needs the Server's ClusterKey.
	Store challenge.Store
}

// rememberStore returns the Store for remembered logins.
func (s *Server) rememberStore() challenge.Store {
	if s.Remember.Store != nil {
		return s.Remember.Store
	}
	return &s.remembered
}

// rememberBox seals who was let in from the address of this login, or reports
// that nothing may be remembered of it.
func (l *login) rememberBox() (b box, ok bool) {
	policy, r := &l.ses.policy, l.request
	ip := policy.ClientIP
	if policy.RememberFor <= 0 || !ip.IsValid() || ip.IsUnspecified() || ip.IsLoopback() || ip == r.NAS {
		return box{}, false
	}
	application := ""
	if f, named := l.factor().(interface{ Application() string }); named {
		application = f.Application()
	}
	id := strings.Join([]string{application, r.Device, ip.String()}, "\x00")
	return l.server.box(purposeRemember, id), true
}

// several marks an address from which more than one account logs in.
const several = "\x00"

// remember keeps a success of the second factor.
func (l *login) remember() {
	b, ok := l.rememberBox()
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), settleFor)
	defer cancel()
	who, err := l.server.whoLoggedIn(ctx, b)
	if err == nil {
		if who != "" && who != l.ses.account {
			who = several
		} else {
			who = l.ses.account
		}
		err = l.server.rememberStore().Put(ctx, b.name, b.seal([]byte(who)), l.ses.policy.RememberFor)
	}
	if err != nil {
		l.warn("radmfa: a success cannot be remembered", err)
	}
}

// remembered reports whether the account has proved the second factor lately.
func (l *login) remembered() bool {
	b, ok := l.rememberBox()
	if !ok {
		return false
	}
	who, err := l.server.whoLoggedIn(l.ctx, b)
	if err != nil {
		l.warn("radmfa: cannot read whether a success is remembered", err)
	}
	return err == nil && who == l.ses.account
}

// whoLoggedIn returns the account that was let in from an address, several, or
// "" for none.
func (s *Server) whoLoggedIn(ctx context.Context, b box) (string, error) {
	sealed, err := s.rememberStore().Get(ctx, b.name)
	if errors.Is(err, challenge.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	plain, err := b.open(sealed)
	if err != nil {
		return "", nil // of another version, or another key: as if there were none
	}
	return string(plain), nil
}
