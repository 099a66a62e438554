package main

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/turn/v5"
	"golang.org/x/time/rate"
)

// This file is what a member may do with the TURN server: how much it may relay, and to which
// addresses.

// turnLimits are a TURN server's quotas. Zero is no bound but the next larger one.
type turnLimits struct {
	perUser    int // allocations of one member
	perAddress int // allocations of all behind one address
	total      int // allocations of all; also TCP connections to the server
	waiting    int // TCP connections of one address that have no allocation

	perAllocation int // permissions of an allocation, and as many channels

	relayRate, totalRate int // bytes a second each way, of one allocation and of all
	askRate, ownAskRate  int // requests a second, of an address without an allocation and for one allocation
}

// A member of a room of 64 has 63 connections with an allocation over UDP and
// one over TCP each, and twice that for the moment of a restart. Each connection has
// at most 128 candidates at the other end.
var standardTURNLimits = turnLimits{
	perUser: 256, perAddress: 1024, total: 4096, waiting: 64, perAllocation: 256,
	relayRate: 2 << 20, totalRate: 128 << 20, askRate: 1000, ownAskRate: 100,
}

const (
	// The ports of relayed addresses: those the IANA keeps for such use.
	firstRelayPort, lastRelayPort = 49152, 65535
	// turnFirst is how long a TCP connection may take to its first allocation.
	turnFirst = 10 * time.Second
	// turnIntroduction is how many bytes it may take.
	turnIntroduction = 16 << 10
	// turnIdle is after how much silence a TCP connection is cut; its
	// allocation would have expired by then.
	turnIdle = 10 * time.Minute
	// turnWrite bounds one write to a TCP connection.
	turnWrite = 10 * time.Second
)

var (
	errRelayQuota   = errors.New("quota reached")
	errRelayPorts   = errors.New("no relay port is free")
	errIntroduction = errors.New("too much was said without an allocation")
	errNoTCPRelays  = errors.New("TCP is not relayed") // RFC 6062 would make us an open proxy, and WebRTC has no use for it
)

// relays makes relayed addresses and keeps their owners within bounds.
type relays struct {
	outer, inner netip.Addr // the address peers send to, and where sockets are opened
	everywhere   bool
	limits       turnLimits
	rate         *rate.Limiter // of all
	own          *ownAddresses
	settled      func(client net.Addr, has bool) // is called when a client has an allocation, over TCP; may be nil

	mu        sync.Mutex
	count     int
	byUser    map[string]int
	byAddress map[netip.Prefix]int
	byClient  map[string]*relay
	live      map[int]*relay // by port
}

func newRelays(outer, inner netip.Addr, everywhere bool, limits turnLimits) *relays {
	for _, bound := range []*int{&limits.perAddress, &limits.waiting} {
		if *bound == 0 {
			*bound = limits.total
		}
	}
	limits.perAllocation = cmp.Or(limits.perAllocation, standardTURNLimits.perAllocation)
	limits.askRate = cmp.Or(limits.askRate, standardTURNLimits.askRate)
	limits.ownAskRate = cmp.Or(limits.ownAskRate, standardTURNLimits.ownAskRate)
	return &relays{
		outer: outer, inner: inner, everywhere: everywhere, limits: limits,
		rate: bytesPerSecond(limits.totalRate), own: &ownAddresses{list: net.InterfaceAddrs},
		byUser: make(map[string]int), byAddress: make(map[netip.Prefix]int),
		byClient: make(map[string]*relay), live: make(map[int]*relay),
	}
}

// bytesPerSecond lets half a second's worth through at once, because a key frame comes all at once.
func bytesPerSecond(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(n), n/2) }

// takenPerSecond bounds what is looked at of a client whose relay carries n bytes
// a second: beyond twice as much it would be lost anyway.
func takenPerSecond(n int) *rate.Limiter { return rate.NewLimiter(2*rate.Limit(n), max(2*n, 64<<10)) }

// permits says which addresses may be relayed to: those on the Internet, and the
// one of our relays, since the other member may be relayed by us too. Others of
// this machine are not, on the Internet or not: what listens there may take a relay
// for a neighbour.
func (r *relays) permits(_ net.Addr, peer net.IP) bool {
	a, ok := netip.AddrFromSlice(peer)
	a = a.Unmap()
	r.own.refresh(time.Now())
	return ok && (r.everywhere || a == r.outer || public(a) && !r.own.has(a))
}

// reaches says whether packets may go where a relay has permission to: on our own
// address to other relays alone, whatever else listens there.
func (r *relays) reaches(peer netip.AddrPort) bool {
	a := peer.Addr().Unmap()
	switch {
	case r.everywhere:
		return true
	case a == r.outer:
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.live[int(peer.Port())] != nil
	default:
		return !r.own.has(a)
	}
}

// take counts one in; it goes by again with give.
func (r *relays) take(user string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count >= r.limits.total || r.byUser[user] >= r.limits.perUser {
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
			return r.open(socket, port, c.UserID), told, nil
		}
	}
	r.give(c.UserID)
	return nil, nil, errRelayPorts
}

// open makes a relay of a socket.
func (r *relays) open(socket net.PacketConn, port int, user string) *relay {
	a := &relay{
		PacketConn: socket, relays: r, user: user, port: port, since: time.Now(),
		rate:        bytesPerSecond(r.limits.relayRate),
		taken:       takenPerSecond(r.limits.relayRate),
		requests:    rate.NewLimiter(rate.Limit(r.limits.ownAskRate), 4*r.limits.ownAskRate),
		permissions: make(map[netip.Addr]time.Time),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[port] = a
	return a
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
	relays   *relays
	user     string
	port     int
	since    time.Time
	rate     *rate.Limiter
	taken    *rate.Limiter // bytes from the client, over UDP
	requests *rate.Limiter
	used     atomic.Bool // something was relayed
	given    sync.Once

	// Owned by relays, behind its lock.
	client      string // its owner; empty: not known yet, or no longer
	from        netip.Prefix
	permissions map[netip.Addr]time.Time // until when
	channels    int
}

func (r *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if r.fits(n) {
			r.used.Store(true)
			return n, from, nil
		}
	}
}

// WriteTo sends to a peer that has been permitted.
func (r *relay) WriteTo(b []byte, to net.Addr) (int, error) {
	if peer, ok := to.(*net.UDPAddr); !ok || !r.relays.reaches(peer.AddrPort()) || !r.fits(len(b)) {
		return len(b), nil
	}
	return r.PacketConn.WriteTo(b, to)
}

func (r *relay) fits(n int) bool {
	now := time.Now()
	return r.rate.AllowN(now, n) && r.relays.rate.AllowN(now, n)
}

// Close implements [net.PacketConn]. Its reader notices: so an allocation is taken away from its
// owner.
func (r *relay) Close() error {
	r.given.Do(func() {
		r.relays.give(r.user)
		r.relays.mu.Lock()
		r.relays.unplace(r)
		delete(r.relays.live, r.port)
		r.relays.mu.Unlock()
	})
	return r.PacketConn.Close()
}

// boundedListener accepts so many connections at a time, ends those that are silent, and can cut
// them all. Those that have no allocation give way to newer ones, silent ones first.
type boundedListener struct {
	net.Listener
	most, waiting int // all; of one address, without an allocation
	rate          int // bytes a second that one carries

	mu    sync.Mutex
	conns map[string]*boundedConn // by client; nil: cut
}

func boundConnections(l net.Listener, limits turnLimits) *boundedListener {
	return &boundedListener{
		Listener: l, most: limits.total, waiting: limits.waiting, rate: limits.relayRate, conns: make(map[string]*boundedConn),
	}
}

// Accept closes what is too much.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &boundedConn{Conn: inner, listener: l, client: clientOf(inner.RemoteAddr()), from: prefixOf(inner.RemoteAddr()), began: time.Now(), taken: takenPerSecond(l.rate)}
		out, in := l.add(c)
		if out != nil {
			_ = out.Close() // it made room
		}
		if in {
			return c, nil
		}
		_ = inner.Close() // it is refused either way
	}
}

// add counts one in, and says which one goes for it.
func (l *boundedListener) add(c *boundedConn) (out *boundedConn, in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		return nil, false
	}
	near := 0
	for _, other := range l.conns {
		if other.from == c.from && !other.settled {
			near++
		}
	}
	full := len(l.conns) >= l.most
	if near >= l.waiting || full {
		for _, other := range l.conns {
			if !other.settled && (other.from == c.from || near < l.waiting) && (out == nil || other.worseThan(out)) {
				out = other
			}
		}
		if out == nil {
			return nil, false // all have an allocation
		}
		delete(l.conns, out.client)
	}
	l.conns[c.client] = c
	return out, true
}

// settle notes whether a client has an allocation.
func (l *boundedListener) settle(client net.Addr, has bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[clientOf(client)]
	if c == nil || c.settled == has {
		return
	}
	c.settled, c.began = has, time.Now()
	_ = c.SetReadDeadline(c.until()) // of the read that waits
}

// cut ends all connections, and all to come.
func (l *boundedListener) cut() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for _, c := range conns {
		_ = c.Conn.Close() // it is over either way
	}
}

type boundedConn struct {
	net.Conn
	listener *boundedListener
	client   string
	from     netip.Prefix
	spoken   atomic.Bool // something came
	taken    *rate.Limiter

	heard int // bytes since it had no allocation; owned by Read

	// Owned by the listener, behind its lock.
	settled bool      // it has an allocation
	began   time.Time // when that was so, or not
}

// worseThan reports whether c is to go before other.
func (c *boundedConn) worseThan(other *boundedConn) bool {
	if spoken := c.spoken.Load(); spoken != other.spoken.Load() {
		return !spoken
	}
	return c.began.Before(other.began)
}

// until is when what comes next must have come; the caller holds the listener's lock.
func (c *boundedConn) until() time.Time {
	if c.settled {
		return time.Now().Add(turnIdle)
	}
	return c.began.Add(turnFirst)
}

// Read implements [net.Conn]. A client that sends too fast is read more slowly.
func (c *boundedConn) Read(b []byte) (int, error) {
	c.listener.mu.Lock()
	settled := c.settled
	_ = c.SetReadDeadline(c.until()) // a closed one says so below
	c.listener.mu.Unlock()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.spoken.Store(true)
	}
	if c.heard += n; settled {
		c.heard = 0
	}
	if c.heard > turnIntroduction {
		return 0, errIntroduction
	}
	now := time.Now()
	time.Sleep(c.taken.ReserveN(now, n).DelayFrom(now))
	return n, err
}

func (c *boundedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(turnWrite)) // a closed one says so below
	return c.Conn.Write(b)
}

func (c *boundedConn) Close() error {
	c.listener.mu.Lock()
	if c.listener.conns[c.client] == c {
		delete(c.listener.conns, c.client)
	}
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
