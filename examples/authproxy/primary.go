package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
)

// directory is the first factor of an [ad_client].
type directory struct {
	*ldapauth.Authenticator
	words *words
}

// Authenticate implements primary.Authenticator.
func (d *directory) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	result, err := d.Authenticator.Authenticate(ctx, r)
	return result, d.words.err(err)
}

// ChangePassword implements primary.PasswordChanger.
func (d *directory) ChangePassword(ctx context.Context, r *primary.Request, newPassword radius.Secret) error {
	return d.words.err(d.Authenticator.ChangePassword(ctx, r, newPassword))
}

// Validate is for radmfa.Server.
func (d *directory) Validate() error { return d.words.err(d.Authenticator.Validate()) }

func newDirectory(c *config.Section, logger *slog.Logger, certificate func(tls.ConnectionState)) firstFactor {
	words := directoryWords(c)
	a := &ldapauth.Authenticator{
		Hosts:                c.Hosts("host", "port"),
		Transport:            ldapauth.Clear,
		InsecureSkipHostname: !c.Bool("ssl_verify_hostname"),
		ServiceUser:          serviceUser(c),
		ServicePassword:      c.Secret("service_account_password"),
		Domain:               c.Text("ntlm_domain"),
		Workstation:          c.Text("ntlm_workstation"),
		BaseDN:               c.Text("search_dn"),
		UsernameAttribute:    c.Text("username_attribute"),
		AtAttribute:          c.Text("at_attribute"),
		Filter:               c.Text("ldap_filter"),
		AllowPasswordChange:  c.Bool("password_change"),
		Timeout:              c.Seconds("timeout"),
		Logger:               words.logger(logger),
		TLSConfig: &tls.Config{
			MinVersion: c.TLS("minimum_tls_version"),
			RootCAs:    c.Certificates("ssl_ca_certs_file"),
			VerifyConnection: func(state tls.ConnectionState) error {
				certificate(state)
				return nil
			},
		},
	}
	if group := c.Text("security_group_dn"); group != "" {
		a.Groups = []string{group}
	}
	switch c.Word("transport") {
	case "starttls":
		a.Transport = ldapauth.StartTLS
	case "ldaps":
		a.Transport = ldapauth.LDAPS
	}
	if c.Word("auth_type") == "ntlm2" {
		a.Bind = ldapauth.NTLM
	}
	return &directory{a, words}
}

var domainComponent = regexp.MustCompile(`(?i)(?:^|,)\s*dc\s*=\s*([^,]+)`)

// serviceUser is the name that the service account binds as. A simple bind to
// Active Directory does not know the bare account name, but name@domain.
func serviceUser(c *config.Section) string {
	name := c.Text("service_account_username")
	if c.Word("auth_type") != "plain" {
		return name
	}
	if dn := c.Text("bind_dn"); dn != "" {
		return dn
	}
	if strings.ContainsAny(name, `=@\`) || !strings.EqualFold(c.Text("username_attribute"), "sAMAccountName") {
		return name
	}
	var domain []string
	for _, m := range domainComponent.FindAllStringSubmatch(c.Text("search_dn"), -1) {
		domain = append(domain, strings.TrimSpace(m[1]))
	}
	if len(domain) == 0 {
		return name
	}
	return name + "@" + strings.Join(domain, ".")
}

func (d *directory) check(ctx context.Context) (findings []finding) {
	statuses, err := d.Check(ctx)
	for _, s := range statuses {
		findings = append(findings, newFinding(s.Host, s.Works, d.words.err(s.Err)))
	}
	return orSettings(findings, err)
}

// orSettings is for a check that did not get as far as the first server.
func orSettings(findings []finding, err error) []finding {
	if len(findings) == 0 {
		return []finding{{text: "settings", err: err}}
	}
	return findings
}

// probe counts the directory as up when one of its hosts is.
func (d *directory) probe(ctx context.Context) (known bool, err error) {
	statuses, err := d.Check(ctx)
	for _, s := range statuses {
		if s.Err == nil {
			return true, nil
		}
	}
	return true, err
}

func (d *directory) servers() (list []serverStats) {
	for _, s := range d.Stats() {
		list = append(list, serverStats{address: s.Host, down: s.Down, failures: s.Failures, pooled: true, busy: s.Busy, idle: s.Idle})
	}
	return list
}

func (d *directory) close() { _ = d.Close() }

func (*directory) forget() {}

// upstream is the first factor of a [radius_client].
type upstream struct {
	*radiusauth.Authenticator
	replied atomic.Bool // to Status-Server
	words   *words
}

// Authenticate implements primary.Authenticator.
func (u *upstream) Authenticate(ctx context.Context, r *primary.Request) (*primary.Result, error) {
	result, err := u.Authenticator.Authenticate(ctx, r)
	return result, u.words.err(err)
}

// Validate is for radmfa.Server.
func (u *upstream) Validate() error { return u.words.err(u.Authenticator.Validate()) }

// newUpstream takes what to pass through from the server section, where that
// says so.
func newUpstream(s *config.Section, logger *slog.Logger, certificate func(tls.ConnectionState)) firstFactor {
	c := s.Client
	words := upstreamWords(c)
	a := &radiusauth.Authenticator{
		Secret:         c.Secret("secret"),
		Interval:       c.Seconds("retry_wait"),
		Tries:          c.Int("retries"),
		NASIPAddress:   c.Addr("nas_ip"),
		PassThroughAll: cmp.Or(s.Bool("pass_through_all"), c.Bool("pass_through_all")),
		PassThrough:    append(c.Attributes("pass_through_attr_names"), s.Attributes("pass_through_attr_names")...),
		Encoding:       c.Codec("pw_codec"),
		Logger:         words.logger(logger),
	}
	if s.Set("pass_through_all") {
		a.PassThroughAll = s.Bool("pass_through_all")
	}
	for _, n := range c.Numbers("host") {
		server := radiusauth.Server{
			Secret:  c.Secret(c.Numbered("secret", n)),
			Replies: replyPolicies[c.Signed("force_message_authenticator")],
		}
		port := "1812"
		if c.Word("transport") == "tls" {
			port = "2083"
			server.Secret = cmp.Or(server.Secret, a.Secret)
			server.TLS = upstreamTLS(c, c.Text(c.Numbered("radsec_name", n)), certificate)
		}
		server.Address = net.JoinHostPort(c.Text(c.Numbered("host", n)), cmp.Or(c.Text(c.Numbered("port", n)), port))
		a.Servers = append(a.Servers, server)
	}
	return &upstream{Authenticator: a, words: words}
}

// upstreamTLS is for a server that is asked over TLS.
func upstreamTLS(c *config.Section, name string, told func(tls.ConnectionState)) *tls.Config {
	certificate, _ := c.Certificate() // checked with the file
	return &tls.Config{
		Certificates: []tls.Certificate{certificate}, RootCAs: c.Certificates("radsec_ca_file"), ServerName: name,
		VerifyConnection: func(state tls.ConnectionState) error {
			told(state)
			return nil
		},
	}
}

// replyPolicies are the values of force_message_authenticator.
var replyPolicies = map[string]radiusauth.ReplyPolicy{
	"true": radiusauth.RequireSigned, "auto": radiusauth.LearnSigned, "false": radiusauth.AcceptUnsigned,
}

func (u *upstream) check(ctx context.Context) (findings []finding) {
	statuses, err := u.Check(ctx)
	for _, s := range statuses {
		findings = append(findings, newFinding(s.Server, s.Works, u.words.err(s.Err)))
	}
	return orSettings(findings, err)
}

// probe sends Status-Server. Silence tells nothing of a server that never answers
// that.
func (u *upstream) probe(ctx context.Context) (known bool, err error) {
	err = u.Probe(ctx)
	if err == nil {
		u.replied.Store(true)
	}
	silent := errors.Is(err, radius.ErrNoReply) || ctx.Err() != nil
	return !silent || u.replied.Load(), err
}

func (u *upstream) servers() (list []serverStats) {
	for _, s := range u.Stats() {
		list = append(list, serverStats{address: s.Server, down: s.Down, failures: s.Failures})
	}
	return list
}

func (u *upstream) close() { _ = u.Close() }

func (u *upstream) forget() { u.ForgetSigners() }
