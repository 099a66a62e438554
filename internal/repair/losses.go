package repair

import (
	"slices"
	"time"
)

const (
	maxMissing = 512 // packets of one stream that are waited for; a larger gap is no loss, but a break

	mostAsks  = 2
	settling  = 10 * time.Millisecond  // a packet that comes so much later was reordered, not lost
	firstWait = 200 * time.Millisecond // for an answer, before there was one
	leastWait = 100 * time.Millisecond
	mostWait  = time.Second
)

// losses knows which packets of one stream are missing. The zero losses has seen none.
type losses struct {
	started bool
	highest uint16
	missing []loss        // oldest first
	answer  time.Duration // from asking to what was asked for, smoothed; 0: unknown
}

// loss is one missing packet.
type loss struct {
	seq   uint16
	asked int
	since time.Time // it was noticed, or asked for
}

// follows takes a packet if it is the next, which is nearly always so and needs no time.
func (l *losses) follows(seq uint16) bool {
	if !l.started || seq != l.highest+1 {
		return false
	}
	l.highest = seq
	return true
}

// came takes a packet of the stream itself.
func (l *losses) came(seq uint16, now time.Time) {
	ahead := int(int16(seq - l.highest))
	switch {
	case !l.started:
		l.started, l.highest = true, seq
	case ahead > maxMissing || ahead < -maxMissing: // the stream goes on elsewhere
		l.highest, l.missing = seq, l.missing[:0]
	case ahead > 0:
		for missed := l.highest + 1; missed != seq; missed++ {
			l.missing = append(l.missing, loss{seq: missed, since: now})
		}
		l.highest = seq
		if over := len(l.missing) - maxMissing; over > 0 {
			l.missing = slices.Delete(l.missing, 0, over)
		}
	case ahead < 0:
		l.found(seq)
	}
}

// repaired takes a packet that came by retransmission.
func (l *losses) repaired(seq uint16, now time.Time) {
	if was := l.found(seq); was.asked == 1 {
		took := now.Sub(was.since)
		if l.answer == 0 {
			l.answer = took
		}
		l.answer += (took - l.answer) / 8
	}
}

// found takes a packet off what is missing. It returns the zero loss if it was not.
func (l *losses) found(seq uint16) (was loss) {
	at := slices.IndexFunc(l.missing, func(o loss) bool { return o.seq == seq })
	if at < 0 {
		return was
	}
	was = l.missing[at]
	l.missing = slices.Delete(l.missing, at, at+1)
	return was
}

// due appends to list what to ask for now, oldest first. A packet that was asked for often enough is forgotten.
func (l *losses) due(now time.Time, list []uint16) []uint16 {
	kept := l.missing[:0]
	for _, m := range l.missing {
		switch waited := now.Sub(m.since); {
		case m.asked == 0 && waited < settling, m.asked > 0 && waited < l.patience():
		case m.asked == mostAsks:
			continue
		default:
			m.asked, m.since = m.asked+1, now
			list = append(list, m.seq)
		}
		kept = append(kept, m)
	}
	l.missing = kept
	return list
}

// patience returns how long to wait for what was asked for before asking again.
func (l *losses) patience() time.Duration {
	if l.answer == 0 {
		return firstWait
	}
	return min(max(l.answer*3/2, leastWait), mostWait)
}
