package signal

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// NormalHost puts the host of a URL or of a Host header, with its port if it
// has one, into the form that proofs are bound to (PROTOCOL.md section 3). Two
// texts that lead to one host have one form:
//
//   - a name in ASCII, as IDNA and the URL standard say, in lower case and
//     without a dot at its end;
//   - an IPv6 address in brackets, as short as RFC 5952 makes it, without a zone,
//     which means something on one machine only;
//   - the port in decimal, left out if it is 80 or 443: a proxy that ends TLS
//     before a hub may or may not write it, and the hub cannot know the scheme.
//
// Text that is not a host is returned in lower case.
func NormalHost(host string) string {
	name, port := SplitHost(host)
	name = normalName(name)
	if port == "" || port == "80" || port == "443" {
		return name
	}
	return name + ":" + port
}

// SplitHost parts the port from a host, which may stand in brackets and keeps
// them. The port is in decimal without leading zeros, empty if there is none.
func SplitHost(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[:i], ':') >= 0 && !strings.HasSuffix(host[:i], "]") {
		return host, "" // or an IPv6 address without brackets
	}
	name, port = host[:i], host[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err == nil {
		port = strconv.FormatUint(n, 10)
	}
	return name, port
}

// hostNames is what browsers do to names: UTS 46, not transitional, with what no
// host name of the DNS may hold, such as an underscore.
var hostNames = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true),
	idna.CheckHyphens(false), idna.StrictDomainName(false))

func normalName(name string) string {
	bare := strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	bare, _, _ = strings.Cut(bare, "%")
	if ip, err := netip.ParseAddr(bare); err == nil && ip.Is6() {
		return "[" + shortestIPv6(ip) + "]"
	}
	ascii, err := hostNames.ToASCII(name)
	if err != nil {
		ascii = strings.ToLower(name)
	}
	return strings.TrimSuffix(ascii, ".")
}

// shortestIPv6 is an IPv6 address as browsers write it, also one that maps IPv4.
func shortestIPv6(ip netip.Addr) string {
	if !ip.Is4In6() {
		return ip.String()
	}
	b := ip.As16()
	return fmt.Sprintf("::ffff:%x:%x", int(b[12])<<8|int(b[13]), int(b[14])<<8|int(b[15]))
}
