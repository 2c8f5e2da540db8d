package radiusauth

import (
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/radius"
)

// The types of RFC 2548 section 2.1 to 2.4, which MS-CHAP needs.
const (
	vendorMicrosoft = 311

	msCHAPResponse  radius.Type = 1
	msCHAPError     radius.Type = 2
	msCHAPChallenge radius.Type = 11
	msCHAP2Response radius.Type = 25
)

// replyMessage is what is meant for the user (RFC 2865 section 5.18).
var replyMessage = radius.AttributeType{Type: rfc2865.ReplyMessage_Type}

// neverPassedThrough reports whether an attribute belongs to the exchange with
// the server alone.
func neverPassedThrough(k radius.AttributeType) bool {
	switch k {
	case radius.AttributeType{Type: rfc2865.State_Type}, radius.AttributeType{Type: rfc2865.ProxyState_Type},
		radius.AttributeType{Type: rfc2869.MessageAuthenticator_Type}, radius.AttributeType{Type: rfc2869.EAPMessage_Type}:
		return true
	}
	return false
}

// neverSentOn reports whether an attribute of the NAS's request belongs to that
// request alone, or is set by this package.
func neverSentOn(k radius.AttributeType) bool {
	switch k {
	case radius.AttributeType{Type: rfc2865.UserName_Type}, radius.AttributeType{Type: rfc2865.UserPassword_Type}, radius.AttributeType{Type: rfc2869.EAPMessage_Type}:
		return true
	}
	return neverPassedThrough(k) || ofCHAP(k) || requestOfMSCHAP(k)
}

// ofCHAP reports whether CHAP needs the attribute.
func ofCHAP(k radius.AttributeType) bool {
	return k == radius.AttributeType{Type: rfc2865.CHAPPassword_Type} || k == radius.AttributeType{Type: rfc2865.CHAPChallenge_Type}
}

// requestOfMSCHAP reports whether an MS-CHAP login, or a change of password by
// it, needs the attribute in the request.
func requestOfMSCHAP(k radius.AttributeType) bool {
	if k.Vendor != vendorMicrosoft {
		return false
	}
	switch k.Type {
	case msCHAPResponse, msCHAPChallenge, msCHAP2Response,
		3, 4, 5, 6, 27: // MS-CHAP-CPW-1 and -2, -LM-Enc-PW, -NT-Enc-PW, MS-CHAP2-CPW
		return true
	}
	return false
}

// replyOfMSCHAP is the same for replies.
func replyOfMSCHAP(k radius.AttributeType) bool {
	if k.Vendor != vendorMicrosoft {
		return false
	}
	switch k.Type {
	case msCHAPError,
		10, 26, // MS-CHAP-Domain, MS-CHAP2-Success
		7, 8, 12, 16, 17: // MS-MPPE-Encryption-Policy and -Types, the keys
		return true
	}
	return false
}

// filter returns the attributes that keep says yes to, in order. A
// Vendor-Specific is kept for its own sake, or with those within that keep says
// yes to. Attributes without a value, which RFC 2865 section 5 forbids, are not.
func filter(attributes radius.Attributes, keep func(radius.AttributeType) bool) radius.Attributes {
	var out radius.Attributes
	for _, a := range attributes {
		if len(a.Attribute) == 0 {
			continue
		}
		if keep(radius.AttributeType{Type: a.Type}) {
			out = append(out, &radius.AVP{Type: a.Type, Attribute: a.Attribute})
			continue
		}
		if a.Type != rfc2865.VendorSpecific_Type {
			continue
		}
		vendor, inner, ok := radius.ParseVendorSpecific(a.Attribute)
		if !ok {
			continue
		}
		var kept []radius.AVP
		for _, in := range inner {
			if keep(radius.AttributeType{Vendor: vendor, Type: in.Type}) {
				kept = append(kept, in)
			}
		}
		// There is room for them, since there was room for all.
		if value, err := radius.NewVendorSpecific(vendor, kept...); err == nil && len(kept) > 0 {
			out.Add(a.Type, value)
		}
	}
	return out
}
