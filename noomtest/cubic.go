package noomtest

import (
	"math"
	"slices"
	"time"
)

// What TCP does by its RFCs.
const (
	cubicFactor   = 0.7 // the window after a loss (RFC 9438 section 4.6)
	cubicScale    = 0.4 // C there, section 4.1
	firstWindow   = 10  // segments (RFC 6928)
	laterArrived  = 3   // segments sent later that arrived before one is lost (RFC 6675)
	leastTimeout  = 200 * time.Millisecond
	firstTimeout  = time.Second // RFC 6298 section 2
	longestPause  = time.Minute
	segmentBytes  = 1460
	segmentHeader = 40 // IPv4 and TCP
)

// cubic is the sending end of a TCP connection: which segment is sent when, with the window of
// CUBIC (RFC 9438), selective acknowledgements (RFC 2018) and retransmission after a timeout (RFC
// 6298). It has no clock and no data: time comes in as an argument, and segments are numbers.
type cubic struct {
	window, threshold float64 // of slow start; in segments

	// The curve of growth since the latest loss.
	begun    time.Time // zero: at the next acknowledgement
	plateau  float64   // window before the loss
	inflect  float64   // seconds until the window is there again
	friendly float64   // what Reno would have

	// Round trips.
	smooth, deviation, timeout time.Duration
	expires                    time.Time // zero: nothing is under way
	timeouts                   int       // in a row
	watched                    bool      // expire will be called

	next     int64     // first that was never sent
	sends    int64     // counts transmissions
	limited  bool      // by the window: else it does not grow
	reduced  int64     // sends when the window was last reduced
	underway []segment // in the order of their transmission
	lost     []int64   // to be sent again, lowest first
}

// segment is a transmission that nothing is known of yet.
type segment struct {
	number, send int64
	at           time.Time
	again        bool
}

func newCubic() *cubic {
	return &cubic{window: firstWindow, threshold: math.Inf(1), timeout: firstTimeout}
}

// send returns the segment to be sent now, false if there is none or the window is full. more says
// that there are some that were never sent.
func (c *cubic) send(now time.Time, more bool) (number int64, ok bool) {
	again := len(c.lost) > 0
	c.limited = float64(len(c.underway)+1) > c.window
	switch {
	case c.limited || !again && !more:
		return 0, false
	case again:
		number = c.lost[0]
		c.lost = c.lost[1:]
	default:
		number = c.next
		c.next++
	}
	c.sends++
	c.underway = append(c.underway, segment{number, c.sends, now, again})
	if c.expires.IsZero() {
		c.expires = now.Add(c.timeout)
	}
	return number, true
}

// acknowledge takes what the other end says: that it has all segments below a number, and further
// ones.
func (c *cubic) acknowledge(now time.Time, below int64, further []int64) {
	has := func(number int64) bool { return number < below || slices.Contains(further, number) }
	acked, latest := 0, int64(0)
	c.lost = slices.DeleteFunc(c.lost, has)
	c.underway = slices.DeleteFunc(c.underway, func(s segment) bool {
		if !has(s.number) {
			return false
		}
		acked++
		latest = max(latest, s.send)
		if !s.again {
			c.roundTrip(now.Sub(s.at))
		}
		return true
	})
	if acked == 0 {
		return
	}
	c.timeouts = 0
	c.miss(func(s segment) bool { return s.send+laterArrived <= latest })
	c.expires = time.Time{}
	if len(c.underway) > 0 {
		c.expires = now.Add(c.timeout)
	}
	if c.limited && (len(c.underway) == 0 || c.underway[0].send > c.reduced) {
		c.grow(now, float64(acked))
	}
}

// miss gives up transmissions, and reduces the window once for all that were under way together.
func (c *cubic) miss(gone func(segment) bool) {
	reduce := false
	c.underway = slices.DeleteFunc(c.underway, func(s segment) bool {
		if !gone(s) {
			return false
		}
		c.lost = append(c.lost, s.number)
		reduce = reduce || s.send > c.reduced
		return true
	})
	slices.Sort(c.lost)
	if !reduce {
		return
	}
	c.reduced, c.begun = c.sends, time.Time{}
	if c.window < c.plateau { // leave room to a newcomer (section 4.7)
		c.plateau = c.window * (1 + cubicFactor) / 2
	} else {
		c.plateau = c.window
	}
	c.window = max(2, c.window*cubicFactor)
	c.threshold = c.window
}

// grow widens the window for segments that have arrived (RFC 9438 section 4.2 to 4.5).
func (c *cubic) grow(now time.Time, acked float64) {
	if c.window < c.threshold {
		c.window += acked
		return
	}
	if c.begun.IsZero() {
		c.begun, c.friendly = now, c.window
		c.plateau = max(c.plateau, c.window)
		c.inflect = math.Cbrt((c.plateau - c.window) / cubicScale)
	}
	t := now.Sub(c.begun).Seconds() + c.smooth.Seconds() - c.inflect
	target := min(cubicScale*t*t*t+c.plateau, 1.5*c.window)
	c.friendly += 3 * (1 - cubicFactor) / (1 + cubicFactor) * acked / c.window
	c.window += max(0, target-c.window) / c.window * acked
	c.window = max(c.window, c.friendly)
}

// roundTrip takes a measured round trip (RFC 6298 section 2).
func (c *cubic) roundTrip(d time.Duration) {
	if c.smooth == 0 {
		c.smooth, c.deviation = d, d/2
	} else {
		c.deviation += ((c.smooth - d).Abs() - c.deviation) / 4
		c.smooth += (d - c.smooth) / 8
	}
	c.timeout = max(leastTimeout, c.smooth+4*c.deviation)
}

// expire gives up all that is under way if nothing was heard for too long, and begins again.
func (c *cubic) expire(now time.Time) {
	if c.expires.IsZero() || c.expires.After(now) {
		return
	}
	c.reduced = c.sends
	if c.timeouts == 0 { // reduce once for all in a row (RFC 5681 section 3.1)
		c.reduced = -1
	}
	c.miss(func(segment) bool { return true })
	c.reduced = c.sends
	c.window = 1
	c.timeouts++
	c.timeout = min(2*c.timeout, longestPause)
	c.expires = time.Time{}
}

// reassembly is the receiving end: it says what has arrived.
type reassembly struct {
	below   int64 // all before it have arrived
	further []int64
}

// take notes that a segment has arrived, and reports false if it had before.
func (r *reassembly) take(number int64) bool {
	if number < r.below || slices.Contains(r.further, number) {
		return false
	}
	r.further = append(r.further, number)
	slices.Sort(r.further)
	for len(r.further) > 0 && r.further[0] == r.below {
		r.further = r.further[1:]
		r.below++
	}
	return true
}
