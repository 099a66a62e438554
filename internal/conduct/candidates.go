package conduct

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"noom/internal/engine"
	"noom/internal/fault"
)

// How many candidates of a peer are taken. They are bounded because we send
// packets to where they point. An honest peer has about ten; with VPNs,
// containers and relays, a few more.
const (
	maxTaken = 40 // different addresses or ports, in one generation
	MaxOneIP = 12 // of them with the same IP address
	maxNames = 8  // of them with a name
)

var errCandidate = errors.New("candidate not taken")

// Networks is what judging candidates needs to know about our own network.
type Networks struct {
	Loopback   bool // we gather candidates on the loopback interface, or a server of ours is there
	broadcasts []netip.Addr
}

// NetworksOf returns the Networks of an engine.
func NetworksOf(e *engine.Engine) Networks {
	own := Networks{Loopback: e.Loopback()}
	if !e.OwnNet() {
		own.broadcasts = broadcastAddresses()
	}
	return own
}

// Candidates has the candidates taken in one generation. It is pure.
type Candidates struct {
	taken map[string]bool // transport, address and port
	ips   map[netip.Addr]int
	names int
}

// Take judges one candidate attribute (RFC 8839 section 5.1), with or without
// "candidate:" in front. Before the first use of a name it calls lookup, which
// reports whether the name may be resolved.
func (r *Candidates) Take(text string, own Networks, lookup func() bool) error {
	f := strings.Fields(strings.TrimPrefix(strings.TrimPrefix(text, "a="), "candidate:"))
	if len(f) < 8 || f[6] != "typ" {
		return fmt.Errorf("%w: it is not a candidate", errCandidate)
	}
	protocol, address := strings.ToLower(f[2]), f[4]
	port, err := strconv.ParseUint(f[5], 10, 16)
	if err != nil {
		return fmt.Errorf("%w: port %q", errCandidate, f[5])
	}
	active := protocol == "tcp" && !strings.Contains(text, "tcptype passive") && !strings.Contains(text, "tcptype so")
	switch {
	case protocol != "udp" && protocol != "tcp":
		return fmt.Errorf("%w: over %q", errCandidate, protocol)
	case active: // the peer connects to us, and we never connect to it; pion connects only where the user asked for TCP
	case !PeerPort(port):
		return fmt.Errorf("%w: port %d belongs to a service", errCandidate, port)
	}
	ip, err := netip.ParseAddr(address)
	ip = ip.Unmap()
	named := err != nil
	switch {
	case named && !multicastName(address):
		return fmt.Errorf("%w: its name would have to be looked up", errCandidate)
	case !named && (!peerAddress(ip, own.Loopback) || slices.Contains(own.broadcasts, ip)):
		return fmt.Errorf("%w: no peer can have this address", errCandidate)
	}
	key := protocol + " " + strings.ToLower(address) + " " + f[5]
	if r.taken[key] {
		return nil // each description repeats it
	}
	switch {
	case len(r.taken) >= maxTaken, r.ips[ip] >= MaxOneIP && !named:
		return fmt.Errorf("%w: too many", errCandidate)
	case named && (r.names >= maxNames || !lookup()):
		return fmt.Errorf("%w: too many names", errCandidate)
	}
	if r.taken == nil {
		r.taken, r.ips = make(map[string]bool), make(map[netip.Addr]int)
	}
	r.taken[key] = true
	if named {
		r.names++
	} else {
		r.ips[ip]++
	}
	return nil
}

// multicastName reports whether a name is resolved within our own network only
// (RFC 8828, draft-ietf-mmusic-mdns-ice-candidates): one label below .local.
func multicastName(name string) bool {
	label, ok := strings.CutSuffix(strings.ToLower(name), ".local")
	return ok && label != "" && len(label) <= 63 && !strings.Contains(label, ".")
}

// PeerPort reports whether a peer can have the port. Ports below 1024 belong to
// services, and some services at higher ports answer with more than they get.
func PeerPort(port uint64) bool {
	switch port {
	case 80, 443: // used where firewalls let nothing else through
		return true
	case 1434, 1900, 3702, 5060, 5353, 5355, 11211: // SQL Server, SSDP, WS-Discovery, SIP, mDNS, LLMNR, memcached
		return false
	}
	return port >= 1024
}

// peerAddress reports whether a peer can have the address. A loopback address is
// accepted only if we gather there too, as tests do.
func peerAddress(ip netip.Addr, loopback bool) bool {
	switch {
	case ip.IsLoopback():
		return loopback
	case ip.IsUnspecified(), ip.IsMulticast(), ip.IsInterfaceLocalMulticast():
		return false
	case ip.Is4():
		b := ip.As4()
		// Not 240/4, which has the broadcast address; not link-local, where clouds keep secrets.
		return b[0] != 0 && b[0] < 240 && (b[0] != 169 || b[1] != 254)
	}
	return true
}

// FilterCandidates returns a description without the candidates that take
// refuses, and the number of those.
func FilterCandidates(text string, take func(string) error) (string, int, error) {
	if !strings.Contains(text, "candidate:") {
		return text, 0, nil
	}
	var s sdp.SessionDescription // pion reads it in the same way
	if err := s.UnmarshalString(text); err != nil {
		return "", 0, fmt.Errorf("%w: %w", fault.Description, err)
	}
	left := 0
	refused := func(a sdp.Attribute) bool {
		if a.Key != sdp.AttrKeyCandidate || take(a.Value) == nil {
			return false
		}
		left++
		return true
	}
	s.Attributes = slices.DeleteFunc(s.Attributes, refused)
	for _, m := range s.MediaDescriptions {
		m.Attributes = slices.DeleteFunc(m.Attributes, refused)
	}
	if left == 0 {
		return text, 0, nil
	}
	b, err := s.Marshal()
	return string(b), left, err
}

// broadcastAddresses returns the broadcast addresses of this machine's networks,
// to which Go's sockets may send.
func broadcastAddresses() (all []netip.Addr) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			if ip, mask := n.IP.To4(), n.Mask; ip != nil && len(mask) == 4 && mask[3] < 254 {
				all = append(all, netip.AddrFrom4([4]byte{
					ip[0] | ^mask[0], ip[1] | ^mask[1], ip[2] | ^mask[2], ip[3] | ^mask[3],
				}))
			}
		}
	}
	return all
}
