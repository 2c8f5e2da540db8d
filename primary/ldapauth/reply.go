package ldapauth

import (
	"errors"
	"fmt"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// maxAttribute is what a RADIUS attribute can hold (RFC 2865 section 5).
const maxAttribute = 253

// reply is a configured ReplyAttribute.
type reply struct {
	ReplyAttribute
	group group
}

func (d *directory) setReply() error {
	for i, r := range d.Reply {
		out := reply{ReplyAttribute: r}
		switch {
		case r.Type < 1 || r.Type > 255:
			return primary.FieldErrorf("field {Reply}[%d].Type is %d, want 1 to 255", i, r.Type)
		case (r.Attribute == "") == (r.Value == ""):
			return primary.FieldErrorf("field {Reply}[%d] needs one of Attribute and Value", i)
		case r.Attribute != "" && !isAttribute(r.Attribute):
			return primary.FieldErrorf("field {Reply}[%d].Attribute %q is no attribute name", i, r.Attribute)
		}
		if r.Group != "" {
			parsed, err := groups(fmt.Sprintf("Reply[%d].Group", i), []string{r.Group})
			if err != nil {
				return err
			}
			out.group = parsed[0]
		}
		d.reply = append(d.reply, out)
	}
	return nil
}

// replyAttributes makes the attributes of the user's Access-Accept.
func (m *membership) replyAttributes() (radius.Attributes, error) {
	var attrs radius.Attributes
	for _, r := range m.dir.reply {
		if r.Group != "" {
			in, err := m.in(r.group)
			if err != nil {
				return nil, err
			}
			if !in {
				continue
			}
		}
		values := []string{r.Value}
		if r.Attribute != "" {
			values = m.entry.GetEqualFoldAttributeValues(r.Attribute)
		}
		for _, v := range values {
			encoded, err := r.encode(v)
			if err != nil {
				return nil, rejectf("%q: %s cannot be sent as attribute %d: %v",
					m.entry.DN, r.source(), r.Type, err)
			}
			attrs.Add(r.Type, encoded)
		}
	}
	return attrs, nil
}

func (r *reply) encode(value string) (radius.Attribute, error) {
	encoded := radius.Attribute(value)
	if r.Encode != nil {
		var err error
		if encoded, err = r.Encode(value); err != nil {
			return nil, err
		}
	}
	if len(encoded) == 0 || len(encoded) > maxAttribute {
		return nil, errors.New("it must have 1 to 253 octets")
	}
	return encoded, nil
}

// source names where the value comes from.
func (r *reply) source() string {
	if r.Attribute != "" {
		return "the value of " + r.Attribute
	}
	return "its Value"
}
