package duo
func (e *Error) Unavailable() bool { return IsUnavailable(e) }
func (c *Client) Product() string { return "Duo" }
