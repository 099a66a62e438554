package main

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/time/rate"
)

// This file is what a member may do with the TURN server: how much it may
// relay, and to whom.

// turnLimits are a TURN server's quotas.
type turnLimits struct {
	perUser int // allocations of one member
	total   int // allocations of all; also TCP connections to the server

	relayRate, totalRate int // bytes a second each way, of one allocation and of all
}

// A member of a room of 64 has 63 connections with an allocation over UDP and
// one over TCP each, and twice that for the moment of a restart.
var standardTURNLimits = turnLimits{perUser: 256, total: 4096, relayRate: 2 << 20, totalRate: 128 << 20}

const (
	// The ports of relayed addresses: those the IANA keeps for such use.
	firstRelayPort, lastRelayPort = 49152, 65535
	// turnIdle is after how much silence a TCP connection is cut; its
	// allocation would have expired by then.
	turnIdle = 10 * time.Minute
	// turnWrite bounds one write to a TCP connection.
	turnWrite = 10 * time.Second
)

var (
	errRelayQuota  = errors.New("quota reached")
	errRelayPorts  = errors.New("no relay port is free")
	errNoTCPRelays = errors.New("TCP is not relayed") // RFC 6062 would make us an open proxy, and WebRTC has no use for it
)

// relays makes relayed addresses and keeps their owners within bounds.
type relays struct {
	outer, inner netip.Addr // the address peers send to, and where sockets are opened
	everywhere   bool
	limits       turnLimits
	rate         *rate.Limiter // of all

	mu     sync.Mutex
	count  int
	byUser map[string]int
}

func newRelays(outer, inner netip.Addr, everywhere bool, limits turnLimits) *relays {
	return &relays{
		outer: outer, inner: inner, everywhere: everywhere, limits: limits,
		rate: bytesPerSecond(limits.totalRate), byUser: make(map[string]int),
	}
}

// bytesPerSecond lets half a second's worth through at once, for a key frame
// comes all at once.
func bytesPerSecond(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(n), n/2) }

// permits says which addresses may be relayed to: those on the Internet, and
// our own, since the other member may be relayed by us too.
func (r *relays) permits(_ net.Addr, peer net.IP) bool {
	a, ok := netip.AddrFromSlice(peer)
	a = a.Unmap()
	return ok && (r.everywhere || a == r.outer || public(a))
}

// notPublic are the networks that belong to nobody on the Internet (IANA's
// registries of special-purpose addresses) or would smuggle an IPv4 address
// through, beside those that netip knows.
var notPublic = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func public(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() { // which leaves loopback, link-local and multicast
		return false
	}
	for _, p := range notPublic {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// mayHaveMore is asked before an allocation, so that the refusal says why.
func (r *relays) mayHaveMore(user, _ string, _ net.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mayHave(user)
}

// mayHave needs r.mu.
func (r *relays) mayHave(user string) bool {
	return r.count < r.limits.total && r.byUser[user] < r.limits.perUser
}

// take counts one in; it goes by again with give.
func (r *relays) take(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.mayHave(user) {
		return false
	}
	r.count++
	r.byUser[user]++
	return true
}

func (r *relays) give(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count--
	if r.byUser[user]--; r.byUser[user] == 0 {
		delete(r.byUser, user)
	}
}

// Validate is there for [turn.RelayAddressGenerator], as what follows is.
func (r *relays) Validate() error { return nil }

// AllocatePacketConn opens a relayed address.
func (r *relays) AllocatePacketConn(c turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if c.UserID == "" { // to look for an even port, which WebRTC has no use for
		return nil, nil, errRelayPorts
	}
	if !r.take(c.UserID) {
		return nil, nil, errRelayQuota
	}
	for range 64 {
		port := firstRelayPort + rand.IntN(lastRelayPort-firstRelayPort+1) //nolint:gosec // a port is no secret
		socket, err := net.ListenPacket(c.Network, net.JoinHostPort(r.inner.String(), strconv.Itoa(port)))
		if err == nil {
			told := &net.UDPAddr{IP: r.outer.AsSlice(), Port: port}
			return &relay{PacketConn: socket, relays: r, user: c.UserID, rate: bytesPerSecond(r.limits.relayRate)}, told, nil
		}
	}
	r.give(c.UserID)
	return nil, nil, errRelayPorts
}

// AllocateListener refuses; see errNoTCPRelays.
func (r *relays) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCPRelays
}

// AllocateConn refuses; see errNoTCPRelays.
func (r *relays) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCPRelays }

// relay is the socket of one relayed address. What exceeds the rate is lost, as
// on any narrow link.
type relay struct {
	net.PacketConn
	relays *relays
	user   string
	rate   *rate.Limiter
	given  sync.Once
}

func (r *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.PacketConn.ReadFrom(b)
		if err != nil || r.fits(n) {
			return n, from, err
		}
	}
}

// WriteTo sends to a peer that has been permitted. On this very machine that
// means other relayed addresses, not whatever else listens there.
func (r *relay) WriteTo(b []byte, to net.Addr) (int, error) {
	peer, ok := to.(*net.UDPAddr)
	ours := ok && peer.AddrPort().Addr().Unmap() == r.relays.outer
	if ours && !r.relays.everywhere && peer.Port < firstRelayPort || !r.fits(len(b)) {
		return len(b), nil
	}
	return r.PacketConn.WriteTo(b, to)
}

func (r *relay) fits(n int) bool {
	now := time.Now()
	return r.rate.AllowN(now, n) && r.relays.rate.AllowN(now, n)
}

func (r *relay) Close() error {
	r.given.Do(func() { r.relays.give(r.user) })
	return r.PacketConn.Close()
}

// boundedListener accepts so many connections at a time, ends those that are
// silent, and can cut them all.
type boundedListener struct {
	net.Listener
	most int

	mu    sync.Mutex
	conns map[*boundedConn]struct{} // nil: cut
}

func boundConnections(l net.Listener, most int) *boundedListener {
	return &boundedListener{Listener: l, most: most, conns: make(map[*boundedConn]struct{})}
}

// Accept closes what is too much.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &boundedConn{Conn: inner, listener: l}
		if l.add(c) {
			return c, nil
		}
		_ = inner.Close() // it is refused either way
	}
}

func (l *boundedListener) add(c *boundedConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil || len(l.conns) >= l.most {
		return false
	}
	l.conns[c] = struct{}{}
	return true
}

// cut ends all connections, and all to come.
func (l *boundedListener) cut() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close() // it is over either way
	}
}

type boundedConn struct {
	net.Conn
	listener *boundedListener
}

func (c *boundedConn) Read(b []byte) (int, error) {
	_ = c.SetReadDeadline(time.Now().Add(turnIdle)) // a closed one says so below
	return c.Conn.Read(b)
}

func (c *boundedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(turnWrite)) // a closed one says so below
	return c.Conn.Write(b)
}

func (c *boundedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
