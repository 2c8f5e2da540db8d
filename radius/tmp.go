package radius
func ReplyAttributes(code Code, attributes Attributes) Attributes { return attributes }
