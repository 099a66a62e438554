package noom

import (
	"time"

	"noom/internal/quality"
)

// Quality says how good the connection to a peer is, for people. [Peer].Stats and [Bandwidth] have the numbers.
//
// It follows from what was lost in either direction, the round trip, how long our packets queue, and how long pictures
// stood still or sound was missing, each second:
//
//   - fair: 4 % of the packets lost, a round trip of 400 ms, a queue of 150 ms, or a standstill of a tenth of the time
//   - poor: 12 %, 800 ms, 400 ms, or three tenths of the time
//
// The worst of these counts, loss and standstill as means over 3 s. The quality becomes worse after 2 s in a row that
// are worse, and better after 5 s in a row that are better.
type Quality int

// The qualities of a connection. A peer that was not connected yet is good: nothing bad is known.
const (
	QualityGood Quality = iota
	QualityFair         // it can be noticed
	QualityPoor         // it is hard to talk
	QualityLost         // nothing arrives: the peer is interrupted, failed or gone
)

// String returns the quality in lower case.
func (q Quality) String() string { return quality.Quality(q).String() }

// Bandwidth is what the way to a peer can take, and what it takes now.
type Bandwidth struct {
	// Estimate is how much may be sent to the peer, all included, in bits per second.
	Estimate int
	// Sent is how much was sent in the last second: RTP packets with their headers, in bits per second, without those
	// that were sent again; 0: nothing, or the peer is not connected.
	Sent int
	// Loss is the share of these packets that the network has lost, from 0 to 1, as the peer reports it (RFC 3550
	// section 6.4.1); 0 before the first report.
	Loss float64
	// RoundTrip is how long a packet takes there and back; 0: not known yet.
	RoundTrip time.Duration
	// Queue is how long our packets wait on the way, before a narrow place; 0: they do not, or it is not known.
	Queue time.Duration
}
