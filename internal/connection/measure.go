package connection

import (
	"time"

	"noom/internal/inbound"
	"noom/internal/quality"
)

// rtpHeader is the size of an RTP header without extensions (RFC 3550 section 5.1), in bytes.
const rtpHeader = 12

// freshFor is how long what the peer has reported counts. Browsers report on sound each 5 s.
const freshFor = 8 * time.Second

// Measured is how a connection did since the Measure before.
type Measured struct {
	Estimate int            // bits per second that may be sent, all included
	Sent     int            // bits per second of RTP packets, without retransmissions
	Loss     float64        // share of them that the network has lost, as the peer reports it
	Sample   quality.Sample // both directions
}

// measuring is what Measure remembers.
type measuring struct {
	at       time.Time                 // of the last; zero: there was none
	received map[string]inbound.Counts // by mid
}

// sent is how much a section has sent.
type sent struct{ packets, bytes uint64 }

// Measure returns how the connection did since the last call; nothing the first time. The owner's loop calls it.
func (c *Conn) Measure(now time.Time) Measured {
	elapsed := now.Sub(c.measuring.at)
	first := c.measuring.at.IsZero()
	c.measuring.at = now
	m, roundTrip := c.measureSent(now, elapsed)
	loss, stalled := c.measureReceived()
	if first {
		return Measured{}
	}
	if roundTrip == 0 { // ICE measures it about once a second
		if pair, ok := c.ice().GetSelectedCandidatePairStats(); ok {
			roundTrip = time.Duration(pair.CurrentRoundTripTime * float64(time.Second))
		}
	}
	path := c.Traffic.State()
	m.Estimate = path.Estimate
	m.Sample = quality.Sample{Loss: max(m.Loss, loss), RoundTrip: roundTrip, Queue: path.Queue, Stalled: stalled}
	return m
}

// measureSent returns what was sent, and the longest round trip that the peer has reported. Each section counts for as
// many packets as it has sent.
func (c *Conn) measureSent(now time.Time, elapsed time.Duration) (m Measured, roundTrip time.Duration) {
	var bytes, packets, reported uint64
	var lost float64
	for _, s := range c.sections {
		var total sent
		total.packets, total.bytes = s.leg.Sent()
		p := total.packets - s.measured.packets
		packets += p
		bytes += total.bytes - s.measured.bytes
		s.measured = total
		if r := s.leg.Reported(); now.Sub(r.At) < freshFor {
			reported += p
			lost += float64(p) * r.FractionLost
			roundTrip = max(roundTrip, r.RoundTrip)
		}
	}
	if reported > 0 {
		m.Loss = lost / float64(reported)
	}
	if elapsed > 0 {
		m.Sent = int(float64(bytes+rtpHeader*packets) * 8 / elapsed.Seconds())
	}
	return m, roundTrip
}

// measureReceived returns the share of packets that have not come, repaired ones not counted, and for how long the track
// that did worst stood still.
func (c *Conn) measureReceived() (loss float64, stalled time.Duration) {
	counts := make(map[string]inbound.Counts, len(c.Inbounds))
	var came, missing int64
	for mid, in := range c.Inbounds {
		now, before := in.Counts(), c.measuring.received[mid]
		counts[mid] = now
		came += max(now.Packets-before.Packets, 0)
		missing += max(now.Lost-before.Lost, 0)
		stalled = max(stalled, now.Stalled-before.Stalled)
	}
	c.measuring.received = counts
	if missing > 0 {
		loss = float64(missing) / float64(came+missing)
	}
	return loss, min(stalled, quality.Period)
}
