package radius

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// MaxAttribute is how many bytes the value of an attribute can have (RFC 2865
// section 5).
const MaxAttribute = 253

// AttributeType is the type of an attribute, a vendor's or not.
type AttributeType struct {
	// Vendor is the vendor's SMI number (RFC 2865 section 5.26). Zero: none.
	Vendor uint32

	// Type is the attribute's type, or the vendor's own. Type 26 without a Vendor
	// is Vendor-Specific as a whole.
	Type Type
}

//go:embed dictionary.txt
var dictionaryText string

// dictionary is the parsed list of names, by either side.
type dictionary struct {
	types map[string]AttributeType // by the name in lower case
	names map[AttributeType]string
}

var readDictionary = sync.OnceValue(func() *dictionary {
	d := &dictionary{types: make(map[string]AttributeType), names: make(map[AttributeType]string)}
	vendor := uint32(0)
	for line := range strings.Lines(dictionaryText) {
		name, number, ok := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(number, 10, 32)
		switch {
		case !ok || name == "#" || err != nil:
		case name == "vendor":
			vendor = uint32(n)
		default:
			t := AttributeType{vendor, Type(n)}
			d.types[strings.ToLower(name)] = t
			if d.names[t] == "" {
				d.names[t] = name
			}
		}
	}
	return d
})

// ParseAttributeType returns the type with a name such as "Filter-Id" or
// "Cisco-AVPair", in any case of letters. It knows the names of the RFCs and of
// FreeRADIUS's dictionaries of vendors. All others go by number: "11", or for
// Cisco's first "26.9.1" or "9:1".
func ParseAttributeType(name string) (AttributeType, error) {
	name = strings.TrimSpace(name)
	if t, ok := readDictionary().types[strings.ToLower(name)]; ok {
		return t, nil
	}
	if t, ok := parseNumbers(name); ok {
		return t, nil
	}
	return AttributeType{}, fmt.Errorf("radius: attribute %q is not known by name: "+
		"give its number, or vendor:number for a vendor's, such as 3076:85", name)
}

func parseNumbers(s string) (AttributeType, bool) {
	vendor, number, ok := strings.Cut(s, ":")
	if !ok {
		rest, cut := strings.CutPrefix(s, "26.")
		if vendor, number, ok = strings.Cut(rest, "."); !cut {
			ok = false
		}
		if cut && !ok {
			return AttributeType{}, false
		}
	}
	t := AttributeType{}
	if ok {
		v, err := strconv.ParseUint(vendor, 10, 32)
		if err != nil || v == 0 {
			return t, false
		}
		t.Vendor = uint32(v)
	} else {
		number = s
	}
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || n == 0 {
		return t, false
	}
	t.Type = Type(n)
	return t, true
}

// String returns the name, or the numbers where ParseAttributeType knows no name.
func (t AttributeType) String() string {
	if name := readDictionary().names[t]; name != "" {
		return name
	}
	if t.Vendor != 0 {
		return fmt.Sprintf("26.%d.%d", t.Vendor, t.Type)
	}
	return strconv.Itoa(int(t.Type))
}

// Lookup returns the first attribute of the type, out of whichever
// Vendor-Specific holds it, and whether there is one. The octet with the tag of
// a tunnel (RFC 2868 section 3.1) is left out. The value shares its bytes.
func (t AttributeType) Lookup(attributes Attributes) (Attribute, bool) {
	if t.Vendor == 0 {
		value, ok := attributes.Lookup(t.Type)
		if ok && tagged(t.Type) && len(value) > 0 && value[0] <= maxTag {
			value = value[1:]
		}
		return value, ok
	}
	for _, a := range attributes {
		if a.Type != typeVendorSpecific {
			continue
		}
		vendor, inner, ok := ParseVendorSpecific(a.Attribute)
		if !ok || vendor != t.Vendor {
			continue
		}
		for _, in := range inner {
			if in.Type == t.Type {
				return in.Attribute, true
			}
		}
	}
	return nil, false
}

// maxTag is the largest first octet that is a tag and not a character.
const maxTag = 0x1f

// tagged reports whether values of the type may begin with a tag (RFC 2868).
func tagged(t Type) bool {
	switch t {
	case 64, 65, 66, 67, typeTunnelPassword, 81, 82, 83, 90, 91:
		return true
	}
	return false
}
