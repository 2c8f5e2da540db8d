package ldapauth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-ldap/ldap/v3"
)

// HostStatus is what Check found out about one host.
type HostStatus struct {
	// Host is "host:port".
	Host string

	// Works lists what the host did as it should, in order.
	Works []string

	// Err is what failed then, or nil.
	Err error
}

// String returns one line, such as
// "dc1.example.com:389: connected with StartTLS; FAILED: bind as ...".
func (s HostStatus) String() string {
	parts := s.Works
	if s.Err != nil {
		parts = append(parts[:len(parts):len(parts)], "FAILED: "+s.Err.Error())
	}
	return s.Host + ": " + strings.Join(parts, "; ")
}

// Check tries every host, on connections of its own: it connects, binds the
// service account, searches for any user below BaseDN, and looks up the groups.
// Each host gets at most Timeout. The error is nil when all of that works on
// all hosts, and else says what does not, or that a field is wrong; then there is no
// HostStatus.
func (a *Authenticator) Check(ctx context.Context) ([]HostStatus, error) {
	dir, err := a.directory()
	if err != nil {
		return nil, err
	}
	all := make([]HostStatus, len(dir.hosts))
	var wg sync.WaitGroup
	for i, h := range dir.hosts {
		wg.Go(func() { all[i] = h.check(ctx) })
	}
	wg.Wait()
	var failures []error
	for _, s := range all {
		if s.Err != nil {
			failures = append(failures, fmt.Errorf("ldapauth: %s: %w", s.Host, s.Err))
		}
	}
	return all, errors.Join(failures...)
}

func (h *host) check(ctx context.Context) HostStatus {
	ctx, cancel := context.WithTimeout(ctx, h.dir.timeout())
	defer cancel()
	s := HostStatus{Host: h.addr}
	c, err := h.connect(ctx)
	if err != nil {
		s.Err = err
		return s
	}
	defer c.retire()
	s.works("connected with %s", h.dir.Transport)
	s.Err = c.do(ctx, func(c *conn) error { return h.dir.checkConn(c, &s) })
	return s
}

func (s *HostStatus) works(format string, args ...any) {
	s.Works = append(s.Works, fmt.Sprintf(format, args...))
}

// checkConn does what a login needs of a connection.
func (d *directory) checkConn(c *conn, s *HostStatus) error {
	if d.ServiceUser != "" {
		if err := d.bindService(c); err != nil {
			return err
		}
		s.works("bound as %q", d.ServiceUser)
	}
	c.step = fmt.Sprintf("search below %q", d.BaseDN)
	filter := "(" + d.userAttr + "=*)"
	if d.filter != "" {
		filter = "(&" + filter + d.filter + ")"
	}
	request := d.newSearch(d.BaseDN, ldap.ScopeWholeSubtree, filter)
	request.SizeLimit = 1
	result, err := c.Search(request)
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		return d.explain(c.step, err)
	}
	if len(result.Entries) == 0 {
		return failf("%s: no entry matches %s, or the service account may not see it", c.step, filter)
	}
	s.works("found users below %q", d.BaseDN)
	return d.checkGroups(c, s)
}

func (d *directory) checkGroups(c *conn, s *HostStatus) error {
	all := d.allGroups()
	for _, g := range all {
		c.step = fmt.Sprintf("search for the group %q", g.dn)
		result, err := c.Search(d.newSearch(g.dn, ldap.ScopeBaseObject, "(objectClass=*)"))
		if err != nil {
			return d.explain(c.step, err)
		}
		if len(result.Entries) == 0 {
			return failf("%s: it does not exist, or the service account may not see it", c.step)
		}
	}
	if len(all) > 0 {
		s.works("found all groups")
	}
	return nil
}
