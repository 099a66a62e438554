package fanout

import (
	"math/rand/v2"
	"time"
)

// packetRun is a sequence of packets of one source that needs no stitching. Swapping,
// pausing and muting end a run, and the next one begins with a key frame.
//
// Immutable, except last, which the sender owns.
type packetRun struct {
	feed      *feed  // whose source it is of
	number    uint64 // counts up over the life of a sender
	seq       uint16 // of its first packet
	timestamp uint32

	last uint16 // the highest sequence number so far
}

// A larger jump in a source's sequence numbers is not loss or disorder, but a restart of
// the application that feeds it. It is stitched like a swap. The bounds are those of RFC
// 3550 appendix A.1.
const (
	maxDropout  = 3000
	maxMisorder = 100
)

// advance notes a packet's sequence number. It reports false if the packet does not belong
// to this run.
func (r *packetRun) advance(seq uint16) bool {
	step := int16(seq - r.last)
	if step > maxDropout || step < -maxMisorder {
		return false
	}
	if step > 0 {
		r.last = seq
	}
	return true
}

// maxPause bounds by how much timestamps advance over a pause. A step of 2^31 ticks, 6.6
// hours of video, would look like a step back.
const maxPause = time.Hour

// stitch joins runs of packets, whatever their numbers, into one RTP stream whose sequence
// numbers have no gap and whose timestamps follow the clock. A receiver's replay protection
// would drop anything else. It is a pure value and belongs to one leg.
type stitch struct {
	clockRate uint32 // Immutable.

	started   bool
	seq       uint16    // the highest one sent
	timestamp uint32    // the highest one sent
	at        time.Time // when timestamp was first sent

	// The current run: what turns its numbers into ours, and how far it has come.
	// Positions count from the packet with which the run began.
	seqOffset       uint16
	timestampOffset uint32
	last            uint16 // the run's own number at position
	position        int64
}

// begin begins a run. seq and timestamp are those of its first packet in this stream.
func (s *stitch) begin(seq uint16, timestamp uint32, now time.Time) {
	if s.started {
		pause := min(now.Sub(s.at), maxPause)
		step := max(1, clockTicks(pause, s.clockRate)) // two frames never share a timestamp
		s.seqOffset = s.seq + 1 - seq
		s.timestampOffset = s.timestamp + step - timestamp
	} else {
		// RFC 3550 section 5.1 asks for a random start. It is in the lower half,
		// because near the wrap a receiver that misses the first packets would
		// guess the roll-over counter wrong (RFC 3711 section 3.3.1).
		s.started = true
		s.seq = uint16(rand.N(1<<15)) - 1
		s.timestamp = rand.Uint32()
		s.at = now
		s.seqOffset = s.seq + 1 - seq
		s.timestampOffset = s.timestamp - timestamp
	}
	s.last, s.position = seq-1, -1
}

// next returns a packet's numbers in the stream, or false if it is from before the run's
// first packet, where there is no number for it.
func (s *stitch) next(seq uint16, timestamp uint32, now time.Time) (uint16, uint32, bool) {
	position := s.position + int64(int16(seq-s.last))
	if position < 0 {
		return 0, 0, false
	}
	seqOut, timestampOut := seq+s.seqOffset, timestamp+s.timestampOffset
	if position > s.position {
		s.position, s.last, s.seq = position, seq, seqOut
	}
	if int32(timestampOut-s.timestamp) > 0 {
		s.timestamp, s.at = timestampOut, now
	}
	return seqOut, timestampOut, true
}

// insert returns the numbers for a packet of ours in front of the one with these numbers,
// which comes next. It reports false if that packet is late. Packets of the run from before
// it are dropped from now on, because their numbers are taken.
func (s *stitch) insert(seq uint16, timestamp uint32) (uint16, uint32, bool) {
	if int64(int16(seq-s.last)) <= 0 {
		return 0, 0, false
	}
	s.seq = seq + s.seqOffset
	s.seqOffset++
	s.last, s.position = seq-1, -1
	return s.seq, timestamp + s.timestampOffset, true
}

// skip leaves out a packet of the run, and all that were lost in front of it: the next one
// follows the last that was sent. Packets of the run from before it are dropped from now on.
func (s *stitch) skip(seq uint16) {
	if int16(seq-s.last) <= 0 {
		return
	}
	s.seqOffset = s.seq - seq
	s.last, s.position = seq, -1
}

// clockTicks converts d, up to maxPause, to units of an RTP clock.
func clockTicks(d time.Duration, clockRate uint32) uint32 {
	return uint32(max(0, d) * time.Duration(clockRate) / time.Second)
}
