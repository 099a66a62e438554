package inbound

import "time"

const (
	gapWindow     = 1024                   // packets that may be ahead of a missing one
	repairTime    = 500 * time.Millisecond // for retransmission: a few NACKs and the packets they bring
	requestsApart = 500 * time.Millisecond // between two requests for a key frame
	unseen        = 200 * time.Millisecond // a gap that is repaired within that is not seen: receivers buffer so much
	maxStill      = time.Second            // between two packets, of which a freeze counts; a track that pauses does not freeze
)

// gaps watches the sequence numbers of one video stream for packets that are lost
// for good. From such a packet on, a decoder shows garbage or nothing until the next
// key frame. It is a pure machine: packets and times are passed in.
//
//	whole -- a number is skipped --> gap -- it arrives --> whole
//	gap -- repairTime --> lost: a key frame is requested, again and again -- it begins --> whole
type gaps struct {
	begun  bool
	next   uint16                 // all numbers before it have arrived or are given up
	after  uint16                 // one above the highest number that has arrived
	came   [gapWindow / 64]uint64 // which numbers from next on have arrived: bit n modulo gapWindow
	since  time.Time              // when next was skipped; zero: it was not
	wanted bool                   // a key frame
	asked  time.Time

	still  time.Duration // for how long pictures stood still, or were broken, in all
	broken time.Time     // since when a packet is missing and no key frame has come; zero: nothing is
	last   time.Time     // when a packet came last
}

// took is take, and counts for how long pictures stand still.
func (g *gaps) took(seq uint16, payload []byte, starts func([]byte) keyframeStart, now time.Time) (ask bool) {
	if !g.broken.IsZero() {
		from := g.broken.Add(unseen)
		if g.last.After(from) {
			from = g.last
		}
		g.still += min(max(now.Sub(from), 0), maxStill)
	}
	g.last = now
	ask = g.take(seq, payload, starts, now)
	switch {
	case g.next == g.after && !g.wanted:
		g.broken = time.Time{}
	case g.broken.IsZero():
		g.broken = now
	}
	return ask
}

// take takes a packet and reports whether to request a key frame now. starts
// recognises the first packet of a key frame by its payload.
func (g *gaps) take(seq uint16, payload []byte, starts func([]byte) keyframeStart, now time.Time) (ask bool) {
	if !g.begun {
		g.begun = true
		g.forget(seq)
	}
	ahead := int16(seq - g.next)
	follows := ahead == 0 || ahead > 0 && ahead < gapWindow && g.is(seq-1)
	switch {
	case ahead < -gapWindow, ahead >= gapWindow: // everything in between is lost, or it is another stream
		g.forget(seq)
		g.wanted = true
	case ahead < 0:
		return false // late, or a duplicate
	case ahead > 0 && g.since.IsZero():
		g.since = now
	}
	if (g.wanted || seq != g.next) && isWhole(starts(payload), follows) {
		g.skipTo(seq) // what came before it is no longer of use
		g.wanted = false
	}
	g.mark(seq)
	if int16(seq+1-g.after) > 0 {
		g.after = seq + 1
	}
	g.advance(now)
	if !g.since.IsZero() && now.Sub(g.since) >= repairTime {
		g.forget(g.after)
		g.wanted = true
	}
	if !g.wanted || now.Sub(g.asked) < requestsApart {
		return false
	}
	g.asked = now
	return true
}

// forget gives up all numbers before next, and expects everything from there on.
func (g *gaps) forget(next uint16) {
	g.next, g.after, g.since = next, next, time.Time{}
	clear(g.came[:])
}

// skipTo gives up what is missing before next, and keeps what has arrived from there on.
func (g *gaps) skipTo(next uint16) {
	for ; g.next != next; g.next++ {
		g.clear(g.next)
	}
	g.since = time.Time{}
}

// advance moves next past what has arrived.
func (g *gaps) advance(now time.Time) {
	moved := false
	for g.is(g.next) {
		g.clear(g.next)
		g.next++
		moved = true
	}
	switch {
	case g.next == g.after:
		g.since = time.Time{}
	case moved || g.since.IsZero():
		g.since = now // another gap, whose repair is under way
	}
}

func (g *gaps) mark(n uint16)    { g.came[n%gapWindow/64] |= 1 << (n % 64) }
func (g *gaps) clear(n uint16)   { g.came[n%gapWindow/64] &^= 1 << (n % 64) }
func (g *gaps) is(n uint16) bool { return g.came[n%gapWindow/64]&(1<<(n%64)) != 0 }
