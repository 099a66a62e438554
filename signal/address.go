package signal

import "net/netip"

// Neighbourhood is what counts as one address where connections are counted by
// it: an IPv4 address, however it is written, or the /64 of an IPv6 one, of which
// a single host can use all. It is invalid if the address is.
func Neighbourhood(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
