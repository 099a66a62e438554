package bandwidth

import "time"

const (
	coarseAfter = 3 * time.Second // without transport-wide reports
	idleAfter   = time.Second
	coarseStep  = 2 * time.Second // at most so much growth is caught up with at once
	coarseQueue = 150 * time.Millisecond
	coarsePause = time.Second // between cuts
	lossSmall   = 0.02
	lossLarge   = 0.1
	rembLasts   = 10 * time.Second
)

// coarse serves peers that send no transport-wide feedback: the loss and the
// round trip of receiver reports, with REMB as an upper bound.
type coarse struct {
	grown time.Duration // when the target was last looked at
	cut   time.Duration
	least time.Duration // round trip; 0: not known
	remb  float64       // bits per second
	at    time.Duration // when remb came; 0: never
}

// ReceiverReport takes in the loss (0 to 1) and the round trip (0: not known) of
// a receiver report (RFC 3550, section 6.4). It counts only while no
// transport-wide reports come. Other values are ignored.
func (e *Estimator) ReceiverReport(now time.Time, loss float64, rtt time.Duration) {
	at := e.time(now)
	if e.isDetailed(at) || !(loss >= 0 && loss <= 1) {
		return
	}
	e.silence.heard(e, false)
	e.loss.share = loss
	c := &e.coarse
	e.smoothTrip(rtt)
	if rtt > 0 && rtt <= longestTrip && (c.least == 0 || rtt < c.least) {
		c.least = rtt
	}
	e.delay.queue = 0
	if c.least > 0 && e.trip > c.least {
		e.delay.queue = e.trip - c.least
	}
	switch mayCut := at-c.cut >= coarsePause+e.trip; {
	case loss > lossLarge && mayCut:
		c.cut = at
		e.setTarget(e.control.target * (1 - loss/2))
	case e.delay.queue > coarseQueue && mayCut:
		c.cut = at
		e.setTarget(e.control.target * 0.85)
	case loss < lossSmall && e.delay.queue < coarseQueue/2:
		c.grow(e, at, 0.08)
	}
	c.bound(e, at)
}

// REMB takes in the receiver's own estimate, in bits per second, as an upper
// bound for 10 s. It counts only while no transport-wide reports come; what is not
// positive is ignored. It never raises the target at once.
func (e *Estimator) REMB(now time.Time, bps int) {
	at := e.time(now)
	if e.isDetailed(at) || bps <= 0 {
		return
	}
	e.silence.heard(e, false)
	c := &e.coarse
	c.remb, c.at = float64(bps), at
	if e.loss.share < lossSmall {
		c.grow(e, at, 0.15)
	}
	c.bound(e, at)
}

func (c *coarse) grow(e *Estimator, at time.Duration, perSecond float64) {
	dt := min(max(at-c.grown, 0), coarseStep).Seconds()
	c.grown = max(at, c.grown)
	if e.sent.rate(time.Second) >= 0.6*e.control.target {
		e.setTarget(e.control.target * (1 + perSecond*dt))
	}
}

func (c *coarse) bound(e *Estimator, at time.Duration) {
	if c.at > 0 && at-c.at < rembLasts {
		e.setTarget(min(e.control.target, c.remb))
	}
}

// isIdle reports whether nothing has been sent for long but what was reported on, by a transport-wide report.
func (e *Estimator) isIdle(at time.Duration) bool {
	return e.detailed > 0 && e.silence.since == 0 && at-e.detailed > idleAfter
}

// isDetailed reports whether transport-wide reports come. While nothing is sent they have nothing to say.
func (e *Estimator) isDetailed(at time.Duration) bool {
	return e.detailed > 0 && (at-e.detailed < coarseAfter || e.silence.since == 0)
}
