package bandwidth

import "time"

const (
	muchLoss   = 0.06             // from here on it is asked whether the loss is our fault
	worstLoss  = 0.30             // from here on less is sent in any case
	trialSpan  = time.Second      // of a step, at least
	trialLong  = 3 * time.Second  // of a step, if fewer packets are sent than trialCount
	trialCount = 60               // packets
	noiseSpan  = 30 * time.Second // how long it is remembered what the path loses as such
	quickLoss  = 0.2              // from here on it is asked at once
)

// noise finds out whether loss without a queue comes from sending too much
// (policers, shallow queues) or from the path as such: it sends less for a
// moment, then as much as before, and looks whether loss goes and comes.
type noise struct {
	step   trial
	began  time.Duration
	before float64 // target
	rate   float64 // that arrived before
	loss   float64 // before
	got    int     // of what was sent since began
	gone   int
	level  float64       // loss that the path has as such
	known  time.Duration // when level was found
	sure   time.Duration // when it was last found that loss was our fault; 0: never
	since  time.Duration // there is much loss since then; 0: there is not
}

type trial uint8

const (
	noTrial trial = iota
	sendLess
	sendAgain
)

// suspect reports whether loss is to be looked into.
func (n *noise) suspect(e *Estimator, now time.Duration) bool {
	if n.level > 0 && now-n.known > noiseSpan {
		n.level = 0
	}
	bound := max(muchLoss, min(1.5*n.level+0.04, worstLoss))
	if e.loss.slow < bound {
		n.since = 0
		return false
	}
	if n.since == 0 {
		n.since = now
	}
	wait := 700 * time.Millisecond
	if e.loss.slow > max(quickLoss, 1.5*n.level+0.1) {
		wait = 300 * time.Millisecond
	}
	return now-n.since > wait
}

func (n *noise) try(e *Estimator, now time.Duration) {
	n.before, n.rate, n.loss = e.control.target, e.control.acked, e.loss.slow
	n.begin(now, sendLess)
	e.setTarget(min(e.control.target, 0.9*n.rate))
}

func (n *noise) begin(now time.Duration, step trial) {
	n.step, n.began, n.got, n.gone = step, now, 0, 0
}

// count takes in what became of a packet that was sent at a time.
func (n *noise) count(sent time.Duration, got bool) {
	if n.step == noTrial || sent < n.began+30*time.Millisecond {
		return
	}
	if got {
		n.got++
	} else {
		n.gone++
	}
}

func (n *noise) judge(e *Estimator, now time.Duration) {
	c := &e.control
	all, spent := n.got+n.gone, now-n.began
	if spent < trialSpan+e.trip || all < trialCount && spent < trialLong {
		return
	}
	share := float64(n.gone) / float64(max(all, 1))
	n.since = 0
	switch {
	case n.step == sendLess && share >= worstLoss:
		n.step = noTrial
		c.ceiling = c.acked
	case n.step == sendLess && share >= n.loss/3: // the path loses as much whatever is sent
		n.step = noTrial
		n.level, n.known = (share+n.loss)/2, now
		e.setTarget(max(c.target, n.before))
	case n.step == sendLess && (n.sure == 0 || now-n.sure > time.Minute || n.rate < 0.8*c.ceiling):
		n.begin(now, sendAgain)
		e.setTarget(max(c.target, n.before))
	case n.step == sendAgain && share < n.loss/2:
		n.step = noTrial
	default:
		n.step = noTrial
		n.sure = now
		c.hold = now + 5*time.Second
		c.ceiling = n.rate
		e.setTarget(min(c.target, 0.95*n.rate))
	}
}
