package conduct

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pion/transport/v5"
	"golang.org/x/time/rate"
)

// This file paces connectivity checks (RFC 8445 section 14). pion sends one on every
// pair five times a second, and the member that sends us candidates chooses the
// addresses. So a member could turn a few frames into a flood at somebody else.
//
// Only checks to addresses that have answered none are paced. An answer counts if it has
// the transaction id of a check of ours, which nobody else can know.

// Bounds of checks to addresses that have answered none.
const (
	CheckRate  = 20 // a second, to all addresses that one member names: Ta is 50 ms
	CheckBurst = 40
	checkEvery = 180 * time.Millisecond // on one pair at most, if there are few; pion's interval is 200 ms

	// For all members of a process, to one IP address that has answered nobody.
	strangerRate  = 100
	strangerBurst = 200
	maxStrangers  = 4096
	familiarFor   = 10 * time.Minute // after an answer

	maxCheckPairs  = 1024            // remembered for one connection
	pairGone       = 2 * time.Second // ICE has given up a pair that it has not checked for so long
	maxOutstanding = 256             // checks that may still be answered
)

// From RFC 8489 section 5: message types, and the length of the header.
const (
	bindingRequest = 0x0001
	bindingSuccess = 0x0101
	stunHeader     = 20

	firstDTLS = 20 // DTLS, RTP and RTCP begin with this or more (RFC 7983 section 7)
)

type transaction [12]byte

// stunType returns the type and the transaction of a STUN message; ok is false for
// anything else.
func stunType(p []byte) (kind uint16, id transaction, ok bool) {
	if len(p) < stunHeader || p[0] > 3 || p[4] != 0x21 || p[5] != 0x12 || p[6] != 0xa4 || p[7] != 0x42 {
		return 0, id, false
	}
	return uint16(p[0])<<8 | uint16(p[1]), transaction(p[8:stunHeader]), true
}

// checkPair is a socket of ours and an address.
type checkPair struct {
	socket any
	to     netip.AddrPort
}

// Pacer paces the checks of one connection. It is pure except for its lock; time is passed in.
type Pacer struct {
	bucket    *rate.Limiter // the member's
	strangers *strangers    // the process's

	mu          sync.Mutex
	pairs       map[checkPair]turns // those that have not been answered
	swept       time.Time           // when pairs that are gone were last forgotten
	answered    map[netip.AddrPort]bool
	outstanding []outstandingCheck // a ring
	next        int
}

// turns are the times of a pair's latest checks.
type turns struct {
	sent   time.Time // zero: the next goes at once
	wanted time.Time // when ICE last asked for one
}

type outstandingCheck struct {
	id transaction
	to netip.AddrPort
}

// NewPacer returns a Pacer that takes from a member's bucket and counts in s.
func NewPacer(bucket *rate.Limiter, s *strangers) *Pacer {
	return &Pacer{
		bucket: bucket, strangers: s,
		pairs: make(map[checkPair]turns), answered: make(map[netip.AddrPort]bool),
	}
}

// NewLonePacer returns a Pacer for a connection whose member is not known when it is made.
func NewLonePacer(s *strangers) *Pacer { return NewPacer(rate.NewLimiter(CheckRate, CheckBurst), s) }

// out reports whether a packet may be sent from socket. If not, it counts as lost:
// ICE sends another check later.
func (p *Pacer) out(now time.Time, socket any, to netip.AddrPort, packet []byte) bool {
	if len(packet) == 0 || packet[0] != bindingRequest>>8 {
		return true
	}
	kind, id, ok := stunType(packet)
	if !ok || kind != bindingRequest {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered[to] {
		return true
	}
	p.sweep(now)
	pair := checkPair{socket, to}
	turn, known := p.pairs[pair]
	if known {
		turn.wanted = now
		p.pairs[pair] = turn
	}
	pause := max(checkEvery, time.Duration(len(p.pairs))*time.Second/CheckRate) // so that each has its turn
	switch {
	case known && now.Sub(turn.sent) < pause, !known && len(p.pairs) >= maxCheckPairs:
		return false
	case !p.strangers.allow(now, to.Addr()), !p.bucket.AllowN(now, 1):
		return false
	}
	p.pairs[pair] = turns{sent: now, wanted: now}
	if len(p.outstanding) < maxOutstanding {
		p.outstanding = append(p.outstanding, outstandingCheck{})
	}
	p.outstanding[p.next] = outstandingCheck{id, to}
	p.next = (p.next + 1) % maxOutstanding
	return true
}

// sweep forgets the pairs of an earlier gathering. They take no turns, so the pairs of now
// must not wait for theirs.
func (p *Pacer) sweep(now time.Time) {
	if since := now.Sub(p.swept); since >= 0 && since < pairGone/2 {
		return
	}
	p.swept = now
	maps.DeleteFunc(p.pairs, func(_ checkPair, turn turns) bool {
		since := now.Sub(turn.wanted)
		return since < 0 || since >= pairGone
	})
}

// in takes a packet that arrived at socket from an address.
func (p *Pacer) in(now time.Time, socket any, from netip.AddrPort, packet []byte) {
	if len(packet) == 0 || packet[0] > bindingSuccess>>8 {
		return
	}
	kind, id, ok := stunType(packet)
	if !ok || kind != bindingRequest && kind != bindingSuccess {
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.answered[from] || len(p.answered) >= maxCheckPairs {
		return
	}
	if kind == bindingRequest { // ICE answers it with a check at once (RFC 8445 section 7.3.1.4)
		pair := checkPair{socket, from}
		if turn, known := p.pairs[pair]; known {
			turn.sent = time.Time{}
			p.pairs[pair] = turn
		}
		return
	}
	for i := range p.outstanding {
		if o := p.outstanding[i]; o.id == id && o.to == from {
			p.answered[from] = true
			p.strangers.met(now, from.Addr())
			maps.DeleteFunc(p.pairs, func(pair checkPair, _ turns) bool { return pair.to == from })
			return
		}
	}
}

// strangers has the addresses to which all connections of the process send checks.
// An address that has answered nobody gets few of them. Time is passed in.
type strangers struct {
	mu    sync.Mutex
	known map[netip.Addr]*stranger
	now   time.Time // the latest that was passed in
	swept time.Time
	rest  *rate.Limiter // shared by the addresses that are not remembered
}

type stranger struct {
	bucket *rate.Limiter
	met    time.Time // when it last answered; zero: never
}

// Everybody counts the checks of all rooms in this process.
var Everybody = newStrangers()

func newStrangers() *strangers {
	return &strangers{known: make(map[netip.Addr]*stranger), rest: rate.NewLimiter(strangerRate, strangerBurst)}
}

// allow counts a check to ip.
func (s *strangers) allow(now time.Time, ip netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow(now)
	o := s.of(now, ip)
	if o == nil {
		return s.rest.AllowN(now, 1)
	}
	if since := now.Sub(o.met); !o.met.IsZero() && since >= 0 && since < familiarFor {
		return true
	}
	return o.bucket.AllowN(now, 1)
}

// met notes that ip has answered.
func (s *strangers) met(now time.Time, ip netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follow(now)
	if o := s.of(now, ip); o != nil {
		o.met = now
	}
}

// follow forgets everything where time begins again, as it does in each test in virtual time.
func (s *strangers) follow(now time.Time) {
	if s.now.Sub(now) > 100*time.Millisecond {
		clear(s.known)
		s.swept, s.rest = time.Time{}, rate.NewLimiter(strangerRate, strangerBurst)
	}
	s.now = now
}

func (s *strangers) of(now time.Time, ip netip.Addr) *stranger {
	if o := s.known[ip]; o != nil {
		return o
	}
	if since := now.Sub(s.swept); len(s.known) >= maxStrangers && (since < 0 || since >= time.Second) {
		s.swept = now
		for other, o := range s.known {
			if now.Sub(o.met) >= familiarFor && o.bucket.TokensAt(now) >= strangerBurst {
				delete(s.known, other)
			}
		}
	}
	if len(s.known) >= maxStrangers {
		return nil
	}
	o := &stranger{bucket: rate.NewLimiter(strangerRate, strangerBurst)}
	s.known[ip] = o
	return o
}

// has reports whether an address has answered.
func (p *Pacer) has(from netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered[netip.AddrPortFrom(from.Addr().Unmap(), from.Port())]
}

// NewPacedNet puts a pacer and a guard before a network.
func NewPacedNet(inner transport.Net, pacer *Pacer, guard *Guard) transport.Net {
	return pacedNet{inner, pacer, guard, new(nomination)}
}

// pacedNet is a network whose UDP sockets pace checks, repeat nominations and show a guard
// what arrives from the peer.
type pacedNet struct {
	transport.Net
	pacer      *Pacer
	guard      *Guard
	nomination *nomination
}

// leaves takes a packet that is to leave a socket. If it may, first goes before it, unless
// that is nil.
func (n pacedNet) leaves(socket any, to netip.AddrPort, packet []byte) (first []byte, ok bool) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if !n.pacer.out(time.Now(), socket, to, packet) {
		return nil, false
	}
	return n.nomination.again(socket, to, packet), true
}

// arrived takes a packet from the network.
func (n pacedNet) arrived(socket any, from netip.AddrPort, packet []byte) {
	if len(packet) == 0 {
		return
	}
	if packet[0] >= firstDTLS {
		n.nomination.came(socket, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
	}
	switch packet[0] >> 6 {
	case 0: // STUN and DTLS
		n.pacer.in(time.Now(), socket, from, packet)
	case 1: // ChannelData from a relay (RFC 8656 section 12.4)
		if len(packet) > 4 {
			n.guard.arrived(packet[4:])
		}
	case 2:
		if isRTCP(packet) && n.pacer.has(from) {
			n.guard.arrived(packet)
		}
	}
}

// ListenPacket makes the sockets for TURN servers.
func (n pacedNet) ListenPacket(network, address string) (net.PacketConn, error) {
	c, err := n.Net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	return &relaySocket{c, n}, nil
}

type relaySocket struct {
	net.PacketConn
	net pacedNet
}

func (c *relaySocket) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.PacketConn.ReadFrom(p)
	if err == nil {
		c.net.arrived(c, netip.AddrPort{}, p[:n])
	}
	return n, from, err
}

func (n pacedNet) ListenUDP(network string, at *net.UDPAddr) (transport.UDPConn, error) {
	c, err := n.Net.ListenUDP(network, at)
	if err != nil {
		return nil, err
	}
	if plain, ok := c.(*net.UDPConn); ok {
		return &pacedUDP{pacedConn{c, n}, plain}, nil
	}
	return &pacedConn{c, n}, nil
}

// pacedConn is a UDP socket, perhaps of a virtual network.
type pacedConn struct {
	transport.UDPConn
	net pacedNet
}

func (c *pacedConn) WriteTo(p []byte, to net.Addr) (int, error) {
	if u, ok := to.(*net.UDPAddr); ok {
		first, ok := c.net.leaves(c, u.AddrPort(), p)
		if !ok {
			return len(p), nil
		}
		if first != nil {
			_, _ = c.UDPConn.WriteTo(first, to) // after an error it is lost, and goes with the next check
		}
	}
	return c.UDPConn.WriteTo(p, to)
}

func (c *pacedConn) ReadFrom(p []byte) (int, net.Addr, error) {
	n, from, err := c.UDPConn.ReadFrom(p)
	if u, ok := from.(*net.UDPAddr); ok && err == nil {
		c.net.arrived(c, u.AddrPort(), p[:n])
	}
	return n, from, err
}

// pacedUDP is a socket of this machine. It has the methods by which pion's ICE
// reads and writes without allocating an address for each packet.
type pacedUDP struct {
	pacedConn
	plain *net.UDPConn // the same
}

func (c *pacedUDP) WriteToAddrPort(p []byte, to netip.AddrPort) (int, error) {
	first, ok := c.net.leaves(&c.pacedConn, to, p)
	if !ok {
		return len(p), nil
	}
	if first != nil {
		_, _ = c.plain.WriteToUDPAddrPort(first, to) // after an error it is lost, and goes with the next check
	}
	return c.plain.WriteToUDPAddrPort(p, to)
}

func (c *pacedUDP) ReadFromAddrPort(p []byte) (int, netip.AddrPort, error) {
	n, from, err := c.plain.ReadFromUDPAddrPort(p)
	if err == nil {
		c.net.arrived(&c.pacedConn, from, p[:n])
	}
	return n, from, err
}
