package noomtest

import (
	"container/heap"
	"fmt"
	"hash/fnv"
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
	maxQueued = 250 * time.Millisecond // the queue of WithBandwidth
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

// way is one direction of a host's link.
type way struct{ host, direction string }

const (
	up   = "up"
	down = "down"
)

// network delays and drops packets. It guards itself.
type network struct {
	router    *vnet.Router
	seed      uint64
	noUDP     func(host string) bool
	usual     Link // of every host each way, from WithBandwidth
	signaling time.Duration
	wake      chan struct{}
	done      chan struct{}

	mu       sync.Mutex
	filter   func(Packet) bool // nil: all pass
	rng      *rand.Rand
	normal   path
	special  map[[2]string]path // by sender and receiver
	owners   map[string]string  // host name by public address
	gates    map[way]*gate
	queue    events
	ports    int          // of TCP that were given away
	listener *tcpListener // of the TURN server, nil if it has none
	conns    []*tcpConn   // that hosts have begun
	serial   uint64
	arrived  []*packet // to be delivered once mu is free
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
		router: router, seed: o.seed, noUDP: o.blocksUDP, usual: Link{Bandwidth: o.bandwidth, Queue: maxQueued}, signaling: signaling,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		rng:     rand.New(rand.NewPCG(o.seed, 2)),
		normal:  path{latency: o.latency, jitter: o.jitter, loss: o.loss},
		special: make(map[[2]string]path), owners: make(map[string]string), gates: make(map[way]*gate),
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
	receiver := n.owners[address.IP.String()]
	if receiver == "" || n.noUDP(from) || n.noUDP(receiver) {
		return // no such host, or its address of before, or a firewall
	}
	n.send(time.Now(), &packet{from: from, to: receiver, size: len(payload) + header, deliver: deliver})
}

// send puts a packet on its way unless it gets lost at once. It needs n.mu.
func (n *network) send(now time.Time, p *packet) {
	if between := n.between(p.from, p.to); between.cut || n.rng.Float64() < between.loss {
		return
	}
	n.forward(now, p)
}

// forward takes a packet to its next place, or further. It needs n.mu.
func (n *network) forward(now time.Time, p *packet) {
	switch p.next {
	case toUplink:
		p.next = toRouter
		n.enter(now, way{p.from, up}, p)
	case toRouter:
		p.next = toDownlink
		between := n.between(p.from, p.to)
		due := now.Add(max(between.latency, leastLatency))
		if between.jitter > 0 {
			due = due.Add(time.Duration(n.rng.Int64N(int64(between.jitter) + 1)))
		}
		n.at(due, func(now time.Time) { n.forward(now, p) })
	case toDownlink:
		p.next = toReceiver
		n.enter(now, way{p.to, down}, p)
	case toReceiver:
		switch {
		case n.between(p.from, p.to).cut: // a cut takes what is under way too
		case p.take != nil:
			p.take(now)
		default:
			n.arrived = append(n.arrived, p)
		}
	}
}

// enter puts a packet into a host's link. It needs n.mu.
func (n *network) enter(now time.Time, of way, p *packet) {
	g := n.gates[of]
	if g == nil && n.usual.Bandwidth > 0 && of.host != outside {
		g = n.makeGate(of)
	}
	if g == nil {
		n.forward(now, p)
		return
	}
	g.note(p, func(t *Traffic) { t.Sent++ })
	switch begun := len(g.waiting) > 0; {
	case !g.put(now, p):
		g.note(p, func(t *Traffic) { t.Full++ })
	case !begun:
		n.leave(now, g)
	}
}

// leave lets go what a link has sent. It needs n.mu.
func (n *network) leave(now time.Time, g *gate) {
	for p := g.take(now); p != nil; p = g.take(now) {
		g.note(p, func(t *Traffic) { t.waits = append(t.waits, p.waited) })
		if g.loses() {
			g.note(p, func(t *Traffic) { t.Lost++ })
			continue
		}
		g.note(p, func(t *Traffic) { t.Delivered++; t.Bytes += p.size })
		if at := g.arrival(now); at.After(now) {
			n.at(at, func(now time.Time) { n.forward(now, p) })
		} else {
			n.forward(now, p)
		}
	}
	n.watch(g)
}

// watch has leave called when the first packet of a link is sent. It needs n.mu.
func (n *network) watch(g *gate) {
	if len(g.waiting) > 0 && !g.watched.Equal(g.done) {
		g.watched = g.done
		n.at(g.done, func(now time.Time) {
			if g.watched.Equal(now) { // else it has changed since
				g.watched = time.Time{}
				n.leave(now, g)
			}
		})
	}
}

// makeGate returns a host's link, a new one if it had none. It needs n.mu.
func (n *network) makeGate(of way) *gate {
	g := n.gates[of]
	if g == nil {
		h := fnv.New64a()
		_, _ = fmt.Fprint(h, of)
		g = &gate{link: n.usual, rng: rand.New(rand.NewPCG(n.seed, h.Sum64()))}
		n.gates[of] = g
	}
	return g
}

// at has run do something, which gets the time that was due, with n.mu held. It needs n.mu.
func (n *network) at(due time.Time, do func(now time.Time)) {
	n.serial++
	heap.Push(&n.queue, event{due, n.serial, do})
	if n.queue[0].serial == n.serial {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

// run moves what is due.
func (n *network) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		n.mu.Lock()
		wait := time.Hour
		for len(n.queue) > 0 {
			if wait = time.Until(n.queue[0].due); wait > 0 {
				break
			}
			e := heap.Pop(&n.queue).(event)
			e.do(e.due)
			wait = time.Hour
		}
		arrived := n.arrived
		n.arrived = nil
		n.mu.Unlock()
		for _, p := range arrived {
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
	from, to string
	size     int  // bytes, headers included
	cross    bool // of a flow beside the rooms
	next     place
	entered  time.Time           // when it came to the link that it is in
	waited   time.Duration       // in that
	deliver  func()              // without a lock
	take     func(now time.Time) // instead, with network.mu
}

// place is where a packet goes next.
type place int

const (
	toUplink place = iota
	toRouter
	toDownlink
	toReceiver
)

// event is what happens in the network at an instant.
type event struct {
	due    time.Time
	serial uint64
	do     func(now time.Time)
}

// events is a heap of what will happen, the earliest first.
type events []event

func (q events) Len() int      { return len(q) }
func (q events) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q events) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].serial < q[j].serial
}
func (q *events) Push(e any) { *q = append(*q, e.(event)) }
func (q *events) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = event{}
	*q = (*q)[:len(*q)-1]
	return last
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
