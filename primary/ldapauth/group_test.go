package ldapauth

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/radius"
)

// sid is a SID of the fake domain.
func sid(rid byte) string {
	return "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00" +
		"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c" + string([]byte{rid, 0, 0, 0})
}

// grouped is a directory in which everybody is in vpn in another way: direct by
// memberOf, bymember because only the group says so, nested by way of inner,
// prim by primary group, primnest by the primary group inner, nobody not at all.
func grouped(activeDirectory bool) *ldapauthtest.Directory {
	people := []ldapauthtest.Entry{
		person("direct", "memberOf=CN=vpn, OU=groups,DC=example,DC=com"), person("bymember"), person("nested"), person("nobody"),
	}
	primary := "gidNumber=9"
	vpn, inner := []string{"objectClass=posixGroup", "gidNumber=9"}, []string{"member=" + personDN("nested"), "objectClass=posixGroup", "gidNumber=8"}
	prim, primnest := person("prim", primary), person("primnest", "gidNumber=8")
	if activeDirectory {
		vpn, inner = []string{"objectSid=" + sid(9)}, []string{"member=" + personDN("nested"), "objectSid=" + sid(8)}
		prim, primnest = person("prim", "primaryGroupID=9"), person("primnest", "primaryGroupID=8")
	}
	people = append(people, prim, primnest)
	if activeDirectory {
		for i := range people {
			people[i].Attributes["objectSid"] = []string{sid(byte(100 + i))}
		}
	}
	return fakeDirectory(append(people,
		groupEntry("vpn", append(vpn, "member="+personDN("bymember"), "member="+groupDN("middle"))...),
		groupEntry("middle", "uniqueMember="+groupDN("inner"), "member="+groupDN("inner"), "member="+groupDN("vpn")),
		groupEntry("inner", inner...))...)
}

func TestGroups(t *testing.T) {
	direct, nested := []string{"direct", "bymember", "prim"}, []string{"direct", "bymember", "prim", "nested", "primnest"}
	for _, activeDirectory := range []bool{true, false} {
		for _, nest := range []bool{false, true} {
			t.Run(fmt.Sprintf("Active Directory %v, nested %v", activeDirectory, nest), func(t *testing.T) {
				allow, deny := fakeAuth(t, network{"a:389": grouped(activeDirectory)}), fakeAuth(t, network{"a:389": grouped(activeDirectory)})
				allow.NestedGroups, deny.NestedGroups = nest, nest
				allow.Groups = []string{"CN=VPN,ou=groups,dc=example,dc=com"}
				deny.DeniedGroups = []string{groupDN("vpn")}
				members := direct
				if nest {
					members = nested
				}
				for _, name := range []string{"direct", "bymember", "nested", "prim", "primnest", "nobody"} {
					in, out := allow, deny
					if !slices.Contains(members, name) {
						in, out = deny, allow
					}
					assert.NoError(t, login(t, in, name, name+"-pw"), name)
					rejection := requireRejection(t, login(t, out, name, name+"-pw"))
					assert.Contains(t, rejection.Reason, "group", name)
					assert.Empty(t, rejection.Message)
				}
			})
		}
	}
}

func TestMissingGroupIsAnErrorButKeepsOutNoMemberOfOthers(t *testing.T) {
	auth := fakeAuth(t, network{"a:389": grouped(false)})
	auth.Groups = []string{groupDN("typo"), groupDN("vpn")}
	require.NoError(t, login(t, auth, "bymember", "bymember-pw"))
	err := login(t, auth, "nobody", "nobody-pw")
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "cn=typo")

	auth = fakeAuth(t, network{"a:389": grouped(false)})
	auth.DeniedGroups = []string{groupDN("typo")}
	assertUnknown(t, login(t, auth, "nobody", "nobody-pw"))
}

func TestNestingIsBounded(t *testing.T) {
	var groups []ldapauthtest.Entry
	groups = append(groups, groupEntry("g0", "member="+personDN("jdoe")))
	for i := range maxNesting + 4 {
		groups = append(groups, groupEntry(fmt.Sprint("g", i+1), "member="+groupDN(fmt.Sprint("g", i))))
	}
	auth := fakeAuth(t, network{"a:389": fakeDirectory(groups...)})
	auth.Groups, auth.NestedGroups = []string{groupDN("g0")}, true
	require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))

	auth = fakeAuth(t, network{"a:389": fakeDirectory(groups...)})
	auth.Groups, auth.NestedGroups = []string{groupDN("g20")}, true
	err := login(t, auth, "jdoe", "jdoe-pw")
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "nested")
}

func TestReplyAttributes(t *testing.T) {
	f := grouped(false)
	f.Entries = append(f.Entries, person("full", "description=one", "description=two", "memberOf="+groupDN("vpn")))
	auth := fakeAuth(t, network{"a:389": f})
	auth.Reply = []ReplyAttribute{
		{Type: 11, Attribute: "description"},
		{Type: 25, Value: "vpn", Group: groupDN("vpn")},
		{Type: 25, Value: "inner", Group: groupDN("inner")},
		{Type: 26, Attribute: "uid", Encode: func(v string) (radius.Attribute, error) {
			return radius.Attribute("\x00\x00\x00\x09" + v), nil
		}},
	}
	reply := func(name string) (out []string) {
		result, err := auth.Authenticate(t.Context(), request(name, name+"-pw"))
		require.NoError(t, err)
		for _, a := range result.Attributes {
			out = append(out, fmt.Sprintf("%d=%s", a.Type, a.Attribute))
		}
		return out
	}
	assert.Equal(t, []string{"11=one", "11=two", "25=vpn", "26=\x00\x00\x00\x09full"}, reply("full"))
	assert.Equal(t, []string{"26=\x00\x00\x00\x09jdoe"}, reply("jdoe"))
	assert.Equal(t, []string{"25=inner", "26=\x00\x00\x00\x09nested"}, reply("nested"))
}

func TestValueThatCannotBeSentRejectsTheUser(t *testing.T) {
	f := fakeDirectory(person("long", "description="+string(make([]byte, 254))))
	auth := fakeAuth(t, network{"a:389": f})
	auth.Reply = []ReplyAttribute{{Type: 11, Attribute: "description"}}
	assert.Contains(t, requireRejection(t, login(t, auth, "long", "long-pw")).Reason, "1 to 253 octets")

	auth = fakeAuth(t, network{"a:389": f})
	auth.Reply = []ReplyAttribute{{Type: 8, Attribute: "uid", Encode: func(string) (radius.Attribute, error) {
		return nil, fmt.Errorf("no address")
	}}}
	assert.Contains(t, requireRejection(t, login(t, auth, "jdoe", "jdoe-pw")).Reason, "no address")
}
