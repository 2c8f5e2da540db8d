package ldapauth

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/Azure/go-ntlmssp"
	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// conn is one connection to a host.
type conn struct {
	*ldap.Conn

	host      *host
	raw       net.Conn // closing it ends whatever hangs in Conn
	reused    bool
	cut       bool // raw was closed because a ctx ended
	idleSince time.Time
	step      string // what is being done, for errors
}

// open connects to the host and, for a searcher, binds the service account.
func (h *host) open(ctx context.Context, r role) (*conn, error) {
	c, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	if r == searcher && h.dir.ServiceUser != "" {
		if err := c.do(ctx, h.dir.bindService); err != nil {
			c.kill()
			return nil, err
		}
	}
	return c, nil
}

func (h *host) connect(ctx context.Context) (*conn, error) {
	dial := h.dir.DialContext
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	raw, err := dial(ctx, "tcp", h.addr)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	wire := raw
	if h.dir.Transport == LDAPS {
		secured := tls.Client(raw, h.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = raw.Close()
			return nil, h.dir.explain("TLS", err)
		}
		wire = secured
	}
	c := &conn{Conn: ldap.NewConn(wire, h.dir.Transport == LDAPS), host: h, raw: raw}
	c.Start()
	if h.dir.Transport == StartTLS {
		err := c.do(ctx, func(c *conn) error {
			c.step = "StartTLS"
			return h.dir.explain(c.step, c.StartTLS(h.tls))
		})
		if err != nil {
			c.kill()
			return nil, err
		}
	}
	return c, nil
}

// do runs op and cuts the connection when ctx ends, because go-ldap itself
// cannot be interrupted.
func (c *conn) do(ctx context.Context, op func(*conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() })
	err := op(c)
	if c.cut = !stop(); c.cut && !errors.Is(err, primary.ErrRejected) {
		return fmt.Errorf("%s: no answer in time: %w", c.step, ctx.Err())
	}
	return err
}

// retire unbinds and closes an idle connection.
func (c *conn) retire() {
	_ = c.raw.SetDeadline(time.Now().Add(time.Second))
	_ = c.Unbind()
	c.kill()
}

// kill closes the connection without unbinding.
func (c *conn) kill() {
	_ = c.raw.Close()
	_ = c.Close()
}

// usable reports whether a connection can be used again after err, which is so
// after every answer of a directory that is still at work, whatever we think of
// the answer.
func usable(err error) bool {
	var answer *ldap.Error
	var opinion *failure
	if err == nil || errors.Is(err, primary.ErrRejected) || errors.As(err, &opinion) && opinion.final {
		return true
	}
	return errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork &&
		answer.ResultCode != ldap.LDAPResultBusy && answer.ResultCode != ldap.LDAPResultUnavailable
}

// bindService makes a connection the service account's.
func (d *directory) bindService(c *conn) error {
	c.step = fmt.Sprintf("bind as the service account %q", d.ServiceUser)
	controls, err := d.bind(c, d.ServiceUser, d.ServicePassword)
	if err != nil {
		return d.explain(c.step, err)
	}
	if mustChange(controls) {
		return failf("%s: the directory wants its password changed first", c.step)
	}
	return nil
}

// bind binds c and returns the controls of the directory's answer, which may be
// there with an error too. The password is never empty.
func (d *directory) bind(c *conn, name string, password radius.Secret) ([]ldap.Control, error) {
	if d.Bind == NTLM {
		if d.Domain != "" && !strings.ContainsAny(name, `\@`) {
			name = d.Domain + `\` + name
		}
		_, err := c.NTLMChallengeBind(&ldap.NTLMBindRequest{
			Domain:     d.Domain,
			Username:   name,
			Password:   string(password),
			Negotiator: negotiator{d.Workstation},
		})
		return nil, err
	}
	// Directories that do not know the control ignore it.
	policy := []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	result, err := c.SimpleBind(ldap.NewSimpleBindRequest(name, string(password), policy))
	if result == nil {
		return nil, err
	}
	return result.Controls, err
}

// negotiator makes the NTLM messages, with the workstation that go-ldap's own
// leaves out.
type negotiator struct{ workstation string }

func (n negotiator) Negotiate(domain, _ string) ([]byte, error) {
	return ntlmssp.NewNegotiateMessage(domain, n.workstation)
}

func (n negotiator) ChallengeResponse(challenge []byte, username, hash string) ([]byte, error) {
	return ntlmssp.NewAuthenticateMessage(challenge, username, hash,
		&ntlmssp.AuthenticateMessageOptions{WorkstationName: n.workstation, PasswordHashed: true})
}
