package radiusauth

import (
	"fmt"
	"strconv"
	"strings"

	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/radius"
)

// maxAttribute is what an attribute has room for (RFC 2865 section 5).
const maxAttribute = 253

// The kinds of RFC 2548 section 2.1 to 2.4, which MS-CHAP needs.
const (
	msCHAPResponse  radius.Type = 1
	msCHAPError     radius.Type = 2
	msCHAPChallenge radius.Type = 11
	msCHAP2Response radius.Type = 25
)

// replyMessage is what is meant for the user (RFC 2865 section 5.18).
var replyMessage = Kind{Type: rfc2865.ReplyMessage_Type}

// Kind is a kind of attribute. ParseKind makes one of a name.
type Kind struct {
	// Vendor is the vendor's SMI number (RFC 2865 section 5.26). Zero: none.
	Vendor uint32

	// Type is the attribute's type, or the vendor's own. Type 26 without a Vendor
	// stands for all attributes of all vendors.
	Type radius.Type
}

// ParseKind returns the kind with a name such as "Filter-Id" or "Cisco-AVPair",
// in capitals or not. It knows the names of RFC 2865, 2868, 2869, 3162, 4372 and
// 6911, and some of VPN and firewall vendors; all others go by number: "11", or
// "26.9.1" for Cisco's first.
func ParseKind(name string) (Kind, error) {
	name = strings.TrimSpace(name)
	for _, known := range names {
		if strings.EqualFold(known.name, name) {
			return known.kind, nil
		}
	}
	k, err := parseNumbers(name)
	if err != nil {
		return Kind{}, fmt.Errorf("radiusauth: attribute %q is not known by name: "+
			"give its number, or 26.vendor.number for a vendor's", name)
	}
	return k, nil
}

func parseNumbers(s string) (Kind, error) {
	vendor, number := uint64(0), s
	if rest, ok := strings.CutPrefix(s, "26."); ok {
		text, n, _ := strings.Cut(rest, ".")
		v, err := strconv.ParseUint(text, 10, 32)
		if err != nil || v == 0 {
			return Kind{}, strconv.ErrSyntax
		}
		vendor, number = v, n
	}
	t, err := strconv.ParseUint(number, 10, 8)
	if err != nil || t == 0 {
		return Kind{}, strconv.ErrSyntax
	}
	return Kind{Vendor: uint32(vendor), Type: radius.Type(t)}, nil
}

// String returns the name, or the numbers where ParseKind knows no name.
func (k Kind) String() string {
	for _, known := range names {
		if known.kind == k {
			return known.name
		}
	}
	if k.Vendor != 0 {
		return fmt.Sprintf("26.%d.%d", k.Vendor, k.Type)
	}
	return strconv.Itoa(int(k.Type))
}

// neverPassedThrough reports whether an attribute belongs to the exchange with
// the server alone.
func neverPassedThrough(k Kind) bool {
	switch k {
	case Kind{Type: rfc2865.State_Type}, Kind{Type: rfc2865.ProxyState_Type},
		Kind{Type: rfc2869.MessageAuthenticator_Type}:
		return true
	}
	return false
}

// neverSentOn reports whether an attribute of the NAS's request belongs to that
// request alone, or is set by this package.
func neverSentOn(k Kind) bool {
	switch k {
	case Kind{Type: rfc2865.UserName_Type}, Kind{Type: rfc2865.UserPassword_Type}, Kind{Type: rfc2869.EAPMessage_Type}:
		return true
	}
	return neverPassedThrough(k) || ofCHAP(k) || requestOfMSCHAP(k)
}

// ofCHAP reports whether CHAP needs the attribute.
func ofCHAP(k Kind) bool {
	return k == Kind{Type: rfc2865.CHAPPassword_Type} || k == Kind{Type: rfc2865.CHAPChallenge_Type}
}

// requestOfMSCHAP reports whether an MS-CHAP login, or a change of password by
// it, needs the attribute in the request.
func requestOfMSCHAP(k Kind) bool {
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
func replyOfMSCHAP(k Kind) bool {
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
func filter(attributes radius.Attributes, keep func(Kind) bool) radius.Attributes {
	var out radius.Attributes
	for _, a := range attributes {
		if len(a.Attribute) == 0 {
			continue
		}
		if keep(Kind{Type: a.Type}) {
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
			if keep(Kind{Vendor: vendor, Type: in.Type}) {
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
