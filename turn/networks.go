package turn

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"
)

// This file is which addresses a TURN server may be used to reach: those on the
// Internet, but none of this machine's own.

// notPublic are the networks that are not on the Internet (IANA's registries of special-purpose
// addresses) or would smuggle an IPv4 address through, in addition to those that netip knows.
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

// global is what the IANA has given out of IPv6 at all: outside are the addresses
// that embed others, such as ::a.b.c.d, ::ffff:0:a.b.c.d and 64:ff9b::a.b.c.d.
var global = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !global.Contains(a) || viaISATAP(a) {
		return false // which leaves loopback, link-local and multicast
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// viaISATAP reports whether an address leads to an IPv4 address of the site (RFC
// 5214 section 6.1).
func viaISATAP(a netip.Addr) bool {
	b := a.As16()
	return a.Is6() && b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe
}

// ownAddresses are those of this machine, and those by which its networks address
// it with others: the broadcast addresses. They may change at any time. With them go its networks of
// IPv6: what an IPv4 network hides behind private addresses has public ones there.
type ownAddresses struct {
	list func() ([]net.Addr, error) // the interfaces'; net.InterfaceAddrs
	last atomic.Pointer[ownSnapshot]
}

type ownSnapshot struct {
	at  time.Time
	own map[netip.Addr]bool
	six []netip.Prefix
}

// ownFresh is for how long they are believed.
const ownFresh = 5 * time.Second

// refresh looks again if it is time.
func (o *ownAddresses) refresh(now time.Time) {
	if last := o.last.Load(); last != nil && now.Sub(last.at) < ownFresh {
		return
	}
	s := &ownSnapshot{at: now, own: make(map[netip.Addr]bool)}
	addrs, err := o.list()
	if err != nil && o.last.Load() != nil {
		return // the old ones are better than none
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		p = netip.PrefixFrom(p.Addr().Unmap().WithZone(""), p.Bits())
		s.own[p.Addr()] = true
		if p.Addr().Is4() && p.Bits() < 31 {
			s.own[p.Masked().Addr()] = true // an old form of the broadcast address
			s.own[lastOf(p)] = true
		}
		if p.Addr().Is6() {
			s.six = append(s.six, p.Masked())
		}
	}
	o.last.Store(s)
}

// has reports whether an address is among them, as of the last refresh.
func (o *ownAddresses) has(a netip.Addr) bool {
	last := o.last.Load()
	return last != nil && (last.own[a] || slices.ContainsFunc(last.six, func(p netip.Prefix) bool { return p.Contains(a) }))
}

// lastOf is the last address of an IPv4 network.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As4()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return netip.AddrFrom4(b)
}
