package noomtest

import (
	"slices"
	"time"

	"noom/signal/hub"
)

// Option says what a [World] is like.
type Option func(*options)

type options struct {
	latency, jitter time.Duration
	signaling       *time.Duration // nil: as latency
	loss            float64
	bandwidth       int
	nat             NAT
	nats            map[string]NAT
	turn            bool
	turnTCP         bool
	noUDP           []string // hosts; empty with turnTCP: all
	turnLifetime    time.Duration
	seed            uint64
	hubs            int
	hubConfig       func(int) *hub.Config
	limit           time.Duration
}

func newOptions(list []Option) *options {
	o := &options{
		latency: 10 * time.Millisecond, seed: 1, hubs: 1, limit: 6 * time.Hour, nats: make(map[string]NAT),
		hubConfig: func(int) *hub.Config { return nil },
	}
	for _, f := range list {
		f(o)
	}
	return o
}

// WithLatency sets how long a packet takes from one host to another, and a
// signaling frame from a host to a hub or back. The default is 10 ms, the
// least 1 µs.
func WithLatency(d time.Duration) Option { return func(o *options) { o.latency = d } }

// WithSignalingLatency sets how long a signaling frame takes from a host to a hub or back, if that
// is not the latency of the network. With 0, a frame overtakes all packets sent before it.
func WithSignalingLatency(d time.Duration) Option {
	return func(o *options) { o.signaling = &d }
}

// WithJitter adds to the latency of each packet a random time of up to d, so
// that packets overtake each other. Signaling frames are delayed too, but keep
// their order. The default is none.
func WithJitter(d time.Duration) Option { return func(o *options) { o.jitter = d } }

// WithLoss loses each packet with probability p, 0 to 1. Signaling is not
// concerned: it goes over TCP. The default is none.
func WithLoss(p float64) Option { return func(o *options) { o.loss = p } }

// WithBandwidth bounds what each host can send, and can receive, in bits a
// second. A quarter of a second's worth waits; what is beyond is lost. The
// default is no bound. [World.SetUpload] and [World.SetDownload] say more of one host.
func WithBandwidth(bits int) Option { return func(o *options) { o.bandwidth = bits } }

// WithNAT puts each host of these names, or without names each host that no other WithNAT names, behind a
// NAT of its own. There is a STUN server then, which the hubs announce to members.
func WithNAT(k NAT, hosts ...string) Option {
	return func(o *options) {
		if len(hosts) == 0 {
			o.nat = k
		}
		for _, h := range hosts {
			o.nats[h] = k
		}
	}
}

// WithTURN adds a TURN server, which the hubs announce to members.
func WithTURN() Option { return func(o *options) { o.turn = true } }

// WithTURNOverTCP adds a TURN server that is reached over TCP alone, and puts these hosts, or without
// names all, behind a firewall that lets no UDP through. What they send waits in a TCP connection
// (CUBIC, RFC 9438), up to 4 MiB, and what the way loses is late instead. A write to it never has to
// wait, as it has to in an operating system with less to spare. There is no STUN server without names.
func WithTURNOverTCP(hosts ...string) Option {
	return func(o *options) {
		o.turn, o.turnTCP = true, true
		o.noUDP = append(o.noUDP, hosts...)
	}
}

// WithTURNLifetime adds a TURN server whose credentials are good only for d, as its operator would
// set it up: hubs make new ones for members that ask, and the server ends relays whose credentials
// have expired. d is whole seconds.
func WithTURNLifetime(d time.Duration) Option {
	return func(o *options) { o.turn, o.turnLifetime = true, d }
}

// WithSeed sets what the world's randomness is drawn from: [World.Rand], loss
// and jitter. The default is 1. Scheduling of goroutines stays random: a seed repeats what
// a test does, not each interleaving.
func WithSeed(seed uint64) Option { return func(o *options) { o.seed = seed } }

// WithHubs makes n hubs. A member dials the first that runs, as it would find
// one behind a common name. The default is 1.
func WithHubs(n int) Option { return func(o *options) { o.hubs = max(1, n) } }

// WithHubConfig says how hub number i, from 0 on, is configured whenever it
// starts. ICEServers is the world's own unless it is set.
func WithHubConfig(f func(i int) *hub.Config) Option {
	return func(o *options) { o.hubConfig = f }
}

// WithLimit bounds the virtual time a world may last. The default is 6 hours.
func WithLimit(d time.Duration) Option { return func(o *options) { o.limit = d } }

func (o *options) natOf(host string) NAT {
	if k, ok := o.nats[host]; ok {
		return k
	}
	return o.nat
}

// blocksUDP reports whether a host is behind the firewall of WithTURNOverTCP.
func (o *options) blocksUDP(host string) bool {
	return o.turnTCP && host != TURNName && (len(o.noUDP) == 0 || slices.Contains(o.noUDP, host))
}

func (o *options) anyNAT() bool {
	if o.nat != NoNAT {
		return true
	}
	for _, k := range o.nats {
		if k != NoNAT {
			return true
		}
	}
	return false
}
