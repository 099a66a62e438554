package media

import (
	"cmp"
	"sort"
	"time"
)

const (
	// lookAheadTime is how long a frame waits for those behind it, which show whether
	// it was late.
	lookAheadTime = 500 * time.Millisecond
	// doubtTime is how long it waits if all of them seem late: what was held up on
	// the network catches up within that time, or is seen to do so; what was
	// silent at the source does not.
	doubtTime = 2 * time.Second
	// leastDelay is the least that counts as late.
	leastDelay = 30 * time.Millisecond
	// leastStumble is the least by which one frame is later than the one before it, if
	// its source has stood still.
	leastStumble = 15 * time.Millisecond
	// farDelay is by how much a track may be late for long before it is believed
	// to be another time, with no frame at which that began.
	farDelay = 3 * time.Second
	// excusableDelay is by how much fewFrames may be late and show nothing.
	excusableDelay = 500 * time.Millisecond
	fewFrames      = 3
	// absurdOffset is by how much timestamps and arrival differ at most; beyond it
	// other timestamps begin.
	absurdOffset = 15 * time.Second
)

// pendingFrame is a frame that waits for its time.
type pendingFrame struct {
	picture
	media   time.Duration // by the RTP timestamps, from the track's first frame on
	arrival time.Duration
	renewed bool          // other timestamps begin here
	apart   bool          // how late the frames before it were says nothing of it
	clock   time.Duration // what a report that came with it says, as in clockOf; used by the lane
	told    bool          // it does
}

// late returns how late a frame is, by a zero of its own.
func (d *pendingFrame) late() time.Duration { return d.arrival - d.media }

// low is a frame that is less late than all that came after it.
type low struct {
	number uint64
	late   time.Duration
}

// line says when the frames of one track were made, on the clock by which they
// arrive. It is a pure machine: times come in from outside.
//
// Between two packets the sender's timestamps are right, and arrival is not: the
// network holds packets up and lets them go in bursts. Over minutes arrival is
// right, and timestamps are not, because their clock runs faster or slower than
// ours. So a frame is put at its timestamp and the lateness of those packets
// which nothing held up, the least of the last 16 seconds. If from some frame on
// all are later, and stay so, then nothing is held up but the source has stood
// still, as the writer of samples does that has nothing to say, and the line
// goes on by so much later. If a frame is earlier than can be, its timestamps
// have jumped, or the line was late.
type line struct {
	rate int64 // of the RTP timestamps, a second

	// Of what comes in.
	began   bool
	renewed bool   // other timestamps follow
	rtp     uint32 // of the newest frame
	media   time.Duration
	late    time.Duration
	waiting []pendingFrame
	lows    []low  // of those that wait, first to last
	number  uint64 // of the first that waits
	border  uint64 // number of the latest that is apart

	// Of what goes out.
	anchored  bool
	decided   bool // level is what the first frame that waits goes by
	level     time.Duration
	recent    windowMin
	lastLate  time.Duration
	draining  bool          // the network held up a lot, and it comes now
	stood     bool          // timestamps stood still
	confirmed time.Duration // when a sender report said last that timestamps go on as before
	slipped   time.Duration // by how much timestamps and the sender's clock moved apart, to be taken by the owner

	jump   bool // the first frame that waits does not follow the one before it
	placed bool
	last   time.Duration // media of the one before
	at     time.Duration // of the one before, in the recording
	lasts  time.Duration // what the one before lasts; sound only
	adrift time.Duration // by how much at is later than it should be
}

// restart says that other timestamps follow.
func (l *line) restart(rate uint32) { l.rate, l.renewed = max(int64(rate), 1), true }

// ahead returns how far a timestamp is behind the newest frame's, on its clock.
func (l *line) ahead(timestamp uint32) time.Duration {
	return time.Duration(int32(timestamp-l.rtp)) * time.Second / time.Duration(l.rate)
}

// push takes a frame that was complete at arrival.
func (l *line) push(p picture, timestamp uint32, arrival time.Duration) {
	d := pendingFrame{picture: p, arrival: arrival}
	if l.began {
		d.media = l.media + l.ahead(timestamp)
		if off := d.late() - l.late; l.renewed || off > absurdOffset || off < -absurdOffset {
			d.renewed, d.media = true, arrival-l.late
		}
	}
	l.began, l.renewed, l.rtp, l.media, l.late = true, false, timestamp, d.media, d.late()
	number := l.number + uint64(len(l.waiting))
	if d.renewed && d.late() < l.level+3*leastDelay || l.impossible(d.late()) { // in a burst they belong together
		d.apart, l.border = true, number
	}
	for n := len(l.lows); n > 0 && l.lows[n-1].number >= l.border && l.lows[n-1].late >= d.late(); n-- {
		l.lows = l.lows[:n-1]
	}
	l.lows = append(l.lows, low{number, d.late()})
	l.waiting = append(l.waiting, d)
}

// impossible reports whether no frame that came of late was so little late; the
// first half second of other timestamps is no measure.
func (l *line) impossible(late time.Duration) bool {
	if !l.anchored || l.border >= l.number && len(l.lows) > 0 {
		return false
	}
	least := l.level
	if len(l.lows) > 0 {
		least = min(least, l.lows[0].late)
	}
	return late < least-leastDelay
}

// target is when the first frame that waits was made, as far as is known.
func (l *line) target() time.Duration {
	level := l.level
	if !l.anchored || l.waiting[0].renewed && !l.decided {
		level = l.lows[0].late
	}
	return l.waiting[0].media + level
}

// decide finds the level by which the first frame that waits is placed. False: that is not known at
// now; with finally it is decided anyway.
func (l *line) decide(now time.Duration, finally bool) bool {
	head := &l.waiting[0]
	waited := now - head.arrival
	if l.decided || !finally && waited < lookAheadTime {
		return l.decided
	}
	least := l.lows[0].late
	over := least - l.level
	switch {
	case !l.anchored || head.renewed:
		l.move(least)
	case head.late() < l.level-leastDelay:
		if l.lastLate-l.level < leastStumble { // it was not late before: its timestamps jumped
			l.slipped += over
		}
		l.move(least)
	case l.stuck():
		l.stood = true
		l.move(head.late())
	case over < leastDelay:
		l.draining = false
	case l.draining || over > farDelay || head.late()-l.lastLate >= max(leastStumble, over/2):
		if !finally && waited < doubtTime {
			return false
		}
		if l.draining = l.drains(); !l.draining && !l.excused(over) {
			l.slipped += over
			l.move(least)
		}
	}
	l.recent.add(head.arrival, head.late())
	l.level = min(l.recent.least(), least)
	l.stood = l.stood && head.late()-l.lastLate > leastStumble
	l.decided, l.lastLate = true, head.late()
	return true
}

// move goes over to another level at once.
func (l *line) move(level time.Duration) {
	l.anchored, l.jump, l.draining, l.level = true, true, false, level
	l.recent = windowMin{span: l.recent.span}
	l.recent.add(l.waiting[0].arrival, level)
}

// excused reports whether a track may be late by so much and nothing has stood still: the sender's
// clock says so, or too little came to know, or the tracks behind it are later still, so that those
// have stood still.
func (l *line) excused(over time.Duration) bool {
	soon := l.waiting[0].arrival + lookAheadTime/2
	after := sort.Search(len(l.lows), func(i int) bool { return l.waiting[l.lows[i].number-l.number].arrival >= soon })
	if over < excusableDelay/2 && after < len(l.lows) && l.lows[after].late-l.lows[0].late > leastStumble {
		return true
	}
	few := len(l.waiting) < fewFrames
	switch told := l.confirmed > l.waiting[0].arrival; {
	case few && told:
		return over <= 2*excusableDelay
	case few:
		return over <= excusableDelay
	default:
		return told && over <= excusableDelay/2
	}
}

// samples is how many of the frames that wait are looked at.
const samples = 64

// drains reports whether those that wait are less and less late, though all are.
func (l *line) drains() bool {
	head, n := l.waiting[0].arrival, len(l.waiting)
	quarter := (l.waiting[n-1].arrival - head) / 4
	earlier, later := noMin, noMin
	for i := 1; i < n; i += 1 + n/samples {
		d := &l.waiting[i]
		if d.apart {
			break
		}
		switch since := d.arrival - head; {
		case since < quarter: // what was queued at the source comes at once
		case since < quarter*5/2:
			earlier = min(earlier, d.late())
		default:
			later = min(later, d.late())
		}
	}
	return earlier != noMin && later != noMin && earlier-later > 2*leastDelay
}

// stuck reports whether timestamps stand still, or nearly, while frames come.
func (l *line) stuck() bool {
	n := len(l.waiting)
	first, middle, end := &l.waiting[0], &l.waiting[n/2], &l.waiting[n-1]
	stands := func(a, b *pendingFrame) bool {
		took := b.arrival - a.arrival
		return took > lookAheadTime/4 && b.media-a.media < took/5
	}
	return l.stood && first.late()-l.lastLate > leastStumble || n > 4 && stands(first, middle) && stands(middle, end)
}

// take takes the first frame that waits and puts it at its time, moved by shift,
// so that what plays the recording does not stumble.
func (l *line) take(shift time.Duration, sound bool) pendingFrame {
	d := l.waiting[0]
	target := d.media + l.level + shift
	switch {
	case !l.placed:
		l.placed, d.at = true, target
	case sound:
		d.at = l.followSound(d.media-l.last, target)
	default:
		d.at = l.followPicture(d.media-l.last, target)
	}
	l.adrift = d.at - target
	l.last, l.at = d.media, d.at
	l.lasts = 0
	if sound {
		var ok bool
		if l.lasts, ok = opusDuration(d.data); !ok {
			l.lasts = pcmFrame
		}
	}
	l.drop()
	return d
}

// drop forgets the first frame that waits.
func (l *line) drop() {
	l.waiting[0] = pendingFrame{}
	l.waiting = l.waiting[1:]
	if l.lows[0].number == l.number {
		l.lows = l.lows[1:]
	}
	l.number++
	l.decided, l.jump = false, false
}

const (
	// unseenOffset is an unnoticeable difference between picture and sound.
	unseenOffset = 15 * time.Millisecond
	// easingTime is over how long small differences are made up for.
	easingTime = 4 * time.Second
	// pauseLength is a silence in which sound may be moved at once.
	pauseLength = 100 * time.Millisecond
	// unbearableOffset is a difference for which sound is moved at once anyhow.
	unbearableOffset = 250 * time.Millisecond
)

// followSound returns where sound goes that comes step after the one before it and should be at
// target. In a pause, and where the source itself has jumped, it goes there. In between its rate
// changes by a two-hundredth at most, which is inaudible, by a hundredth if it is far off.
func (l *line) followSound(step, target time.Duration) time.Duration {
	expected := l.at + max(step, 0)
	off := target - expected
	took := min(max(step, l.lasts), time.Second)
	most := took / 200
	if off.Abs() > 3*unseenOffset {
		most = took / 100
	}
	if off < -time.Second {
		most *= 4
	}
	end := l.at + l.lasts - l.lasts*most/max(took, 1)
	switch {
	case l.jump && off.Abs() > unseenOffset, step-l.lasts >= pauseLength, off > unbearableOffset:
	case off < -absurdOffset: // packets that last longer than their timestamps say
		return target
	default:
		target = expected + min(max(time.Duration(float64(off)*float64(took)/float64(easingTime)), -most), most)
	}
	return max(target, end)
}

// followPicture is followSound for pictures: one that stands a little longer is
// not seen, and some that follow each other twice as fast neither.
func (l *line) followPicture(step, target time.Duration) time.Duration {
	expected := l.at + max(step, 0)
	off := target - expected
	switch {
	case l.jump:
		return max(target, l.at+time.Millisecond)
	case off.Abs() <= unseenOffset:
		return expected + time.Duration(float64(off)*float64(min(max(step, 0), time.Second))/float64(easingTime))
	}
	end := l.at + max(min(step, time.Second)/2, time.Millisecond)
	if end-target > 3*time.Second {
		end = l.at + time.Millisecond
	}
	return max(target, end)
}

// windowMin keeps the least of eight spans of time, of 2 s each if it is not said
// otherwise.
type windowMin struct {
	span  time.Duration // 0: 2 s
	at    int64         // which span the latest is
	used  bool
	spans [8]time.Duration
}

// noMin is the least of nothing.
const noMin = time.Duration(1<<63 - 1)

func (e *windowMin) add(at, late time.Duration) {
	span := int64(at / cmp.Or(e.span, 2*time.Second))
	if !e.used || span-e.at >= int64(len(e.spans)) {
		for i := range e.spans {
			e.spans[i] = noMin
		}
		e.at, e.used = span, true
	}
	for e.at < span {
		e.at++
		e.spans[e.index()] = noMin
	}
	e.spans[e.index()] = min(e.spans[e.index()], late)
}

func (e *windowMin) index() int { return int(uint64(e.at) % uint64(len(e.spans))) }

func (e *windowMin) least() time.Duration {
	least := noMin
	for _, s := range e.spans {
		least = min(least, s)
	}
	return least
}
