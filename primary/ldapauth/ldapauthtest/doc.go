// Package ldapauthtest is an LDAP directory for tests and demonstrations, with
// entries that a test makes up.
//
//	dir := &ldapauthtest.Directory{Entries: []ldapauthtest.Entry{
//		{DN: "cn=svc,dc=example,dc=com", Password: "svc-pw"},
//		{DN: "uid=jdoe,dc=example,dc=com", Password: "jdoe-pw",
//			Attributes: map[string][]string{"uid": {"jdoe"}}},
//	}}
//
// It knows simple binds, searches, StartTLS, LDAPS, changes of passwords and,
// where asked to, the habits of Active Directory: its names, its codes for
// refusals, its matching rules, NTLM. Searches end with a reference to another
// naming context, as they do there. Groups are entries with a member attribute.
//
// [Directory.Dial] serves for ldapauth's DialContext, without a socket, also
// within a testing/synctest bubble; [Directory.Listen] is for everything else. A
// Directory can refuse connections, hang, cut them, and answer binds, searches and
// changes with any result.
package ldapauthtest
