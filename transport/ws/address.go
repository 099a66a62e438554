package ws

import (
	"net/http"
	"net/netip"
)

// Address returns where the other end connects from; see [signal.Address].
func (l *link) Address() netip.Addr { return l.address }

// clientAddress is where a request comes from.
func clientAddress(r *http.Request, o *AcceptOptions) netip.Addr {
	if o != nil && o.ClientAddress != nil {
		return o.ClientAddress(r)
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a server on something else than TCP
	}
	return from.Addr()
}
