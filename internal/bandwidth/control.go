package bandwidth

import (
	"math"
	"time"
)

// How long a queue stands.
const (
	small    = 15 * time.Millisecond  // there is none
	large    = 30 * time.Millisecond  // too much is sent
	overfull = 40 * time.Millisecond  // it should not become longer
	huge     = 120 * time.Millisecond // far too much is sent
	deep     = 500 * time.Millisecond // from here on as little is sent as in any drain
)

// Over which time the rate that arrives is measured.
const (
	ackedWindow = 500 * time.Millisecond
	quickWindow = 200 * time.Millisecond // where the path has just become narrower
)

const (
	ceilingLasts  = 8 * time.Second
	ceilingNarrow = 3 * time.Second
	unusedQueue   = time.Second             // that is no reason to send less, where little is sent
	growthDoubles = 1000 * time.Millisecond // beyond the ceiling
)

// control decides on the target.
type control struct {
	target  float64       // bits per second
	acked   float64       // that arrive, over ackedWindow
	ceiling float64       // that arrived when it was last too much; 0: never
	goal    float64       // what was possible before: back to it quickly
	hold    time.Duration // until when it does not grow
	full    time.Duration // since when the queue is large; 0: it is not
	cutAt   time.Duration // when it was last too much
	passed  time.Duration // since when the target is above the ceiling; 0: it is not
	grown   time.Duration // when the target was last looked at
}

// decide moves the target after each report.
func (c *control) decide(e *Estimator, now time.Duration) {
	dt := min(max(now-c.grown, 0), 200*time.Millisecond).Seconds()
	c.grown = max(now, c.grown)
	c.acked = e.acked.rate(ackedWindow)
	if c.acked == 0 {
		return
	}
	switch {
	case e.foreign.on:
		e.foreign.decide(e, now, dt)
	case e.drain.on:
		e.drain.watch(e, now)
	case c.isTooMuch(e, now):
		c.cut(e, now)
	case e.noise.step != noTrial:
		e.noise.judge(e, now)
	case e.noise.suspect(e, now):
		e.noise.try(e, now)
	case now < c.hold:
	default:
		c.grow(e, now, dt)
	}
}

// isTooMuch reports whether less is to be sent. Where the sources send less than they may, the queue is probably not ours
// and those who fill it are about to send less.
func (c *control) isTooMuch(e *Estimator, now time.Duration) bool {
	queue := e.delay.queue
	if queue <= large+e.serial()+e.room() {
		c.full = 0
		return false
	}
	if c.full == 0 {
		c.full = now
	}
	return e.probe.uses(now) || e.probe.tried > 0 || queue > huge || now-c.full > unusedQueue
}

// cut takes the target below what arrives, so that the queue drains.
func (c *control) cut(e *Estimator, now time.Duration) {
	queue := e.delay.queue
	rate := c.acked
	quick := e.acked.rate(window(queue))
	if queue > huge && quick > 0 {
		rate = min(rate, quick)
	}
	if e.probe.tried > 0 && quick > rate { // of a burst, which is shorter than ackedWindow
		rate = min(quick, c.target)
	}
	switch {
	case queue >= huge:
	case !e.probe.uses(now): // it is not we who send too much
		rate = max(rate, 0.8*c.target)
	case now-e.probe.idle < ackedWindow+e.trip: // they have begun within ackedWindow
		rate = max(rate, min(quick, c.target))
	}
	c.ceiling, c.cutAt, c.passed = rate, now, 0
	c.goal = 0
	e.noise.step = noTrial
	e.drain.begin(now, rate, c.acked, e.made.rate(ackedWindow))
	part := keep(queue - e.room())
	if e.probe.tried > 0 { // the sources send less than the target: the queue goes with the burst
		e.probe.fail(e, now)
		part = 0.9
	}
	e.setTarget(min(c.target, part*rate))
}

// isFresh reports whether the ceiling was found lately.
func (c *control) isFresh(now time.Duration) bool {
	lasts := ceilingLasts
	if c.target < narrow { // it may be by chance, and pictures wait
		lasts = ceilingNarrow
	}
	return c.cutAt > 0 && now-c.cutAt < lasts
}

// keep is the part of what arrives that is sent while a queue drains.
func keep(queue time.Duration) float64 {
	switch {
	case queue > huge:
		return max(0.6-0.2*(queue-huge).Seconds()/(deep-huge).Seconds(), 0.4)
	case queue > large:
		return 0.9 - 0.3*(queue-large).Seconds()/(huge-large).Seconds()
	}
	return 0.9
}

// grow raises the target where the path seems free. The sources follow late, and what they do then is seen a round trip
// later: near the ceiling the target grows by so little that meanwhile no long queue forms, beyond it ever faster.
func (c *control) grow(e *Estimator, now time.Duration, dt float64) {
	queue, none := e.delay.queue, small+e.serial()
	if queue >= none {
		return
	}
	known := c.isFresh(now) && c.target < min(c.goal, c.ceiling)
	if !known && (c.acked < 0.6*c.target || !e.probe.uses(now)) { // the sources do not use what they have
		return
	}
	dt *= min(1, 1.5-1.5*max(queue, 0).Seconds()/none.Seconds())
	switch {
	case c.target < c.goal:
		e.setTarget(min(c.target*(1+dt), c.goal))
	case c.ceiling == 0:
		e.setTarget(c.target * (1 + 0.55*dt))
	case c.target < 0.8*c.ceiling:
		e.setTarget(c.target * (1 + 0.35*dt))
	default:
		if c.target > 1.05*c.ceiling && c.passed == 0 {
			c.passed = now
		}
		up := 0.03*c.target + 5000
		if c.passed > 0 {
			up *= math.Exp2((now - c.passed).Seconds() / growthDoubles.Seconds())
		}
		e.setTarget(c.target + min(up, 0.35*c.target)*dt)
	}
}
