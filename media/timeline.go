package media

import (
	"slices"
	"time"
)

const (
	// settleTime is how long a frame waits for earlier ones of other tracks.
	settleTime = 500 * time.Millisecond
	// maxSettling bounds what waits, in bytes.
	maxSettling = 16 << 20
	// dueSize is about what a frame that waits takes in addition to its bytes.
	dueSize = 256
	// holdTime is how long a track's first frame waits until the sender's clock shows how it belongs to
	// the sound.
	holdTime = 3 * time.Second
	// maxLead is the most by which tracks of one sender are moved against each
	// other.
	maxLead = 3 * time.Second
	// maxGuess is the most by which they are moved for one report of each.
	maxGuess = 800 * time.Millisecond
	// maxRevision is by how much more they may be moved once it is known.
	maxRevision = 500 * time.Millisecond
	// staleReport is how much older than another a report is at most to be
	// compared with it.
	staleReport = 15 * time.Second
	// clockStep is the least by which a sender's clock steps; less is
	// inaccuracy.
	clockStep = 50 * time.Millisecond
	// stepProof is how long a step has to be reported before it is believed.
	stepProof = 500 * time.Millisecond
	// reportsWeighed is over how many sender reports is averaged.
	reportsWeighed = 4
)

// A timeline puts the frames of all tracks of a recording onto one line of time
// and into its order. It is a pure machine and belongs to one goroutine.
type timeline struct {
	lanes []*lane
	now   time.Duration // the latest time passed in
	bytes int           // that wait
	begun bool
	zero  time.Duration // of the recording: when its first frame was made
}

// kin are the lanes of one sender, which share its clock.
type kin struct {
	lanes []*lane
	epoch time.Time // of which the clock's times are counted
}

// A lane is a track's place in a timeline. Of the tracks of one sender, sound goes by its own line
// and pictures by that sound, as far as the sender's clock shows how they belong together: moved
// sound is audible, and moved pictures are not noticed.
type lane struct {
	line
	kin     *kin
	sound   bool
	clocked bool // its track may report the sender's clock

	clock clockOf
	shift time.Duration // by how much it is moved, to be in sync
	known bool          // shift was found by the sender's clock
	gone  bool          // nothing more comes
	from  time.Duration // what was made earlier is left out, if it is sound
}

// clockOf is what sender reports say about a track: what the sender's clock showed at media time 0.
type clockOf struct {
	reports   int // that count, averaged over at most reportsWeighed
	zero      time.Duration
	seen      time.Duration // when the latest came
	since     time.Duration // when the clock stepped last
	stepped   bool          // the latest say something else:
	other     time.Duration
	otherFrom time.Duration
}

// report is a sender report: what its clock showed, and the RTP timestamp that
// belongs to it.
type report struct {
	at        time.Time
	timestamp uint32
}

// take takes a frame that was complete at arrival; now is not before it.
func (t *timeline) take(l *lane, p picture, timestamp uint32, arrival, now time.Duration) {
	if !l.began {
		t.lanes = append(t.lanes, l)
		l.kin.lanes = append(l.kin.lanes, l)
	}
	t.now = max(t.now, now, arrival)
	t.bytes += len(p.data) + dueSize
	l.push(p, timestamp, arrival)
}

// leave says that nothing more comes on l.
func (t *timeline) leave(l *lane) {
	l.gone = true
	t.prune(l)
}

// prune lets a lane go that has gone and waits for nothing.
func (t *timeline) prune(l *lane) {
	if l.gone && len(l.waiting) == 0 {
		t.lanes = slices.DeleteFunc(t.lanes, func(other *lane) bool { return other == l })
		l.kin.lanes = slices.DeleteFunc(l.kin.lanes, func(other *lane) bool { return other == l })
	}
}

// next returns the frame that is due; false if that is not sure yet. With finally it is returned
// anyway.
func (t *timeline) next(finally bool) (picture, bool) {
	for {
		l, at := t.first()
		if l == nil {
			return picture{}, false
		}
		force := finally || l.gone || t.bytes > maxSettling
		if !l.decided {
			if !l.decideLane(t.now, force) {
				return picture{}, false
			}
			continue // it may no longer be the first
		}
		if !force && at > t.now-settleTime+t.back() {
			return picture{}, false
		}
		d := l.line.take(l.shift, l.sound)
		t.bytes -= len(d.data) + dueSize
		t.prune(l)
		if l.sound && d.at < l.from {
			continue // of before the track was added
		}
		if d.at = max(d.at, l.from); !t.begun {
			t.begun, t.zero = true, d.at
		}
		if d.at -= t.zero; l.sound && d.at < -2*leastDelay {
			continue // or of before the recording
		}
		d.at = max(d.at, 0)
		return d.picture, true
	}
}

// first returns the lane whose frame comes first, and when.
func (t *timeline) first() (first *lane, at time.Duration) {
	for _, l := range t.lanes {
		if len(l.waiting) == 0 {
			continue
		}
		if target := l.target() + l.shift; first == nil || target < at {
			first, at = l, target
		}
	}
	return first, at
}

// back returns by how much frames may be moved back that are still to come.
func (t *timeline) back() (least time.Duration) {
	for _, l := range t.lanes {
		least = min(least, l.shift)
	}
	return least
}

// decideLane is decide with the sender's clock.
func (l *lane) decideLane(now time.Duration, finally bool) bool {
	if !l.anchored && !finally && l.mayBeKnown() && now-l.waiting[0].arrival < holdTime {
		if _, known := l.lead(); !known {
			return false
		}
	}
	if !l.decide(now, finally) {
		return false
	}
	l.clock.slip(l.slipped)
	l.slipped = 0
	if head := &l.waiting[0]; head.told {
		l.clock.take(head.clock, head.arrival)
		head.told = false
	}
	if lead, known := l.lead(); known {
		l.shift, l.known = lead, true
	}
	return true
}

// leader returns the lane that is not moved: the first with sound, if any has.
func (k *kin) leader() *lane {
	for _, l := range k.lanes {
		if l.sound {
			return l
		}
	}
	return k.lanes[0]
}

// mayBeKnown reports whether the sender's clock may still show how l is to be moved.
func (l *lane) mayBeKnown() bool {
	leader := l.kin.leader()
	return leader != l && leader.clocked && l.clocked
}

// lead returns by how much the lane is to be moved to be in sync with its leader;
// false if that is not known.
func (l *lane) lead() (time.Duration, bool) {
	leader := l.kin.leader()
	a, b := &l.clock, &leader.clock
	switch {
	case leader == l, a.reports == 0, b.reports == 0, a.stepped, b.stepped,
		a.seen < b.since, b.seen < a.since, (a.seen - b.seen).Abs() > staleReport:
		return 0, false
	}
	lead := a.zero - l.basis() - (b.zero - leader.basis())
	if lead.Abs() > maxGuess && min(a.reports, b.reports) < 2 {
		return 0, false // one report says little
	}
	if lead.Abs() > maxLead || l.known && lead.Abs() > (l.shift-leader.shift-leader.adrift).Abs()+maxRevision {
		return 0, false // no clock shows that
	}
	lead += leader.shift + leader.adrift
	return lead, lead.Abs() <= absurdOffset
}

// basis is the level, or what it is likely to be.
func (l *lane) basis() time.Duration {
	if !l.anchored && len(l.lows) > 0 {
		return l.lows[0].late
	}
	return l.level
}

// report takes a sender report that has come by now, with the newest frame. One that
// says something new waits with that frame: until it is its turn, it is known whether
// the source has stood still before it.
func (l *lane) report(r report, now time.Duration) {
	if l.kin.epoch.IsZero() {
		l.kin.epoch = r.at
	}
	zero := r.at.Sub(l.kin.epoch) - l.media - l.ahead(r.timestamp)
	switch {
	case l.clock.reports == 0:
		l.clock.take(zero, now)
	case (zero - l.clock.zero).Abs() <= unseenOffset:
		l.clock.take(zero, now)
		l.confirmed = now
	case len(l.waiting) > 0:
		newest := &l.waiting[len(l.waiting)-1]
		newest.clock, newest.told = zero, true
	}
}

// take takes what a report says the clock showed at media time 0. A clock that steps is believed
// once that lasts: each track reports it at another time, and until all of them have they are not
// compared.
func (c *clockOf) take(zero, now time.Duration) {
	c.seen = max(c.seen, now)
	switch {
	case c.reports == 0:
		c.zero, c.reports = zero, 1
	case (zero - c.zero).Abs() <= clockStep:
		c.reports = min(c.reports+1, reportsWeighed)
		c.zero += (zero - c.zero) / time.Duration(c.reports)
		c.stepped = false
	case c.stepped && (zero-c.other).Abs() <= clockStep:
		if now-c.otherFrom >= stepProof {
			c.zero, c.reports, c.since, c.stepped = zero, 1, c.otherFrom, false
		}
	default:
		c.stepped, c.other, c.otherFrom = true, zero, now
	}
}

// slip says that the media's time has stood still for d, while the clock went on.
func (c *clockOf) slip(d time.Duration) {
	c.zero += d
	if c.stepped && (c.zero-c.other).Abs() <= clockStep {
		c.stepped = false
	}
}
