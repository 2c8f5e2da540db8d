package radiusauth

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/rfc3162"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// maxPassword is what a User-Password has room for (RFC 2865 section 5.2).
const maxPassword = 128

// protocol is how the user proves the password.
type protocol int

const (
	pap protocol = iota
	chap
	msCHAP // or MS-CHAPv2
)

// login is one request to check, on its way to one server after another.
type login struct {
	*primary.Request
	protocol      protocol
	upstreamState []byte // of the challenge that is answered
}

func newLogin(r *primary.Request) *login {
	l := &login{Request: r}
	if r.Password != "" || r.Packet == nil {
		return l
	}
	has := func(t radius.Type) bool {
		_, ok := radius.AttributeType{Vendor: vendorMicrosoft, Type: t}.Lookup(r.Packet.Attributes)
		return ok
	}
	switch {
	case has(msCHAPChallenge) && (has(msCHAPResponse) || has(msCHAP2Response)):
		l.protocol = msCHAP
	case len(r.Packet.Get(rfc2865.CHAPPassword_Type)) == 1+16:
		l.protocol = chap
	}
	return l
}

// refuse returns why no server need be asked, or "".
func (l *login) refuse() string {
	switch {
	case l.Username == "":
		return "empty user name"
	case len(l.Username) > radius.MaxAttribute:
		return fmt.Sprintf("the user name has more than %d bytes", radius.MaxAttribute)
	case strings.ContainsRune(l.Username, 0):
		return "the user name has a NUL in it"
	case strings.ContainsRune(string(l.Password), 0):
		// Servers cut it there: "\x00" would be an empty password.
		return "the password has a NUL in it"
	case l.Password == "" && len(l.State) == 0 && l.protocol == pap:
		if l.Packet != nil && l.Packet.Get(rfc2869.EAPMessage_Type) != nil {
			return "the NAS used EAP, which cannot be passed on: set it to PAP, CHAP or MS-CHAP"
		}
		return "empty password"
	}
	return ""
}

// newRequest returns the Access-Request for a server. A Rejection says that the
// password cannot be right at this server.
func (s *server) newRequest(l *login, local net.Addr) (*radius.Packet, error) {
	request := layeh.New(radius.CodeAccessRequest, []byte(s.Secret))
	request.Add(rfc2865.UserName_Type, radius.Attribute(l.Username))
	if l.protocol == pap {
		password, err := s.encode(string(l.Password))
		if err != nil {
			return nil, err
		}
		if err := rfc2865.UserPassword_Set(request, password); err != nil {
			return nil, fmt.Errorf("radiusauth: %w", err)
		}
	}
	if len(l.upstreamState) > 0 {
		request.Add(rfc2865.State_Type, l.upstreamState)
	}
	if l.Packet != nil {
		s.sendOn(request, l)
	}
	s.addNAS(request, local)
	return request, nil
}

// encode returns the password in the character set of the server.
func (s *server) encode(password string) ([]byte, error) {
	encoded := []byte(password)
	if s.Encoding != nil {
		var err error
		if !utf8.ValidString(password) {
			return nil, &primary.Rejection{Reason: "the password is not UTF-8: set the character set that the NAS uses"}
		}
		if encoded, err = s.Encoding.NewEncoder().Bytes(encoded); err != nil {
			return nil, &primary.Rejection{Reason: fmt.Sprintf("the password cannot be encoded as %v", s.Encoding)}
		}
	}
	if len(encoded) > maxPassword {
		return nil, &primary.Rejection{Reason: fmt.Sprintf("the password has more than %d bytes", maxPassword)}
	}
	return encoded, nil
}

// sendOn adds those attributes of the NAS's request that are chosen, or that the
// protocol needs.
func (s *server) sendOn(request *radius.Packet, l *login) {
	request.Attributes = append(request.Attributes, filter(l.Packet.Attributes, func(k radius.AttributeType) bool {
		switch l.protocol {
		case chap:
			if ofCHAP(k) {
				return true
			}
		case msCHAP:
			if requestOfMSCHAP(k) {
				return true
			}
		}
		return k == radius.AttributeType{Type: rfc2865.CallingStationID_Type} || slices.Contains(s.auth.RequestAttributes, k)
	})...)
	if l.protocol == chap && request.Get(rfc2865.CHAPChallenge_Type) == nil {
		// The challenge is then the NAS's Request Authenticator (RFC 2865
		// section 2.2), which is not that of this request.
		request.Add(rfc2865.CHAPChallenge_Type, l.Packet.Authenticator[:])
	}
}

// addNAS says who asks, unless the NAS's own attributes do.
func (s *server) addNAS(request *radius.Packet, local net.Addr) {
	ip := s.auth.NASIPAddress.Unmap()
	if !ip.IsValid() {
		ip = addrOf(local)
	}
	switch {
	case request.Get(rfc2865.NASIPAddress_Type) != nil || request.Get(rfc3162.NASIPv6Address_Type) != nil:
	case ip.Is4():
		request.Add(rfc2865.NASIPAddress_Type, ip.AsSlice())
	case ip.Is6():
		request.Add(rfc3162.NASIPv6Address_Type, ip.AsSlice())
	}
	if s.auth.NASIdentifier != "" && request.Get(rfc2865.NASIdentifier_Type) == nil {
		request.Add(rfc2865.NASIdentifier_Type, radius.Attribute(s.auth.NASIdentifier))
	}
}

// addrOf returns the IP address, or the zero Addr.
func addrOf(a net.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	ap, _ := netip.ParseAddrPort(a.String())
	return ap.Addr().Unmap()
}
