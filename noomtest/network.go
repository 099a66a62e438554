package noomtest

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v5/vnet"
)

// The virtual network: one router in the middle, to which hosts are connected directly or behind a
// NAT of their own. Packets wait in network, at their sender, for as long as they take to arrive;
// vnet moves them at once.
const (
	publicNet = "198.18.0.0/15" // RFC 2544: never used on the real Internet
	turnIP    = "198.18.0.1"
	maxQueued = 250 * time.Millisecond // a link's buffer, at its bandwidth
)

// leastLatency keeps the end of a connection from arriving at the instant at
// which the other end closes it too: pion would wait for a timer while it holds
// a mutex that another goroutine waits for, and virtual time would stand still.
const leastLatency = time.Microsecond

// path is how packets travel from one host to another.
type path struct {
	latency, jitter time.Duration
	loss            float64
	cut             bool
}

// network delays and drops packets. It guards itself.
type network struct {
	router    *vnet.Router
	bandwidth int // bytes a second each way of a host; 0: no bound
	signaling time.Duration
	wake      chan struct{}
	done      chan struct{}

	mu      sync.Mutex
	filter  func(Packet) bool // nil: all pass
	rng     *rand.Rand
	normal  path
	special map[[2]string]path // by sender and receiver
	owners  map[string]string  // host name by public address
	busy    map[[2]string]time.Time
	queue   packets
	serial  uint64
}

func newNetwork(o *options) (*network, error) {
	router, err := newRouter(&vnet.RouterConfig{CIDR: publicNet})
	if err != nil {
		return nil, err
	}
	if err := router.Start(); err != nil {
		return nil, err
	}
	signaling := max(o.latency, leastLatency)
	if o.signaling != nil {
		signaling = *o.signaling
	}
	n := &network{
		router: router, bandwidth: o.bandwidth / 8, signaling: signaling,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		rng:     rand.New(rand.NewPCG(o.seed, 2)),
		normal:  path{latency: o.latency, jitter: o.jitter, loss: o.loss},
		special: make(map[[2]string]path), owners: make(map[string]string), busy: make(map[[2]string]time.Time),
	}
	go n.run()
	return n, nil
}

func (n *network) stop() error {
	close(n.done)
	return n.router.Stop()
}

// between returns the path from one host to another. It needs n.mu.
func (n *network) between(from, to string) path {
	if p, ok := n.special[[2]string{from, to}]; ok {
		return p
	}
	return n.normal
}

// change changes the path from one host to another; an empty name is any host
// there is.
func (n *network) change(from, to string, f func(*path)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range n.hosts() {
		for _, b := range n.hosts() {
			if a != b && (from == "" || from == a) && (to == "" || to == b) {
				p := n.between(a, b)
				f(&p)
				n.special[[2]string{a, b}] = p
			}
		}
	}
}

// hosts needs n.mu.
func (n *network) hosts() []string {
	var names []string
	for _, name := range n.owners {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// cuts lists the directions that are cut.
func (n *network) cuts() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for pair, p := range n.special {
		if p.cut {
			list = append(list, pair[0]+" to "+pair[1])
		}
	}
	slices.Sort(list)
	return list
}

// pass puts a packet on its way; deliver hands it to the router.
func (n *network) pass(from string, local, to net.Addr, payload []byte, deliver func()) {
	address, ok := to.(*net.UDPAddr)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.filter != nil && !n.filter(Packet{Host: from, From: addrPort(local), To: addrPort(to), Payload: payload}) {
		return
	}
	size := len(payload)
	receiver := n.owners[address.IP.String()]
	if receiver == "" {
		return // no such host, or its address of before
	}
	p := n.between(from, receiver)
	if p.cut || n.rng.Float64() < p.loss {
		return
	}
	due := time.Now()
	for _, link := range [][2]string{{from, "up"}, {receiver, "down"}} {
		if n.bandwidth > 0 {
			start := due
			if n.busy[link].After(start) {
				start = n.busy[link]
			}
			if start.Sub(due) > maxQueued {
				return // its buffer is full
			}
			due = start.Add(time.Duration(size) * time.Second / time.Duration(n.bandwidth))
			n.busy[link] = due
		}
	}
	due = due.Add(max(p.latency, leastLatency))
	if p.jitter > 0 {
		due = due.Add(time.Duration(n.rng.Int64N(int64(p.jitter) + 1)))
	}
	n.serial++
	heap.Push(&n.queue, packet{due: due, serial: n.serial, from: from, to: receiver, deliver: deliver})
	if n.queue[0].serial == n.serial {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// run delivers what is due.
func (n *network) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		n.mu.Lock()
		wait := time.Hour
		var due []packet
		for len(n.queue) > 0 {
			if wait = time.Until(n.queue[0].due); wait > 0 {
				break
			}
			p := heap.Pop(&n.queue).(packet)
			if !n.between(p.from, p.to).cut { // a cut takes what is under way too
				due = append(due, p)
			}
			wait = time.Hour
		}
		n.mu.Unlock()
		for _, p := range due {
			p.deliver()
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-n.wake:
		case <-n.done:
			return
		}
	}
}

// packet is one that is under way.
type packet struct {
	due      time.Time
	serial   uint64
	from, to string
	deliver  func()
}

// packets is a heap of what is under way, the earliest first.
type packets []packet

func (q packets) Len() int      { return len(q) }
func (q packets) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q packets) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].serial < q[j].serial
}
func (q *packets) Push(p any) { *q = append(*q, p.(packet)) }
func (q *packets) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// NAT is a kind of network address translation (RFC 4787).
type NAT int

// The kinds of NAT, from the one that lets everything through to the one that
// needs a TURN server when both ends have it.
const (
	NoNAT             NAT = iota // a public address
	FullConeNAT                  // endpoint-independent mapping and filtering
	RestrictedNAT                // … address-dependent filtering
	PortRestrictedNAT            // … address and port-dependent filtering: most home routers
	SymmetricNAT                 // address and port-dependent mapping and filtering: mobile networks, companies
)

// String returns the kind's name.
func (k NAT) String() string {
	names := [...]string{"no NAT", "full cone NAT", "restricted NAT", "port restricted NAT", "symmetric NAT"}
	if k < 0 || int(k) >= len(names) {
		return fmt.Sprintf("NAT(%d)", int(k))
	}
	return names[k]
}

func (k NAT) behaviour() *vnet.NATType {
	t := &vnet.NATType{MappingLifeTime: 2 * time.Minute}
	switch k {
	case FullConeNAT, NoNAT:
	case RestrictedNAT:
		t.FilteringBehavior = vnet.EndpointAddrDependent
	case PortRestrictedNAT:
		t.FilteringBehavior = vnet.EndpointAddrPortDependent
	case SymmetricNAT:
		t.MappingBehavior, t.FilteringBehavior = vnet.EndpointAddrPortDependent, vnet.EndpointAddrPortDependent
	}
	return t
}

// attach makes a network card with an address that was never used, behind a NAT of kind k, and
// gives it to owner.
func (n *network) attach(owner string, k NAT, number int) (*vnet.Net, string, error) {
	// Two bytes of a public address, 198.18.1.1 and up.
	public := fmt.Sprintf("198.18.%d.%d", 1+number/250, 1+number%250)
	router, address := n.router, public
	if k != NoNAT {
		lan := fmt.Sprintf("10.%d.%d.", number/250, 1+number%250)
		address = lan + "2"
		var err error
		router, err = newRouter(&vnet.RouterConfig{
			CIDR: lan + "0/24", StaticIPs: []string{public}, NATType: k.behaviour(),
		})
		if err != nil {
			return nil, "", err
		}
		if err := n.router.AddRouter(router); err != nil {
			return nil, "", err
		}
	}
	card, err := newCard(address)
	if err != nil {
		return nil, "", err
	}
	if err := router.AddNet(card); err != nil {
		return nil, "", err
	}
	if router != n.router {
		if err := router.Start(); err != nil {
			return nil, "", err
		}
	}
	n.mu.Lock()
	n.owners[public] = owner
	n.mu.Unlock()
	return card, public, nil
}

// making guards vnet's count of hardware addresses, which tests that run in
// parallel share.
var making sync.Mutex

func newCard(ip string) (*vnet.Net, error) {
	making.Lock()
	defer making.Unlock()
	return vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{ip}})
}

func newRouter(c *vnet.RouterConfig) (*vnet.Router, error) {
	making.Lock()
	defer making.Unlock()
	c.LoggerFactory = quiet{}
	return vnet.NewRouter(c)
}

// signalingDelay is how long a frame takes between a host and a hub.
func (n *network) signalingDelay() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	d := n.signaling
	if n.normal.jitter > 0 {
		d += time.Duration(n.rng.Int64N(int64(n.normal.jitter) + 1))
	}
	return d
}

// detach takes an address from its owner.
func (n *network) detach(public string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.owners, public)
}

// quiet drops vnet's and turn's logs.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger { return quiet{} }
func (quiet) Trace(string)                           {}
func (quiet) Tracef(string, ...any)                  {}
func (quiet) Debug(string)                           {}
func (quiet) Debugf(string, ...any)                  {}
func (quiet) Info(string)                            {}
func (quiet) Infof(string, ...any)                   {}
func (quiet) Warn(string)                            {}
func (quiet) Warnf(string, ...any)                   {}
func (quiet) Error(string)                           {}
func (quiet) Errorf(string, ...any)                  {}
