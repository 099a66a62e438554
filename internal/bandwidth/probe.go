package bandwidth

import "time"

const (
	probeLength  = 300 * time.Millisecond // of a burst
	probeTimes   = 1.5                    // of the target
	probeAfter   = 1.25                   // of the target, where the last one did not arrive
	probeMore    = 2.0                    // of the target, after probeStreak that left no queue
	probeStreak  = 2
	probeBeyond  = 1.2                    // of what is wanted at most: some of it may be lost, and then all that is wanted is to have arrived
	probeAgain   = 300 * time.Millisecond // after one that arrived
	probePause   = 4 * time.Second        // after one that did not, doubled each time
	longestPause = 16 * time.Second
	narrowPause  = 2500 * time.Millisecond // where pictures may wait for it
	narrow       = 150_000                 // bits per second: below it pictures may wait for a probe, so that the pause is not doubled
	unusedSpan   = time.Second
	noQueue      = 5 * time.Millisecond
	lastReport   = 300 * time.Millisecond // after which the peer has reported all that came: browsers do every 50 to 250 ms
)

// probe sends more than the sources do, in short bursts, to see whether it arrives: where they use less than the target
// but could use more than it, nothing else shows what the path takes.
type probe struct {
	want  float64 // bits per second that the sources could use
	rate  float64 // bits per second to send now; 0: none
	began time.Duration
	ends  time.Duration // of the burst
	tried float64       // the rate of the burst that is judged; 0: none
	from  float64       // the target when it began: it may grow meanwhile
	best  float64       // that arrived of it
	burst burst         // the same, from its first padding on
	used  time.Duration // when the sources last used the target
	idle  time.Duration // when they last did not
	next  time.Duration // no burst before
	pause time.Duration
	clear int // probes in a row that left no queue
}

// tick starts and ends probes.
func (p *probe) tick(e *Estimator, now time.Duration) {
	p.watch(e, now)
	if e.drain.on && e.isIdle(now) { // what there was has drained long ago
		e.drain.end(e)
	}
	switch {
	case !p.allowed(e, now):
		p.rate, p.tried = 0, 0
	case p.tried > 0:
		if now >= p.ends {
			p.rate = 0
		}
		if now > p.ends+e.trip+lastReport { // nothing is sent that would bring another report
			p.judge(e, now)
		}
	case now >= p.next:
		p.begin(e, now)
	}
}

// begin starts a burst, if one can show something.
func (p *probe) begin(e *Estimator, now time.Duration) {
	c := &e.control
	times := probeTimes
	switch {
	case p.pause > 0:
		times = probeAfter
	case p.clear >= probeStreak:
		times = probeMore
	}
	rate := min(times*c.target, probeBeyond*p.want, float64(e.config.Ceiling))
	if c.isFresh(now) {
		rate = min(rate, c.ceiling)
	}
	if p.want > c.target && rate > 1.1*c.target && !p.uses(now) {
		p.began, p.ends = now, now+p.length(e)
		p.rate, p.tried, p.from, p.best, p.burst = rate, rate, c.target, 0, burst{}
	}
}

// uses reports whether the sources use the target, or did until lately.
func (p *probe) uses(now time.Duration) bool { return now-p.used <= unusedSpan }

// length is that of a burst. What is too much of it drains slowly where sound takes most of a path.
func (p *probe) length(e *Estimator) time.Duration {
	if e.control.target < narrow {
		return probeLength * 2 / 3
	}
	return probeLength
}

// watch looks whether the sources use the target. They follow it late.
func (p *probe) watch(e *Estimator, now time.Duration) {
	if now-e.made.newest <= ackedWindow && e.made.rate(ackedWindow) >= 0.75*e.control.target {
		p.used = now
	} else {
		p.idle = now
	}
}

// allowed reports whether nothing else is being found out.
func (p *probe) allowed(e *Estimator, now time.Duration) bool {
	if e.isIdle(now) {
		return true
	}
	return e.isDetailed(now) && !e.drain.on && !e.foreign.on && !e.silence.on && e.noise.step == noTrial &&
		now >= e.control.hold && (p.tried > 0 || e.delay.queue < small+e.serial())
}

// judge looks at what arrives of a burst, after each report.
func (p *probe) judge(e *Estimator, now time.Duration) {
	if p.tried == 0 {
		return
	}
	if e.newest > p.began+probeLength/3 {
		p.best = max(p.best, e.acked.rate(quickWindow))
	}
	switch {
	case e.delay.queue > large:
		p.fail(e, now)
	case now < p.ends+e.trip+2*binLength && e.newest < p.ends:
	case p.best < p.least():
		p.fail(e, now)
	default:
		if e.control.target < narrow { // it is shorter than quickWindow
			p.best = max(p.best, p.burst.rate())
		}
		e.setTarget(max(e.control.target, 0.95*min(p.best, p.tried)))
		p.rate, p.tried, p.pause = 0, 0, 0
		p.next = now + probeAgain
		if p.clear++; e.delay.queue > noQueue {
			p.clear = 0
		}
	}
}

// least is what must arrive of a burst, measured over more than the burst. Below narrow it is a few packets, which say
// little; the queue says it there.
func (p *probe) least() float64 {
	if p.from < narrow {
		return 0.9 * p.from
	}
	return p.from + (p.tried-p.from)/5
}

// fail ends a burst that did not arrive as sent.
func (p *probe) fail(e *Estimator, now time.Duration) {
	p.pause = min(max(2*p.pause, probePause), longestPause)
	if e.control.target < narrow {
		p.pause = narrowPause
	}
	p.rate, p.tried, p.clear, p.next = 0, 0, 0, now+p.pause
}

// burst is what arrived of a probe.
type burst struct {
	sent        time.Duration // when its first padding was; 0: none was
	first, last time.Duration // arrivals, by the peer's clock
	bytes, head int           // of all, and of the first
}

// padded notes that padding was sent.
func (p *probe) padded(at time.Duration) {
	if p.tried > 0 && p.burst.sent == 0 {
		p.burst.sent = at
	}
}

// count takes in a packet that has arrived.
func (p *probe) count(sent, at time.Duration, size int) {
	b := &p.burst
	if p.tried == 0 || b.sent == 0 || sent < b.sent || sent >= p.ends {
		return
	}
	if b.bytes == 0 || at < b.first {
		b.first, b.head = at, size
	}
	b.last = max(b.last, at)
	b.bytes += size
}

// rate returns bits per second, or 0 if too little has arrived.
func (b *burst) rate() float64 {
	span := b.last - b.first
	if span < probeLength/3 {
		return 0
	}
	return float64(b.bytes-b.head) * 8 / span.Seconds()
}
