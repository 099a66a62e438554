package bandwidth

import "time"

const (
	provenBy   = 40 * time.Millisecond // by how much a queue should have fallen before it is judged
	yieldSpan  = 2 * time.Second
	drainLimit = 3 * time.Second         // after which a drain that shows nothing ends
	floodTimes = 1.5                     // times what arrives are sent: a flood
	floodLoss  = 0.02                    // and more than that is lost
	floodTail  = 2500 * time.Millisecond // other calls, such as connections of one room, have seen it by then
)

// drain watches what a cut does. A queue of our own falls by what less is sent.
// One that does not fall is somebody else's, or the path has become longer.
type drain struct {
	on       bool
	first    time.Duration // when the first cut was made
	flood    bool          // far more was sent then than the path takes
	began    time.Duration // when less was sent
	seen     bool          // what was sent since has arrived
	seenAt   time.Duration // since when
	best     float64       // that has arrived while a queue stood, of what was sent since
	rate     float64       // that arrives at the cut: all of the link, if nobody else sends
	queue    time.Duration // when the cut was seen
	expected time.Duration // by how much the queue should have fallen since
	before   float64       // that arrived before the first cut
	cuts     int           // made since, the first not counted
	failed   int           // times that the queue did not fall
	yielded  int           // drains in which others seem to have sent less
	yieldAt  time.Duration // the last of them
}

// verdict is what a drain shows.
type verdict uint8

const (
	undecided verdict = iota
	drained           // the queue is gone
	remains           // it does not fall as it should
)

// begin starts to watch; acked is what arrived before, rate what arrives now, and made what the sources make.
func (d *drain) begin(now time.Duration, rate, acked, made float64) {
	if !d.on {
		d.before, d.cuts, d.failed, d.first, d.flood = acked, 0, 0, now, made > floodTimes*rate
	}
	d.on, d.began, d.seen, d.rate, d.expected, d.best = true, now, false, max(rate, 1000), 0, 0
}

// watch is called after each report while a drain is on.
func (d *drain) watch(e *Estimator, now time.Duration) {
	if d.narrow(e, now) {
		return
	}
	switch d.look(e, now) {
	case undecided:
	case drained:
		d.end(e)
		if d.othersYielded(e, now) && !d.siblings(e) {
			e.foreign.begin(e, now, d.rate, d.before)
		}
	case remains:
		if d.failed++; !d.isOthers(e, now) {
			d.seen, d.expected = false, 0
			return
		}
		d.on = false
		e.foreign.begin(e, now, d.rate, d.before)
	}
}

// end ends a drain that has done its work.
func (d *drain) end(e *Estimator) {
	d.on = false
	e.control.ceiling = max(d.rate, d.best) // in an overfull queue of many the rate is a matter of chance
	e.control.goal = 0.93 * e.control.ceiling
}

// isOthers reports whether a queue that did not fall is one that others keep. It may fall after the second look. Where a
// path has become narrow under several calls, some learn of it later than others, and do not keep it.
func (d *drain) isOthers(e *Estimator, now time.Duration) bool {
	flood := d.flood && e.loss.share > floodLoss && now-d.first < floodTail
	return e.foreign.lately(now) || d.failed >= 2 && !flood && !d.siblings(e)
}

// siblings reports whether those who fill the queue are rather connections of the same room. Each takes the queue of the
// others for that of somebody who does not yield, and whoever acts on that takes their sound.
func (d *drain) siblings(e *Estimator) bool {
	rate := max(d.before, d.rate)
	return rate < narrow && e.beside > rate/2
}

// narrow follows a path that takes less than was thought at the cut. It returns
// true if that was noticed so late that the drain had to begin again.
func (d *drain) narrow(e *Estimator, now time.Duration) bool {
	queue := e.delay.queue
	quick := e.acked.rate(window(queue))
	switch {
	case quick == 0 || queue < large:
	case !d.seen: // what arrives now waited in the queue and was sent before the cut
		d.rate = min(d.rate, quick)
		e.setTarget(min(e.control.target, keep(queue)*d.rate))
	case queue > d.queue+30*time.Millisecond && quick < 0.8*d.rate && d.cuts < 2:
		d.cuts++
		e.control.cut(e, now)
		return true
	}
	return false
}

// othersYielded reports whether the queue has gone three times by more than
// what we sent less, after a loss that only queues explain: that is a TCP flow in a short queue.
func (d *drain) othersYielded(e *Estimator, now time.Duration) bool {
	if d.queue < 2*d.expected+large || now-e.fair.at > yieldSpan || e.loss.slow > 0.005 {
		return false
	}
	if now-d.yieldAt > fairMemory {
		d.yielded = 0
	}
	d.yielded++
	d.yieldAt = now
	return d.yielded > 2
}

// look compares the queue with what it should be.
func (d *drain) look(e *Estimator, now time.Duration) verdict {
	queue := e.delay.queue
	if e.newest < d.began {
		return undecided
	}
	if !d.seen {
		d.seen, d.seenAt, d.queue = true, e.now, queue
		return undecided
	}
	if queue < small+e.serial() {
		return drained
	}
	if e.now-d.seenAt > ackedWindow {
		d.best = max(d.best, e.control.acked)
	}
	// Alone, what was sent in span takes this much less time to arrive; d.rate may be a little wrong.
	d.expected += e.span - e.span/16 - time.Duration(float64(e.spanBytes*8)/d.rate*1e9)
	if queue > large && d.expected >= provenBy+2*e.serial() && d.queue-queue < min(d.expected, d.queue)/2 {
		return remains
	}
	limit := drainLimit
	if e.foreign.lately(now) {
		limit /= 3
	}
	switch over := now-d.began > limit+2*d.queue; {
	case over && e.Target() <= e.config.Floor && queue > max(large, d.queue/2): // less cannot be sent
		return remains
	case over, d.expected > 2*d.queue+100*time.Millisecond: // as good as
		return drained
	}
	return undecided
}

// window is the time over which the rate of a link with a queue is measured: all
// that arrives in it waited in the queue.
func window(queue time.Duration) time.Duration {
	return min(max(queue, quickWindow), ackedWindow)
}
