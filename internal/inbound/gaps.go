package inbound

import "time"

const (
	gapWindow    = 1024                   // packets that may be ahead of a missing one
	repairTime   = 500 * time.Millisecond // for a retransmission to come: a few NACKs, and what they bring
	betweenAsked = 500 * time.Millisecond // between two requests for a key frame
)

// gaps watches the sequence numbers of one video stream for packets that are
// missing for good: from there on a decoder shows garbage, or nothing, until the next
// key frame. It is a pure machine; who owns it tells it of packets and of time.
//
//	whole -- a number is skipped --> gap -- it comes --> whole
//	gap -- repairTime --> lost: a key frame is asked for, again and again -- it begins --> whole
type gaps struct {
	begun  bool
	next   uint16                 // all before it came, or are given up
	after  uint16                 // the highest number that came, and one
	came   [gapWindow / 64]uint64 // of the numbers from next on: bit n modulo gapWindow
	since  time.Time              // when next was skipped; zero: it was not
	wanted bool                   // a key frame
	asked  time.Time
}

// took takes a packet and reports whether to ask for a key frame now. starts
// tells the first packet of a key frame by its payload.
func (g *gaps) took(seq uint16, payload []byte, starts func([]byte) bool, now time.Time) (ask bool) {
	if !g.begun {
		g.begun = true
		g.forget(seq)
	}
	switch ahead := int16(seq - g.next); {
	case ahead < -gapWindow, ahead >= gapWindow: // what is between is lost, if it is the same stream at all
		g.forget(seq)
		g.wanted = true
	case ahead < 0:
		return false // late, or twice
	case ahead > 0 && g.since.IsZero():
		g.since = now
	}
	if (g.wanted || seq != g.next) && starts(payload) {
		g.skipTo(seq) // what came before it is of no use any more
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
	if !g.wanted || now.Sub(g.asked) < betweenAsked {
		return false
	}
	g.asked = now
	return true
}

// forget gives up all before next, and knows nothing of what comes.
func (g *gaps) forget(next uint16) {
	g.next, g.after, g.since = next, next, time.Time{}
	clear(g.came[:])
}

// skipTo gives up what is missing before next, and keeps what came from there on.
func (g *gaps) skipTo(next uint16) {
	for ; g.next != next; g.next++ {
		g.clear(g.next)
	}
	g.since = time.Time{}
}

// advance moves next over what has come.
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
