package entrance

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"noom/signal"
)

// This file holds the names of a server. A request names its host, and its sender can write any
// name: a hub that passes on another's challenge, so that its members' proofs are used here, and a
// page whose own name was pointed at this machine (DNS rebinding). So a server must know its names.

// OwnAddress stands in a list of hosts for the IP address, with the port, that a
// connection has come in on.
const OwnAddress = "own address"

// Misdirected says what is wrong with a request that is not for us, in words for the operator.
func Misdirected(r *http.Request) string {
	host := r.Host
	if len(host) > 300 { // no name is longer than 253
		host = host[:300] + "…"
	}
	return "this server does not know that it is called " + strings.ToValidUTF8(signal.Printable(host), "?") +
		"; configure all its names: Hosts in ws.AcceptOptions, -hosts of noom serve"
}

// IsForHosts reports whether a request is for one of hosts; without any it is.
func IsForHosts(r *http.Request, hosts []string) bool {
	if len(hosts) == 0 {
		return true
	}
	name, port := signal.SplitHost(signal.NormalHost(r.Host))
	local := localAddress(r)
	for _, host := range hosts {
		if host == "*" {
			return true
		}
		own := false
		ownName, ownPort := "", ""
		if host == OwnAddress {
			ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
			own = err == nil && local.IsValid() && ip.Unmap() == local.Addr()
		} else {
			ownName, ownPort = signal.SplitHost(signal.NormalHost(host))
			own = name != "" && (name == ownName || fitsWildcard(name, ownName))
		}
		if own && (port == ownPort || port == "" || ownPort == "" && port == portOf(local)) {
			return true
		}
	}
	return false
}

// fitsWildcard reports whether a name is one label before what stands behind the
// asterisk, as in certificates (RFC 6125 section 6.4.3).
func fitsWildcard(name, pattern string) bool {
	rest, wild := strings.CutPrefix(pattern, "*")
	label, behind, _ := strings.Cut(name, ".")
	return wild && label != "" && len(rest) > 1 && rest == "."+behind
}

// localAddress is where a request has come in, invalid if that is not TCP.
func localAddress(r *http.Request) netip.AddrPort {
	a, is := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !is {
		return netip.AddrPort{}
	}
	at := a.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
}

func portOf(a netip.AddrPort) string {
	_, port := signal.SplitHost(a.String())
	return port
}
