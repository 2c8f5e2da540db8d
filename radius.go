package radmfa

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net"
	"net/netip"
	"unicode/utf8"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2866"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa/radius"
)

// ServeRADIUS implements radius.Handler: it answers one Access-Request. The
// request must come from a radius.Server, which has verified it and signs the
// reply. From any other transport that has not set radius.WithClient, such as the
// layeh.com/radius PacketServer, it is rejected: replies would be unsigned there,
// and each retransmission a login of its own.
func (s *Server) ServeRADIUS(w radius.ResponseWriter, r *radius.Request) {
	if radius.ClientOf(r.Context()) == nil {
		s.logger().Error("radmfa: a request is rejected because its transport neither verifies nor signs: " +
			"serve with Server.Serve or a radius.Server, or call Server.Login")
		_ = w.Write(r.Response(radius.CodeAccessReject))
		return
	}
	in := incoming{server: s, packet: r.Packet}
	l := s.newLogin(r.Context(), in.request(r.Context(), r.RemoteAddr))
	defer l.until.end()
	if in.problem != "" {
		l.reject(CauseBadRequest, "", in.problem)
	} else {
		l.start()
	}
	l.reply(w, r.Packet)
}

// reply sends the decision. Logger and OnEvent get it before, so that the events
// of a login are in order.
func (l *login) reply(w radius.ResponseWriter, request *radius.Packet) {
	if l.decision.Result == ResultIgnored {
		l.report()
		return
	}
	p, err := l.decision.packet(request)
	if err != nil {
		l.fail(CauseInternal, "the reply cannot be sent", err)
		if p, err = l.decision.packet(request); err != nil { // no room even for the text
			l.decision.Messages, p = nil, request.Response(radius.CodeAccessReject)
		}
	}
	l.report()
	if err := w.Write(p); err != nil {
		l.warn("radmfa: the reply was not sent", err)
	}
}

// packet is the decision as a reply to request. It fails when the reply is too
// long for one packet, as the attributes of a first factor can make it.
func (d *decision) packet(request *radius.Packet) (*radius.Packet, error) {
	code := radius.CodeAccessReject
	switch d.Result {
	case ResultAccepted:
		code = radius.CodeAccessAccept
	case ResultChallenged:
		code = radius.CodeAccessChallenge
	}
	p := request.Response(code)
	own := make([]radius.AVP, 0, len(d.Messages)+1)
	for _, m := range d.Messages {
		own = append(own, radius.AVP{Type: rfc2865.ReplyMessage_Type, Attribute: radius.Attribute(m)})
	}
	if d.State != "" {
		own = append(own, radius.AVP{Type: rfc2865.State_Type, Attribute: radius.Attribute(d.State)})
	}
	p.Attributes = make(radius.Attributes, 0, len(d.Attributes)+len(own))
	if len(d.Attributes) > 0 {
		permitted := radius.ReplyAttributes(code, d.Attributes)
		attributes, err := radius.EncryptKeys(permitted, radius.Secret(request.Secret), request.Authenticator)
		if err != nil {
			return nil, err
		}
		p.Attributes = append(p.Attributes, attributes...)
	}
	for i := range own {
		p.Attributes = append(p.Attributes, &own[i])
	}
	return p, radius.Fits(p, request)
}

// incoming reads an Access-Request.
type incoming struct {
	server  *Server
	packet  *radius.Packet
	problem string // why it cannot be served, for the operator
}

// request takes out of the packet what a login needs.
func (in *incoming) request(ctx context.Context, from net.Addr) *Request {
	r := &Request{NAS: addrOf(from), Packet: in.packet, State: string(rfc2865.State_Get(in.packet))}
	client := radius.ClientOf(ctx)
	r.Client, r.Device = client.String(), client.ID()
	r.Username = in.username()
	r.Password = in.password()
	if in.problem == "" && r.State == "" {
		in.checkCredential(r)
		r.Attempt = in.attempt(r)
	}
	r.ClientIP = addrIn(in.packet, callingStationID)
	if in.server.Describe != nil {
		in.server.Describe(in.packet, &r.Description)
	}
	return r
}

func (in *incoming) username() string {
	name := rfc2865.UserName_GetString(in.packet)
	if !utf8.ValidString(name) && in.server.Encoding != nil {
		name, _ = in.server.Encoding.NewDecoder().String(name)
	}
	switch {
	case name == "":
		in.problem = "the request has no User-Name"
	case !utf8.ValidString(name):
		in.problem = "the User-Name is not UTF-8"
	case in.has(rfc2869.EAPMessage_Type):
		in.problem = "the NAS uses EAP, which cannot carry a text challenge: set it to PAP"
	}
	return name
}

// password decrypts the User-Password. A NAS may leave an empty one out, send it
// without octets, or as 16 NULs.
func (in *incoming) password() radius.Secret {
	hidden, present := in.packet.Lookup(rfc2865.UserPassword_Type)
	if !present || len(hidden) == 0 {
		return ""
	}
	plain, err := layeh.UserPassword(hidden, in.packet.Secret, in.packet.Authenticator[:])
	if err == nil && in.server.Encoding != nil {
		plain, err = in.server.Encoding.NewDecoder().Bytes(plain)
	}
	switch {
	case in.problem != "":
	case err != nil:
		in.problem = "the User-Password cannot be decoded: its length is wrong (RFC 2865 section 5.2)"
	case utf8.Valid(plain):
		return radius.Secret(plain)
	case in.has(rfc2869.MessageAuthenticator_Type): // verified by the transport
		in.problem = "the User-Password is not UTF-8"
	default:
		in.problem = "the User-Password is not readable: the shared secret of the NAS probably differs from the one configured here"
	}
	return ""
}

// checkCredential refuses a first request that proves nothing, not even that its
// sender knows the shared secret (RFC 2865 section 4.1): where there is no first
// factor, anybody who can forge a source address could send pushes.
func (in *incoming) checkCredential(r *Request) {
	hidden, ok := in.packet.Lookup(rfc2865.UserPassword_Type)
	switch {
	case ok && (len(hidden) > 0 || in.has(rfc2869.MessageAuthenticator_Type)):
		if r.Password == "" && !in.has(rfc2869.MessageAuthenticator_Type) && !in.padded(hidden) {
			in.problem = "the User-Password is not readable: the shared secret of the NAS probably differs from the one configured here"
		}
	case r.hashed():
	default:
		in.problem = "the request has neither a password nor a State"
	}
}

// padded reports whether an empty password is really empty: random octets that
// happen to decrypt to a leading NUL are not.
func (in *incoming) padded(hidden radius.Attribute) bool {
	empty, err := layeh.NewUserPassword(nil, in.packet.Secret, in.packet.Authenticator[:])
	return err == nil && string(empty) == string(hidden)
}

func (in *incoming) has(t radius.Type) bool {
	_, ok := in.packet.Lookup(t)
	return ok
}

// attempt identifies requests that a NAS sends again, perhaps with another
// Identifier and from another port: all attributes but those that change then.
// It is empty when nothing in the request tells one attempt of a user from
// another.
func (in *incoming) attempt(r *Request) string {
	var room [512]byte
	text := room[:0]
	add := func(t radius.Type, value []byte) {
		text = binary.BigEndian.AppendUint32(append(text, byte(t)), uint32(len(value)))
		text = append(text, value...)
	}
	add(0, []byte(r.Device))
	add(rfc2865.UserPassword_Type, []byte(r.Password))
	told, chap, challenge := false, false, false
	for _, a := range in.packet.Attributes {
		switch a.Type {
		case rfc2865.UserPassword_Type, rfc2865.ProxyState_Type, rfc2869.MessageAuthenticator_Type,
			rfc2866.AcctDelayTime_Type, rfc2869.EventTimestamp_Type:
			continue
		case rfc2865.CallingStationID_Type, rfc2865.NASPort_Type, rfc2869.NASPortID_Type, rfc2866.AcctSessionID_Type:
			told = told || !zero(a.Attribute)
		case rfc2865.CHAPPassword_Type:
			chap = true
		case rfc2865.CHAPChallenge_Type:
			challenge = true
		}
		add(a.Type, a.Attribute)
	}
	if !told {
		return ""
	}
	if chap && !challenge { // it proves the password for this Authenticator only
		add(rfc2865.CHAPChallenge_Type, in.packet.Authenticator[:])
	}
	sum := sha256.Sum256(text)
	return string(sum[:])
}

func zero(value radius.Attribute) bool {
	for _, b := range value {
		if b != 0 {
			return false
		}
	}
	return true
}

// hashed reports whether the NAS sent a hash in place of the password.
func (r *Request) hashed() bool {
	if r.Packet == nil {
		return false
	}
	if _, chap := r.Packet.Lookup(rfc2865.CHAPPassword_Type); chap {
		return true
	}
	return microsoft.MSCHAPResponse_Get(r.Packet) != nil || microsoft.MSCHAP2Response_Get(r.Packet) != nil
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
