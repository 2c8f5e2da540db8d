package radmfa

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	"github.com/radmfa/radmfa/challenge"
)

// rememberKey is the id in the Store under which a success is remembered. It
// cannot be mistaken for a State: what is kept there is no session.
func (l *login) rememberKey() string {
	hash := sha256.Sum256([]byte(strings.Join([]string{l.username, l.nas.String(), l.clientIP.String()}, "\x00")))
	return "remember:" + base64.RawURLEncoding.EncodeToString(hash[:])
}

// remembers reports whether a success is, which takes an address that is only the
// user's. Some NASes send 0.0.0.0 or 127.0.0.1 for one they do not know.
func (l *login) remembers() bool {
	known := l.clientIP.IsValid() && !l.clientIP.IsUnspecified() && !l.clientIP.IsLoopback()
	return l.RememberFor > 0 && known
}

// remember keeps a success of the second factor.
func (l *login) remember() {
	if !l.remembers() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), time.Second)
	defer cancel()
	if err := l.store().Put(ctx, l.rememberKey(), nil, l.RememberFor); err != nil {
		l.warn("radmfa: a success cannot be remembered", err)
	}
}

// remembered reports whether the user has proved the second factor lately.
func (l *login) remembered() bool {
	if !l.remembers() {
		return false
	}
	_, err := l.store().Get(l.ctx, l.rememberKey())
	if err != nil && !errors.Is(err, challenge.ErrNotFound) {
		l.warn("radmfa: it cannot be read whether a success is remembered", err)
	}
	return err == nil
}
