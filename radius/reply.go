package radius

// What may be in a reply.

const (
	typeUserPassword = 2
	typeReplyMessage = 18
	typeState        = 24
)

// ReplyAttributes returns those of the attributes that may be in a reply with the
// code, by the tables of RFC 2865 section 5.44, RFC 2548 section 6, RFC 2868
// section 5, RFC 2869 section 5.19 and RFC 3162 section 3. It never returns
// State, Proxy-State, EAP-Message and Message-Authenticator, which belong to one
// exchange. The result may share the slice.
func ReplyAttributes(code Code, attributes Attributes) Attributes {
	permitted := mayAccept
	switch code {
	case CodeAccessReject:
		permitted = mayReject
	case CodeAccessChallenge:
		permitted = mayChallenge
	}
	for i, a := range attributes {
		if permitted(a) {
			continue
		}
		rest := append(Attributes(nil), attributes[:i]...)
		for _, a := range attributes[i:] {
			if permitted(a) {
				rest = append(rest, a)
			}
		}
		return rest
	}
	return attributes
}

// mayAccept reports whether an Access-Accept may hold an attribute: all but what
// only requests hold, and what belongs to the exchange.
func mayAccept(a *AVP) bool {
	switch a.Type {
	case typeUserPassword, 3, // the password, as it is and for CHAP
		4, 5, 30, 31, 32, 60, 61, 77, 87, 95, // of the NAS and the user's machine
		40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 55, // accounting
		70, 73, 74, 75, 76, // ARAP, a retry and a prompt: only before the end
		typeState, typeProxyState, typeEAPMessage, typeMessageAuthenticator:
		return false
	}
	return true
}

// mayReject reports whether an Access-Reject may hold an attribute.
func mayReject(a *AVP) bool {
	switch a.Type {
	case typeReplyMessage, 75: // Password-Retry
		return true
	case typeVendorSpecific: // of MS-CHAP, the error
		vendor, inner, ok := ParseVendorSpecific(a.Attribute)
		const msCHAPError = 2
		return ok && vendor == vendorMicrosoft && len(inner) == 1 && inner[0].Type == msCHAPError
	}
	return false
}

// mayChallenge reports whether an Access-Challenge may hold an attribute.
func mayChallenge(a *AVP) bool {
	switch a.Type {
	case typeReplyMessage, typeVendorSpecific,
		27, 28, // Session-Timeout and Idle-Timeout
		71, 73, 74, 84, // ARAP
		76: // Prompt
		return true
	}
	return false
}
