package radmfa

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/radius"
)

// login is one Access-Request on its way to a decision.
type login struct {
	*Server
	ctx      context.Context // of this request, with its deadline
	packet   *radius.Packet
	username string
	password radius.Secret // or the answer to a challenge
	state    string        // of the challenge it answers; empty: none
	nas      netip.Addr
	client   string // the name of the radius.Client
	clientIP netip.Addr
	started  time.Time
	id       string // of the login, from its first request to its last
	appended string // what Auto found behind the password
}

// ServeRADIUS implements radius.Handler: it answers one Access-Request. The
// request must come from the transport of package radius, or of one that has
// verified it likewise.
func (s *Server) ServeRADIUS(w radius.ResponseWriter, r *radius.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), orDefault(s.AuthTimeout, defaultAuthTimeout))
	defer cancel()
	l := &login{Server: s, ctx: ctx, packet: r.Packet, started: time.Now(), id: strconv.FormatUint(rand.Uint64(), 36)}
	l.nas = addrOf(r.RemoteAddr)
	if client := radius.ClientOf(ctx); client != nil {
		l.client = client.String()
	}
	d := l.broken()
	defer func() { l.reply(w, d) }() // also when decide panics, for the transport to report
	d = l.decide()
}

// decide is the whole of it, from the request to the decision.
func (l *login) decide() decision {
	if err := l.check(); err != nil {
		return l.fail("the Server is not complete", err)
	}
	if problem := l.read(); problem != nil {
		return *problem
	}
	if l.state != "" {
		return l.answer()
	}
	return l.first()
}

// read takes what a login needs out of the packet, or says why it cannot be
// served.
func (l *login) read() *decision {
	l.username = rfc2865.UserName_GetString(l.packet)
	if !utf8.ValidString(l.username) && l.Encoding != nil {
		l.username, _ = l.Encoding.NewDecoder().String(l.username)
	}
	l.username = strings.TrimSpace(l.username) // or one user would have several names
	l.state = string(rfc2865.State_Get(l.packet))
	l.clientIP = l.findClientIP()
	problem := l.readPassword()
	switch {
	case l.username == "":
		problem = "the request has no User-Name"
	case !utf8.ValidString(l.username):
		problem = "the User-Name is not UTF-8"
	case len(rfc2869.EAPMessage_Get(l.packet)) > 0:
		problem = "the NAS uses EAP, which cannot carry a text challenge: set it to PAP"
	}
	if problem == "" {
		return nil
	}
	d := l.reject("", problem)
	return &d
}

// readPassword decrypts the User-Password, or says what is wrong with it. A NAS
// may leave an empty one out, send it without octets, or as 16 NULs.
func (l *login) readPassword() (problem string) {
	hidden, present := l.packet.Lookup(rfc2865.UserPassword_Type)
	if !present || len(hidden) == 0 {
		return ""
	}
	plain, err := layeh.UserPassword(hidden, l.packet.Secret, l.packet.Authenticator[:])
	if err == nil && l.Encoding != nil {
		plain, err = l.Encoding.NewDecoder().Bytes(plain)
	}
	switch {
	case err != nil:
		return "the User-Password cannot be decoded: its length is wrong (RFC 2865 section 5.2)"
	case utf8.Valid(plain):
		l.password = radius.Secret(plain)
		return ""
	case l.signed():
		return "the User-Password is not UTF-8"
	default:
		return "the User-Password is not readable: the shared secret of the NAS probably differs from the one configured here"
	}
}

// signed reports whether the request carried a Message-Authenticator, which the
// transport has verified: then the shared secret is right.
func (l *login) signed() bool { return len(rfc2869.MessageAuthenticator_Get(l.packet)) > 0 }

func (l *login) findClientIP() netip.Addr {
	if l.ClientIP != nil {
		return l.ClientIP(l.packet)
	}
	return AddrIn(rfc2865.CallingStationID_Type)(l.packet)
}

func addrOf(a net.Addr) netip.Addr {
	if udp, ok := a.(*net.UDPAddr); ok {
		return udp.AddrPort().Addr().Unmap()
	}
	if a == nil {
		return netip.Addr{}
	}
	addrPort, _ := netip.ParseAddrPort(a.String())
	return addrPort.Addr().Unmap()
}

// vendorMicrosoft is the SMI Network Management code of the vendor attributes of
// MS-CHAP (RFC 2548 section 2).
const vendorMicrosoft = 311

// hashed reports whether the NAS sent a hash in place of the password.
func (l *login) hashed() bool {
	if _, chap := l.packet.Lookup(rfc2865.CHAPPassword_Type); chap {
		return true
	}
	for _, a := range l.packet.Attributes {
		if a.Type != rfc2865.VendorSpecific_Type {
			continue
		}
		if vendor, _, err := layeh.VendorSpecific(a.Attribute); err == nil && vendor == vendorMicrosoft {
			return true
		}
	}
	return false
}
