package noomtest

import (
	"math/rand/v2"
	"time"
)

// gate is a [Link] at work: one direction of a host. It has neither clock nor lock: time comes in as
// an argument, and network guards it.
type gate struct {
	link    Link
	rng     *rand.Rand // its own, so that others draw the same when it draws more
	waiting []*packet  // the first is being sent
	bytes   int        // of those that wait, the first included
	done    time.Time  // when the first has been sent
	watched time.Time  // when network looks at it again; zero: not
	losing  bool       // the link is in a run of losses
	last    time.Time  // when the latest comes out at the other end
	meters  []*Meter
}

// put takes a packet into the queue, and reports false if there is no room for it.
func (g *gate) put(now time.Time, p *packet) bool {
	if g.link.Bandwidth > 0 && len(g.waiting) > 0 {
		limit := g.link.QueueBytes
		if limit > 0 && g.bytes > limit || limit == 0 && g.wait(now) > g.link.queue() {
			return false
		}
	}
	p.entered = now
	g.waiting = append(g.waiting, p)
	g.bytes += p.size
	if len(g.waiting) == 1 {
		g.begin(now)
	}
	return true
}

// wait is how long a packet that is put now would wait.
func (g *gate) wait(now time.Time) time.Duration {
	return g.done.Sub(now) + g.airtime(g.bytes-g.waiting[0].size)
}

// airtime is how long bytes take to be sent.
func (g *gate) airtime(bytes int) time.Duration {
	if g.link.Bandwidth == 0 {
		return 0
	}
	return time.Duration(int64(bytes) * 8 * int64(time.Second) / int64(g.link.Bandwidth))
}

// begin begins to send the first.
func (g *gate) begin(now time.Time) {
	p := g.waiting[0]
	p.waited = now.Sub(p.entered)
	g.done = now.Add(g.airtime(p.size))
}

// take returns the first packet if it has been sent by now, else nil.
func (g *gate) take(now time.Time) *packet {
	if len(g.waiting) == 0 || g.done.After(now) {
		return nil
	}
	p := g.waiting[0]
	g.waiting[0] = nil
	g.waiting = g.waiting[1:]
	g.bytes -= p.size
	if len(g.waiting) > 0 {
		g.begin(g.done)
	}
	return p
}

// change makes another link of it. What remains of the first packet is sent at the new bandwidth.
func (g *gate) change(now time.Time, l Link) {
	before := g.link
	g.link = l
	switch {
	case len(g.waiting) == 0:
	case l.Bandwidth == 0:
		g.done = now
	case before.Bandwidth == 0:
		g.begin(now)
	default:
		left := g.done.Sub(now).Seconds() * float64(before.Bandwidth) / float64(l.Bandwidth)
		g.done = now.Add(time.Duration(left * float64(time.Second)))
	}
}

// loses decides whether the packet that was sent gets lost.
func (g *gate) loses() bool {
	switch p, burst := g.link.Loss, g.link.Burst; {
	case p <= 0:
		g.losing = false
	case p >= 1:
		g.losing = true
	case burst <= 1:
		g.losing = g.rng.Float64() < p
	case g.losing:
		// The chain of Gilbert and Elliott is in its bad state for the share p of packets, where it
		// leaves that with probability 1/burst and enters it with p/(1-p)/burst.
		burst = max(burst, p/(1-p))
		g.losing = g.rng.Float64() >= 1/burst
	default:
		burst = max(burst, p/(1-p))
		g.losing = g.rng.Float64() < p/(1-p)/burst
	}
	return g.losing
}

// arrival is when the packet that was sent now comes out at the other end, after those before it.
func (g *gate) arrival(now time.Time) time.Time {
	at := now.Add(g.link.Latency)
	if g.link.Jitter > 0 {
		at = at.Add(time.Duration(g.rng.Int64N(int64(g.link.Jitter) + 1)))
	}
	if at.Before(g.last) {
		at = g.last
	}
	g.last = at
	return at
}
