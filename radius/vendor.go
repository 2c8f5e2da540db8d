package radius

import (
	"encoding/binary"
	"fmt"
)

// ParseVendorSpecific returns the vendor's SMI number and its attributes from
// the value of a Vendor-Specific. It reports false when the value has not the
// form that RFC 2865 section 5.26 recommends. The attributes share its bytes.
func ParseVendorSpecific(value Attribute) (vendor uint32, attributes []AVP, ok bool) {
	if len(value) < 4+2 {
		return 0, nil, false
	}
	vendor = binary.BigEndian.Uint32(value)
	for rest := value[4:]; len(rest) > 0; {
		if len(rest) < 2 || rest[1] < 2 || int(rest[1]) > len(rest) {
			return 0, nil, false
		}
		size := int(rest[1])
		attributes = append(attributes, AVP{Type: Type(rest[0]), Attribute: rest[2:size:size]})
		rest = rest[size:]
	}
	return vendor, attributes, true
}

// NewVendorSpecific is the reverse of ParseVendorSpecific. It is an error when
// the value would have more than the 253 bytes of an attribute.
func NewVendorSpecific(vendor uint32, attributes ...AVP) (Attribute, error) {
	value := binary.BigEndian.AppendUint32(nil, vendor)
	for _, a := range attributes {
		if a.Type < 0 || a.Type > 255 || len(value)+2+len(a.Attribute) > 253 {
			return nil, fmt.Errorf("radius: attribute %d of vendor %d, of %d bytes, has no room in a Vendor-Specific",
				a.Type, vendor, len(a.Attribute))
		}
		value = append(value, byte(a.Type), byte(2+len(a.Attribute)))
		value = append(value, a.Attribute...)
	}
	return value, nil
}
