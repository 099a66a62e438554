package turn

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	pion "github.com/pion/turn/v5"
	"golang.org/x/time/rate"
)

// This file is what a member may relay, and to which addresses.

// The ports of relayed addresses: those the IANA keeps for such use.
const firstRelayPort, lastRelayPort = 49152, 65535

var (
	errRelayQuota  = errors.New("quota reached")
	errRelayFamily = errors.New("relays have no address of that family")
	errRelayPorts  = errors.New("no relay port is free")
	errNoTCPRelays = errors.New("TCP is not relayed") // RFC 6062 would make us an open proxy, and WebRTC has no use for it
)

// relays makes relayed addresses and keeps their owners within bounds.
type relays struct {
	outer, inner netip.Addr // the address peers send to, and where sockets are opened
	everywhere   bool
	limits       Limits
	rate         *rate.Limiter // of all
	own          *ownAddresses
	settled      func(c client, has bool) // is called when a client has a relay, or no longer

	mu        sync.Mutex
	count     int
	asked     map[string]netip.Prefix // from where a user has asked for the next one
	byUser    map[string]int
	byAddress map[netip.Prefix]int
	byClient  map[client]*relay
	live      map[int]*relay // by port
}

func newRelays(outer, inner netip.Addr, everywhere bool, limits Limits) *relays {
	limits = limits.withDefaults()
	return &relays{
		outer: outer, inner: inner, everywhere: everywhere, limits: limits,
		rate: bytesPerSecond(limits.TotalRate), own: &ownAddresses{list: net.InterfaceAddrs},
		settled: func(client, bool) {},
		asked:   make(map[string]netip.Prefix),
		byUser:  make(map[string]int), byAddress: make(map[netip.Prefix]int),
		byClient: make(map[client]*relay), live: make(map[int]*relay),
	}
}

// bytesPerSecond lets half a second's worth through at once, because a key frame comes all at once.
func bytesPerSecond(n int) *rate.Limiter { return rate.NewLimiter(rate.Limit(n), n/2) }

// takenPerSecond bounds what is looked at of a client whose relay carries n bytes
// a second: beyond twice as much it would be lost anyway.
func takenPerSecond(n int) *rate.Limiter { return rate.NewLimiter(2*rate.Limit(n), max(2*n, 64<<10)) }

// permits says which addresses may be relayed to: those on the Internet, and the
// one of our relays, since the other member may be relayed by us too. Others of
// this machine and its IPv6 networks are not, on the Internet or not: what listens
// there may take a relay for a neighbour.
func (r *relays) permits(peer net.IP) bool {
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
	r.makeRoom(user)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count >= r.limits.Total || r.byUser[user] >= r.limits.PerMember {
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

// Validate is there for [pion.RelayAddressGenerator], as what follows is.
func (r *relays) Validate() error { return nil }

// AllocatePacketConn opens a relayed address.
func (r *relays) AllocatePacketConn(c pion.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if c.UserID == "" { // to look for an even port, which WebRTC has no use for
		return nil, nil, errRelayPorts
	}
	if (c.Network == "udp4") != r.outer.Is4() {
		return nil, nil, errRelayFamily
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

// relaysLike is the address of a socket of ours as pion is to know it. It makes a relay of that
// address's family for clients that do not ask for one, and those are all browsers: the family must be
// that of our relays, whichever way a client has come.
func relaysLike(a net.Addr, relays netip.Addr) net.Addr {
	at := addrPortOf(a)
	if !relays.IsValid() || at.Addr().Is4() == relays.Is4() && !at.Addr().IsUnspecified() {
		return a
	}
	at = netip.AddrPortFrom(relays, at.Port())
	if _, is := a.(*net.UDPAddr); is {
		return net.UDPAddrFromAddrPort(at)
	}
	return net.TCPAddrFromAddrPort(at)
}

// open makes a relay of a socket.
func (r *relays) open(socket net.PacketConn, port int, user string) *relay {
	a := &relay{
		PacketConn: socket, relays: r, user: user, port: port, since: time.Now(),
		rate:        bytesPerSecond(r.limits.RelayRate),
		taken:       takenPerSecond(r.limits.RelayRate),
		requests:    rate.NewLimiter(rate.Limit(r.limits.OwnAskRate), 4*r.limits.OwnAskRate),
		permissions: make(map[netip.Addr]time.Time),
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[port] = a
	return a
}

// AllocateListener refuses; see errNoTCPRelays.
func (r *relays) AllocateListener(pion.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errNoTCPRelays
}

// AllocateConn refuses; see errNoTCPRelays.
func (r *relays) AllocateConn(pion.AllocateConnConfig) (net.Conn, error) { return nil, errNoTCPRelays }

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
	client      client // its owner; zero: not known yet, or no longer
	from        netip.Prefix
	permissions map[netip.Addr]time.Time // until when
	channels    int
}

// ReadFrom drops what strangers send to the relay's port: it is not relayed, and must not take from
// what is.
func (r *relay) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.PacketConn.ReadFrom(b)
		if err != nil {
			return n, from, err
		}
		if r.expects(from) && r.fits(n) {
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

// expects reports whether the relay has had permission to send there; pion knows whether it still
// has.
func (r *relay) expects(from net.Addr) bool {
	peer := addrPortOf(from).Addr().WithZone("")
	r.relays.mu.Lock()
	defer r.relays.mu.Unlock()
	_, has := r.permissions[peer]
	return has
}

// headers are the bytes of IP and UDP before each packet's own. They are counted, because a packet
// with nothing in it is work too.
const headers = 28

// fits reports whether a packet with n bytes may pass.
func (r *relay) fits(n int) bool {
	now := time.Now()
	n += headers
	return r.rate.AllowN(now, n) && r.relays.rate.AllowN(now, n)
}

// Close implements [net.PacketConn]. Its reader notices: so an allocation is taken away from its
// owner.
func (r *relay) Close() (err error) {
	r.given.Do(func() {
		r.relays.give(r.user)
		r.relays.mu.Lock()
		r.relays.unplace(r)
		delete(r.relays.live, r.port)
		r.relays.mu.Unlock()
		err = r.PacketConn.Close()
	})
	return err // nil for what has been taken away: after an error pion would leave its other relays open
}
