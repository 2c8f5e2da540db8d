package main

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/radius"
)

// wire prints packets, with their secrets starred.
type wire struct {
	out  io.Writer
	conn *wireConn // of the last exchange
}

// dial opens connections whose packets are printed.
func (w *wire) dial(secret radius.Secret) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		w.conn = &wireConn{Conn: conn, wire: w, secret: secret}
		return w.conn, nil
	}
}

// wireConn is the socket of one exchange, which one goroutine uses.
type wireConn struct {
	net.Conn
	wire     *wire
	secret   radius.Secret
	sent     int // how often
	begun    time.Time
	received int // how many packets
	length   int // of the last
}

// Write prints what is sent.
func (c *wireConn) Write(b []byte) (int, error) {
	if c.sent++; c.sent == 1 {
		c.begun = time.Now()
		if p, err := layeh.Parse(b, []byte(c.secret)); err == nil {
			c.wire.packet(">", p, fmt.Sprintf("%d bytes from %s to %s", len(b), c.LocalAddr(), c.RemoteAddr()))
		}
	} else {
		_, _ = fmt.Fprintf(c.wire.out, "> the same again after %s\n", time.Since(c.begun).Round(time.Second))
	}
	return c.Conn.Write(b)
}

func (c *wireConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil {
		c.received, c.length = c.received+1, n
	}
	return n, err
}

// verified prints a reply that the Exchanger has taken.
func (w *wire) verified(p *radius.Packet, after time.Duration) {
	note := fmt.Sprintf("%d bytes after %s, Response Authenticator verified", w.conn.length, after.Round(time.Millisecond))
	if others := w.conn.received - 1; others > 0 {
		note += fmt.Sprintf("; %d others before it were not, and were ignored", others)
	}
	w.packet("<", p, note)
}

func (w *wire) packet(arrow string, p *radius.Packet, note string) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s, Identifier %d, %s\n", arrow, p.Code, p.Identifier, note)
	for _, a := range p.Attributes {
		for _, line := range attributeLines(p.Code, a) {
			fmt.Fprintf(&b, "%s     %s\n", arrow, line)
		}
	}
	_, _ = io.WriteString(w.out, b.String())
}

// attributeLines shows an attribute; a vendor's may have several inside.
func attributeLines(code radius.Code, a *radius.AVP) (lines []string) {
	if a.Type == rfc2865.VendorSpecific_Type {
		if vendor, inner, ok := radius.ParseVendorSpecific(a.Attribute); ok {
			for _, v := range inner {
				lines = append(lines, attributeLine(radius.AttributeType{Vendor: vendor, Type: v.Type}, v.Attribute))
			}
			return lines
		}
	}
	if a.Type == rfc2869.MessageAuthenticator_Type {
		if code == radius.CodeAccessRequest {
			return []string{"Message-Authenticator: signed"}
		}
		return []string{"Message-Authenticator: verified"}
	}
	return []string{attributeLine(radius.AttributeType{Type: a.Type}, a.Attribute)}
}

// secretName and secretText are what attributes are starred for.
var (
	secretName = regexp.MustCompile(`(?i)password|passwd|secret|key|chap|psk|^State$`)
	secretText = regexp.MustCompile(`(?i)(password|passwd|secret|key|psk)[^=]*=`)
)

func attributeLine(t radius.AttributeType, value []byte) string {
	name := t.String()
	if secretName.MatchString(name) || secretText.Match(value) {
		return fmt.Sprintf("%s: ******** (%d bytes)", name, len(value))
	}
	return name + ": " + attributeValue(name, value)
}

// attributeValue guesses the form of a value, since dictionaries here have only
// names: an address, a text, a number, or octets.
func attributeValue(name string, value []byte) string {
	addr, isAddr := netip.AddrFromSlice(value)
	printable := utf8.Valid(value) && !strings.ContainsFunc(string(value), func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\r' && r != '\t'
	})
	switch {
	case isAddr && (strings.Contains(name, "Address") || strings.Contains(name, "-IP")):
		return addr.String()
	case printable:
		return fmt.Sprintf("%q", value)
	case len(value) == 4:
		return fmt.Sprint(new(big.Int).SetBytes(value))
	default:
		return fmt.Sprintf("0x%x", value)
	}
}
