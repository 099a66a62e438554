package bandwidth

import "time"

const (
	remembered    = 8192             // packets at most: 4 s of 20 Mbit/s
	fewRemembered = 64               // packets at first; a power of two, as is remembered
	unreported    = 10 * time.Second // a packet without a report is remembered for so long, if there is room
	largestPacket = 1 << 16
	longestTrip   = 30 * time.Second
	never         = time.Duration(1 << 62)
)

// history remembers the packets that were sent last: a ring that grows while packets that wait for a report would be
// forgotten.
type history struct{ records []record }

type record struct {
	number int64
	sent   time.Duration
	size   int32
	is     status
}

type status uint8

const (
	unknown  status = iota
	inFlight        // not reported yet
	missing         // reported as not received
	arrived         // reported as received
	measured        // as arrived, and its rate is counted
)

func (h *history) add(number int64, at time.Duration, size int) {
	if len(h.records) == 0 {
		h.records = make([]record, fewRemembered)
	}
	for len(h.records) < remembered && h.at(number).waits(number, at) {
		h.grow()
	}
	*h.at(number) = record{number: number, sent: at, size: int32(size), is: inFlight}
}

// find returns the record of a packet, or nil if it was not sent lately.
func (h *history) find(number int64) *record {
	if len(h.records) == 0 {
		return nil
	}
	r := h.at(number)
	if r.is == unknown || r.number != number {
		return nil
	}
	return r
}

func (h *history) at(number int64) *record { return &h.records[uint64(number)%uint64(len(h.records))] }

// grow doubles the ring. What is in it has one place each in the longer one.
func (h *history) grow() {
	before := h.records
	h.records = make([]record, 2*len(before))
	for _, r := range before {
		if r.is != unknown {
			*h.at(r.number) = r
		}
	}
}

// waits reports whether a report on r is still to be expected when number is sent.
func (r *record) waits(number int64, now time.Duration) bool {
	return (r.is == inFlight || r.is == missing) && r.number != number && now-r.sent < unreported
}

// report is the sum of what one report says about packets that are known.
type report struct {
	got, missed, late int           // packets; late: arrived after they were reported missing
	bytes, lost       int           // of got and missed
	least             time.Duration // one-way delay, with the unknown difference of the clocks
	leastSize         int           // of that packet
	newestSent        time.Duration
	firstLost         time.Duration // when the first that is missing was sent; 0: none
}

// knows reports whether a report says something new.
func (e *Estimator) knows(list []Arrival) bool {
	for i := range list {
		if p := e.history.find(list[i].Number); p != nil && p.is < arrived && (list[i].Received || p.is == inFlight) {
			return true
		}
	}
	return false
}

// take reads what a report says of one packet.
func (e *Estimator) take(a *Arrival, r *report) {
	p := e.history.find(a.Number)
	if p == nil {
		return
	}
	if !a.Received {
		if p.is == inFlight {
			p.is = missing
			if p.sent < e.silence.sentBy {
				return
			}
			r.missed++
			e.noise.count(p.sent, false)
			r.lost += int(p.size)
			if r.firstLost == 0 {
				r.firstLost = p.sent
			}
		}
		return
	}
	if p.is >= arrived || a.At < 0 || a.At >= never {
		return
	}
	if p.is == missing && p.sent >= e.silence.sentBy {
		r.late++
	}
	p.is = arrived
	r.got++
	e.noise.count(p.sent, true)
	e.probe.count(p.sent, a.At, int(p.size))
	r.bytes += int(p.size)
	if wait := a.At - p.sent; wait < r.least {
		r.least, r.leastSize = wait, int(p.size)
	}
	r.newestSent = max(r.newestSent, p.sent)
}

// measure counts the rate at which a packet arrived, once.
func (e *Estimator) measure(a *Arrival) {
	p := e.history.find(a.Number)
	if p == nil || p.is != arrived || !a.Received {
		return
	}
	p.is = measured
	e.acked.add(a.At, int(p.size))
}
