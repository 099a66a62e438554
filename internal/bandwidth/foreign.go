package bandwidth

import "time"

const (
	fairMore      = 1.2                     // times what is fair: pictures cannot wait as files can
	foreignCheck  = 8 * time.Second         // between looks whether the queue is ours after all
	foreignAgain  = time.Second             // before a second look, where it seemed so
	foreignLately = 20 * time.Second        // how long it is remembered that others fill the queue
	foreignGone   = 1500 * time.Millisecond // without a queue: they have ended
	flat          = 12 * time.Millisecond   // a delay that varies less is no queue of others
	flatFirst     = 300 * time.Millisecond  // after which more is sent, to see
	flatSpan      = 1500 * time.Millisecond // after which the path is taken to be longer
	flatLossless  = 8 * time.Second         // if nothing was lost for so long
)

// foreign is the time in which a queue stands that does not fall when we send
// less: others fill it. Then delay says nothing about us, and the target is what
// a TCP flow would have.
type foreign struct {
	on        bool
	events    int           // loss events seen
	lossy     bool          // there was one since it began
	checked   time.Duration // when it was last found that the queue is not ours
	low, high time.Duration // delays since flatSince
	flatSince time.Duration
	busy      time.Duration // when there was last a queue
	check     drain         // whether the queue is ours after all
	after     float64       // the target to go back to after a check
	ours      int           // checks in a row that the queue seemed to be ours
	ended     time.Duration // when it last ended; 0: never
	last      float64       // the target then
}

// begin starts it. What arrives is rate, and was before when the queue began.
func (f *foreign) begin(e *Estimator, now time.Duration, rate, before float64) {
	if f.lately(now) {
		rate = max(rate, 0.7*f.last)
	}
	*f = foreign{on: true, events: e.fair.events, checked: now - foreignCheck/2, busy: now}
	f.restart(e, now)
	e.control.goal = before
	e.setTarget(rate * 0.9)
}

func (f *foreign) end(now time.Duration, target float64) {
	f.on, f.ended, f.last = false, now, target
}

// lately reports whether the queue was somebody else's a moment ago.
func (f *foreign) lately(now time.Duration) bool { return f.ended > 0 && now-f.ended < foreignLately }

func (f *foreign) restart(e *Estimator, now time.Duration) {
	f.low, f.high, f.flatSince = e.delay.last, e.delay.last, now
}

func (f *foreign) decide(e *Estimator, now time.Duration, dt float64) {
	c := &e.control
	f.low, f.high = min(f.low, e.delay.last), max(f.high, e.delay.last)
	if f.high-f.low > flat {
		f.restart(e, now)
	}
	if e.delay.queue > small {
		f.busy = now
	}
	switch {
	case now-f.busy > foreignGone: // nobody fills it
		f.end(now, c.target)
	case now-f.flatSince > flatSpan && (e.fair.events == 0 || now-e.fair.at > flatLossless): // the path is only longer
		e.delay.raise(now, f.low)
		f.on = false
	case f.check.on:
		switch f.check.look(e, now) {
		case undecided:
		case drained:
			f.check.on, f.checked = false, now-foreignCheck+foreignAgain
			if f.ours++; f.ours > 1 {
				f.end(now, f.after)
				return
			}
			e.setTarget(f.after)
		case remains:
			f.check.on, f.checked, f.ours = false, now, 0
			e.setTarget(f.after)
		}
	case now-f.checked > foreignCheck && e.delay.queue > large && c.target > 0.5*e.fair.rate(now, e.trip):
		f.check.begin(now, c.acked, c.acked, 0)
		f.after = c.target
		e.setTarget(min(c.target, 0.65*c.acked))
	default:
		f.follow(e, now, dt)
	}
}

// follow moves the target to what is fair.
func (f *foreign) follow(e *Estimator, now time.Duration, dt float64) {
	c := &e.control
	if e.fair.events != f.events {
		f.lossy = e.fair.events > f.events
		f.events = e.fair.events
		if e.fair.count == 0 { // the first loss: as TCP, 0.7 of what was
			e.fair.seed(0.7*min(c.target, c.acked), e.trip)
		}
	}
	aim := fairMore * e.fair.rate(now, e.trip)
	less := dt * 0.7
	dt *= min(max(0.15, 1.1-10*(e.loss.share-1.5*e.noise.level)), 1) // where all lose much, it may be calls that do not yield
	switch {
	case aim == 0 && now-f.flatSince > flatFirst && c.target < c.goal: // it seems that the path is only longer
		e.setTarget(min(c.target*(1+1.5*dt), c.goal))
	case c.acked < 0.6*c.target && (aim == 0 || c.target < aim): // the sources do not use what they have
	case aim == 0, !f.lossy && c.target < aim:
		up := 0.1
		if c.target < narrow { // others are rather calls, which see our queue as we see theirs
			up = 0.03
		}
		e.setTarget(c.target * (1 + up*dt))
	case c.target < aim:
		up := 0.2
		if c.target < aim/2 {
			up = 0.6
		}
		e.setTarget(min(c.target*(1+up*dt), aim))
	default:
		e.setTarget(max(aim, c.target*(1-less)))
	}
}
