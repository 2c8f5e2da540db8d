package main

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	layeh "layeh.com/radius"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/radius"
)

// tap is the server's socket, and shows every datagram that passes.
type tap struct {
	net.PacketConn
	packets *packets
}

func (t *tap) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := t.PacketConn.ReadFrom(b)
	if err == nil {
		t.packets.add(b[:n], from, false)
	}
	return n, from, err
}

func (t *tap) WriteTo(b []byte, to net.Addr) (int, error) {
	t.packets.add(b, to, true)
	return t.PacketConn.WriteTo(b, to)
}

// packet is a datagram as the page shows it.
type packet struct {
	ID         int         `json:"id"` // the same for equal ones
	Time       time.Time   `json:"time"`
	Sent       bool        `json:"sent"` // by the server
	Peer       string      `json:"peer"`
	Code       string      `json:"code"`
	Identifier int         `json:"identifier"`
	Length     int         `json:"length"`
	Times      int         `json:"times"` // it was sent; more than once: retransmissions
	Attributes []attribute `json:"attributes"`
}

type attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// packets are those that passed.
type packets struct {
	show func(packet)

	mu   sync.Mutex
	last int
	seen map[fingerprint]*packet
}

// fingerprint tells datagrams apart, with which sender or receiver they have.
type fingerprint struct {
	peer netip.AddrPort
	sum  [md5.Size]byte
	sent bool
}

// maxSeen bounds what retransmissions are told by.
const maxSeen = 1000

func (p *packets) add(datagram []byte, peer net.Addr, sent bool) {
	addr, _ := netip.ParseAddrPort(peer.String())
	key := fingerprint{addr, md5.Sum(datagram), sent}
	p.mu.Lock()
	defer p.mu.Unlock()
	if again := p.seen[key]; again != nil {
		again.Times++
		p.show(*again)
		return
	}
	if p.seen == nil || len(p.seen) >= maxSeen {
		p.seen = make(map[fingerprint]*packet)
	}
	p.last++
	next := decode(datagram)
	next.ID, next.Time, next.Sent, next.Peer, next.Times = p.last, time.Now(), sent, addr.String(), 1
	p.seen[key] = next
	p.show(*next)
}

// decode reads a datagram. What is secret in it is starred or shortened.
func decode(datagram []byte) *packet {
	p := &packet{Code: "not RADIUS", Length: len(datagram)}
	parsed, err := layeh.Parse(datagram, nil)
	if err != nil {
		return p
	}
	p.Code, p.Identifier = parsed.Code.String(), int(parsed.Identifier)
	for _, a := range parsed.Attributes {
		vendor, inner, ok := radius.ParseVendorSpecific(a.Attribute)
		if a.Type != 26 || !ok {
			vendor, inner = 0, []radius.AVP{*a}
		}
		for _, in := range inner {
			t := radius.AttributeType{Vendor: vendor, Type: in.Type}
			p.Attributes = append(p.Attributes, attribute{t.String(), show(t, in.Attribute)})
		}
	}
	return p
}

// show returns a value as text, so far as it may be seen.
func show(t radius.AttributeType, value []byte) string {
	name := t.String()
	text := utf8.Valid(value) && !strings.ContainsFunc(string(value), func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r)
	})
	switch {
	case secretAttribute(name):
		return "********"
	case name == "State" && text:
		return string([]rune(string(value))[:min(4, utf8.RuneCount(value))]) + fmt.Sprintf("… (%d bytes)", len(value))
	case name == "State", name == "Message-Authenticator", name == "CHAP-Challenge":
		return hex.EncodeToString(value[:min(4, len(value))]) + fmt.Sprintf("… (%d bytes)", len(value))
	case len(value) == 4 && strings.HasSuffix(name, "-Address"):
		return netip.AddrFrom4([4]byte(value)).String()
	case text:
		return clean.Text(string(value))
	case len(value) == 4:
		return strconv.FormatUint(uint64(binary.BigEndian.Uint32(value)), 10)
	}
	return "0x" + hex.EncodeToString(value)
}

// secretAttribute reports whether an attribute holds a password or a key, even if
// it is encrypted: the shared secret of a demo is known.
func secretAttribute(name string) bool {
	for _, word := range []string{"Password", "Key", "CHAP-Response", "CHAP2-Response", "Secret"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
