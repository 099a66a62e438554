package noomtest

import (
	"net"
	"net/netip"
)

// Packet is a UDP packet as a host sends it.
type Packet struct {
	Host     string         // the host's name
	From, To netip.AddrPort // From is what the host itself takes for its address, also behind a NAT
	Payload  []byte         // not to be kept, nor changed
}

// Filter loses the packets of which keep reports false, as a firewall does that lets STUN through
// and nothing else. keep is called for every packet, one at a time, also for one to an address that
// no host has; it must not wait, nor call the world. A second Filter takes the place of the first,
// and nil ends it.
func (w *World) Filter(keep func(p Packet) bool) {
	w.t.Helper()
	w.alive("Filter")
	w.note("Filter: %v", keep != nil)
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	w.net.filter = keep
}

// addrPort returns a UDP address, the zero one for any other.
func addrPort(a net.Addr) netip.AddrPort {
	u, ok := a.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(u.AddrPort().Addr().Unmap(), uint16(u.Port))
}
