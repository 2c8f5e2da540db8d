package config

import (
	"errors"
	"net"
	"net/netip"
	"strings"
)

// parsePrefixes reads an address, a network with a length or a mask, or a range,
// which takes several prefixes.
func parsePrefixes(s string) ([]netip.Prefix, error) {
	if first, last, found := strings.Cut(s, "-"); found {
		from, err1 := parseAddr(first)
		to, err2 := parseAddr(last)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return rangePrefixes(from, to)
	}
	if base, mask, found := strings.Cut(s, "/"); found && strings.ContainsRune(mask, '.') {
		return maskPrefix(base, mask)
	} else if found {
		prefix, err := parsePrefix(s)
		return []netip.Prefix{prefix}, err
	}
	addr, err := parseAddr(s)
	if err != nil {
		return nil, err
	}
	return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}, nil
}

// parsePrefix reads a network with a length. One of IPv4 in the form of IPv6
// counts as IPv4, as its addresses do.
func parsePrefix(s string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(s)
	if err != nil || !prefix.Addr().Is4In6() {
		return prefix.Masked(), err
	}
	const mapped = 96 // bits of ::ffff:0:0/96
	if prefix.Bits() < mapped {
		return netip.Prefix{}, errors.New("IPv4 and IPv6 at once")
	}
	return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped).Masked(), nil
}

// parseAddr reads an address without a zone, which prefixes cannot have.
func parseAddr(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(strings.TrimSpace(s))
	if err == nil && addr.Zone() != "" {
		err = errors.New("an address with a zone")
	}
	return addr.Unmap(), err
}

func maskPrefix(base, mask string) ([]netip.Prefix, error) {
	addr, err := parseAddr(base)
	if err != nil {
		return nil, err
	}
	four := net.ParseIP(mask).To4()
	ones, bits := net.IPMask(four).Size()
	if bits != 32 || !addr.Is4() {
		return nil, errors.New("no network mask")
	}
	return []netip.Prefix{netip.PrefixFrom(addr, ones).Masked()}, nil
}

// rangePrefixes returns the fewest prefixes that make up a range.
func rangePrefixes(from, to netip.Addr) ([]netip.Prefix, error) {
	if from.BitLen() != to.BitLen() || to.Less(from) {
		return nil, errors.New("no range")
	}
	var prefixes []netip.Prefix
	for {
		prefix := netip.PrefixFrom(from, from.BitLen())
		end := from
		for prefix.Bits() > 0 {
			wider := netip.PrefixFrom(from, prefix.Bits()-1)
			if wider.Masked().Addr() != from || to.Less(lastOf(wider)) {
				break
			}
			prefix, end = wider, lastOf(wider)
		}
		prefixes = append(prefixes, prefix)
		if end == to {
			return prefixes, nil
		}
		from = end.Next()
	}
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	addr, _ := netip.AddrFromSlice(bytes)
	return addr
}
