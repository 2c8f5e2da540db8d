package ldapauth

import (
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/internal/names"
)

// domain is what a directory calls the domain of its users. Both names are empty
// where it has none.
type domain struct{ netBIOS, dns string }

// is reports whether name means this domain.
func (d domain) is(name string) bool {
	return name != "" && (names.Equal(name, d.netBIOS) || names.Equal(name, d.dns))
}

// bareName returns the name in DOMAIN\name. A domain that is not this
// directory's would be another person's, so it is rejected.
func (d *directory) bareName(c *conn, username string) (string, error) {
	prefix, name, found := strings.Cut(username, `\`)
	if !found {
		return username, nil
	}
	if !(domain{netBIOS: d.Domain}).is(prefix) && !c.host.ownDomain(c).is(prefix) {
		return "", rejectf("the domain %q is not the directory's own", prefix)
	}
	return name, nil
}

// ownDomain returns what an Active Directory calls itself. It is asked once, and
// again after the host was away.
func (h *host) ownDomain(c *conn) domain {
	h.mu.Lock()
	known := h.domain
	h.mu.Unlock()
	if known != nil {
		return *known
	}
	own, err := h.dir.searchDomain(c)
	if err != nil {
		h.dir.log.Debug("LDAP host does not tell its domain", "host", h.addr, "error", err)
		return domain{}
	}
	h.mu.Lock()
	h.domain = &own
	h.mu.Unlock()
	return own
}

// searchDomain looks the names of the domain of BaseDN up in the partitions
// container of Active Directory.
func (d *directory) searchDomain(c *conn) (domain, error) {
	c.step = "search for the name of the domain"
	root, err := c.Search(d.newSearch("", ldap.ScopeBaseObject, "(objectClass=*)", "configurationNamingContext"))
	if err != nil || len(root.Entries) == 0 {
		return domain{}, err
	}
	configuration := root.Entries[0].GetEqualFoldAttributeValue("configurationNamingContext")
	if configuration == "" {
		return domain{}, nil // not an Active Directory
	}
	found, err := c.Search(d.newSearch("CN=Partitions,"+configuration, ldap.ScopeSingleLevel, "(nETBIOSName=*)",
		"nCName", "nETBIOSName", "dnsRoot"))
	if err != nil {
		return domain{}, err
	}
	base, err := ldap.ParseDN(d.BaseDN)
	if err != nil {
		return domain{}, err
	}
	own, depth := domain{}, 0
	for _, e := range found.Entries {
		context, err := ldap.ParseDN(e.GetEqualFoldAttributeValue("nCName"))
		if err != nil || len(context.RDNs) <= depth || !context.EqualFold(base) && !context.AncestorOfFold(base) {
			continue
		}
		depth = len(context.RDNs) // a child domain has the longer name
		own = domain{e.GetEqualFoldAttributeValue("nETBIOSName"), e.GetEqualFoldAttributeValue("dnsRoot")}
	}
	return own, nil
}
