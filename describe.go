package radmfa

import (
	"bytes"
	"net/netip"
	"net/url"
	"strings"

	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
)

// Description says how a login is presented to the service and to the user. Empty
// fields are left out.
type Description struct {
	ClientIP        netip.Addr // of the user's machine, for the policies of the service
	Hostname        string     // of the device that the user logs in from
	Type            string     // the word before "request" in a push; empty: "Login"
	DisplayUsername string     // the name in a push
	PushInfo        url.Values // what else a push shows, by name; under 20,000 bytes when encoded. Nil: the Client as "NAS"
}

// pushInfo is what a push shows.
func (l *login) pushInfo() url.Values {
	if info := l.ses.policy.PushInfo; info != nil || l.request.Client == "" {
		return info
	}
	return url.Values{"NAS": {l.request.Client}}
}

// BareName takes the domain off a name, as in DOMAIN\jdoe or jdoe@example.com, for
// services that know users by the bare name (see Policy).
func BareName(username string) string {
	if _, name, found := strings.Cut(username, `\`); found {
		username = name
	}
	name, _, _ := strings.Cut(username, "@")
	return name
}

// AddrIn returns a function that reads an address in an attribute, for Describe: as
// text, with or without a port ("192.0.2.7:4500", "[2001:db8::7]:4500",
// "192.0.2.7[4500]"), or as 4 or 16 octets. Anything else, such as a MAC address,
// gives the zero Addr, and so do printable octets in Calling-Station-Id, which are
// a telephone number or a name. The zone of an IPv6 address is left out.
func AddrIn(attribute radius.AttributeType) func(*radius.Packet) netip.Addr {
	return func(p *radius.Packet) netip.Addr { return addrIn(p, attribute) }
}

func addrIn(p *radius.Packet, attribute radius.AttributeType) netip.Addr {
	value, _ := attribute.Lookup(p.Attributes)
	if attribute == callingStationID && printable(value) {
		return parseAddrText(string(value))
	}
	return parseAddr(value)
}

// callingStationID is where the address of the user's machine is by default.
var callingStationID = radius.AttributeType{Type: rfc2865.CallingStationID_Type}

func parseAddr(value []byte) netip.Addr {
	if addr := parseAddrText(string(value)); addr.IsValid() {
		return addr
	}
	addr, _ := netip.AddrFromSlice(value)
	return addr.Unmap()
}

func parseAddrText(s string) netip.Addr {
	s = strings.TrimSpace(s)
	beforePort, _, _ := strings.Cut(s, "[")
	for _, text := range []string{strings.Trim(s, "[]"), beforePort} {
		if addr, err := netip.ParseAddr(text); err == nil {
			return addr.Unmap().WithZone("")
		}
	}
	addrPort, _ := netip.ParseAddrPort(s)
	return addrPort.Addr().Unmap().WithZone("")
}

func printable(value []byte) bool {
	return !bytes.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' })
}
