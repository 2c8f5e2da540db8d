package ldapauth

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/primary"
)

// directory is an Authenticator whose fields have been checked, whose defaults
// are filled in, and its connections.
type directory struct {
	*Authenticator // only read

	hosts      []*host
	attributes []string // to ask for in the search for users
	userAttr   string
	atAttr     string
	filter     string // with brackets, or empty
	allowed    []group
	denied     []group
	reply      []reply
	groupBase  string
	log        *slog.Logger
}

// group is a configured group.
type group struct {
	dn  string
	key string // as key of the DN
}

// newDirectory returns an error that names the field to correct.
func newDirectory(a *Authenticator) (*directory, error) {
	d := &directory{
		Authenticator: a,
		userAttr:      cmp.Or(a.UsernameAttribute, "sAMAccountName"),
		atAttr:        cmp.Or(a.AtAttribute, "userPrincipalName"),
		log:           a.Logger,
	}
	if d.log == nil {
		d.log = slog.Default()
	}
	for _, check := range []func() error{
		d.checkScalars, d.setFilter, d.setGroups, d.setReply, d.setGroupBase, d.setHosts,
	} {
		if err := check(); err != nil {
			return nil, fmt.Errorf("ldapauth: %w", err)
		}
	}
	d.setAttributes()
	return d, nil
}

func (d *directory) timeout() time.Duration { return cmp.Or(d.Timeout, DefaultTimeout) }

func (d *directory) checkScalars() error {
	switch {
	case d.BaseDN == "":
		return primary.FieldErrorf("field {BaseDN} is empty: set it to the entry below which users are")
	case d.ServiceUser == "" && d.ServicePassword != "":
		return primary.FieldErrorf("field {ServicePassword} is set and {ServiceUser} is not")
	case d.ServiceUser != "" && d.ServicePassword == "":
		return primary.FieldErrorf("field {ServiceUser} is set and {ServicePassword} is not")
	case d.Timeout < 0 || d.IdleTimeout < 0 || d.MaxConns < 0 || d.RefusedFor < 0:
		return primary.FieldErrorf("one of {Timeout}, {IdleTimeout}, {MaxConns} and {RefusedFor} is negative")
	case d.Transport < StartTLS || d.Transport > Clear:
		return primary.FieldErrorf("unknown {Transport} %d", d.Transport)
	case d.Bind < Simple || d.Bind > NTLM:
		return primary.FieldErrorf("unknown {Bind} %d", d.Bind)
	case d.AllowPasswordChange && d.Transport == Clear:
		return primary.FieldErrorf("field {AllowPasswordChange} needs TLS, or new passwords would cross the network readably: set {Transport} to {StartTLS} or {LDAPS}")
	}
	if _, err := ldap.ParseDN(d.BaseDN); err != nil {
		return primary.FieldErrorf("field {BaseDN} %q is no DN: %w", d.BaseDN, err)
	}
	return nil
}

func (d *directory) setFilter() error {
	d.filter = strings.TrimSpace(d.Filter)
	if d.filter != "" && !strings.HasPrefix(d.filter, "(") {
		d.filter = "(" + d.filter + ")"
	}
	if d.filter != "" {
		if _, err := ldap.CompileFilter(d.filter); err != nil {
			return primary.FieldErrorf("the {Filter} %q is no LDAP filter: %w", d.Filter, err)
		}
	}
	for _, attr := range []string{d.userAttr, d.atAttr} {
		if !isAttribute(attr) {
			return fmt.Errorf("%q is no attribute name", attr)
		}
	}
	return nil
}

// isAttribute reports whether s is a short name or OID (RFC 4512 section 1.4).
func isAttribute(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}

func (d *directory) setGroups() (err error) {
	if d.allowed, err = groups("Groups", d.Groups); err != nil {
		return err
	}
	d.denied, err = groups("DeniedGroups", d.DeniedGroups)
	return err
}

func groups(field string, dns []string) ([]group, error) {
	var out []group
	for _, dn := range dns {
		parsed, err := ldap.ParseDN(dn)
		if err != nil || len(parsed.RDNs) == 0 {
			return nil, primary.FieldErrorf("field {"+field+"} holds %q, which is no DN", dn)
		}
		out = append(out, group{dn: dn, key: key(dn)})
	}
	return out, nil
}

// allGroups returns the groups of all fields.
func (d *directory) allGroups() []group {
	all := slices.Concat(d.allowed, d.denied)
	for _, r := range d.reply {
		if r.Group != "" {
			all = append(all, r.group)
		}
	}
	return all
}

// key returns a DN in the form in which equal DNs are equal strings.
func key(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	return strings.ToLower(parsed.String())
}

// setGroupBase finds the longest DN that BaseDN and every group end in.
func (d *directory) setGroupBase() error {
	d.groupBase = cmp.Or(d.GroupBaseDN, d.BaseDN)
	base, err := ldap.ParseDN(d.groupBase)
	if err != nil {
		return primary.FieldErrorf("field {GroupBaseDN} %q is no DN: %w", d.GroupBaseDN, err)
	}
	if d.GroupBaseDN != "" || !d.NestedGroups {
		return nil
	}
	for _, g := range d.allGroups() {
		dn, err := ldap.ParseDN(g.dn)
		if err != nil {
			return err
		}
		for len(base.RDNs) > 0 && !base.EqualFold(dn) && !base.AncestorOfFold(dn) {
			base.RDNs = base.RDNs[1:]
		}
	}
	if len(base.RDNs) == 0 {
		return primary.FieldErrorf("{BaseDN} and the groups' DNs have nothing in common: " +
			"set {GroupBaseDN} to the entry below which groups are")
	}
	d.groupBase = base.String()
	return nil
}

// setAttributes lists what a login needs to know of the user's entry.
func (d *directory) setAttributes() {
	d.attributes = []string{d.userAttr, d.atAttr}
	if d.Bind == NTLM {
		d.attributes = append(d.attributes, "sAMAccountName")
	}
	for _, r := range d.reply {
		if r.Attribute != "" {
			d.attributes = append(d.attributes, r.Attribute)
		}
	}
	if d.ReportGroups {
		d.attributes = append(d.attributes, "memberOf")
	}
	if len(d.allGroups()) > 0 {
		d.attributes = append(d.attributes,
			"memberOf", "primaryGroupID", "objectSid", "uid", "gidNumber")
	}
	slices.SortFunc(d.attributes, compareFold)
	d.attributes = slices.CompactFunc(d.attributes, strings.EqualFold)
}

func compareFold(a, b string) int { return cmp.Compare(strings.ToLower(a), strings.ToLower(b)) }

func (d *directory) setHosts() error {
	if len(d.Hosts) == 0 {
		return primary.FieldErrorf("field {Hosts} is empty: set it to the directory's servers")
	}
	for _, name := range d.Hosts {
		h, err := d.newHost(name)
		if err != nil {
			return err
		}
		d.hosts = append(d.hosts, h)
	}
	return nil
}

func (d *directory) newHost(name string) (*host, error) {
	if name == "" || strings.ContainsAny(name, "/ ") {
		return nil, primary.FieldErrorf("field {Hosts} holds %q, want a host or host:port; {Transport} sets what ldaps:// would", name)
	}
	server, port, err := net.SplitHostPort(name)
	if err != nil { // no port
		server, port = strings.Trim(name, "[]"), ldap.DefaultLdapPort
		if d.Transport == LDAPS {
			port = ldap.DefaultLdapsPort
		}
	}
	if d.AllowPasswordChange && (port == "3268" || port == "3269") {
		return nil, primary.FieldErrorf("field {Hosts} holds %q, the global catalog, which changes no passwords as {AllowPasswordChange} wants: use port 389 or 636", name)
	}
	h := &host{dir: d, addr: net.JoinHostPort(server, port)}
	for i := range h.pool {
		h.pool[i].idleTimeout = cmp.Or(d.IdleTimeout, DefaultIdleTimeout)
		h.pool[i].slots = make(chan struct{}, cmp.Or(d.MaxConns, DefaultMaxConns))
	}
	if d.Transport != Clear {
		h.tls = d.tlsConfig(server)
	}
	return h, nil
}

// tlsConfig returns the caller's settings, made complete for one host.
func (d *directory) tlsConfig(server string) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.TLSConfig != nil {
		config = d.TLSConfig.Clone()
	}
	config.ServerName = cmp.Or(config.ServerName, server)
	if d.InsecureSkipHostname && !config.InsecureSkipVerify {
		// The chain is verified here instead, in the same way but for the name.
		config.InsecureSkipVerify = true
		verifyToo := config.VerifyConnection
		config.VerifyConnection = func(state tls.ConnectionState) error {
			if err := verifyChain(config, state); err != nil || verifyToo == nil {
				return err
			}
			return verifyToo(state)
		}
	}
	return config
}

func verifyChain(config *tls.Config, state tls.ConnectionState) error {
	options := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
	if config.Time != nil {
		options.CurrentTime = config.Time()
	}
	for _, c := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(options)
	return err
}
