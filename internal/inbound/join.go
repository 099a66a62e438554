package inbound

import (
	"time"

	"github.com/pion/rtp"
)

// joint makes one stream of what is delivered, whatever encoding it is of and whatever was left out: one SSRC, sequence
// numbers with a gap only where something was lost or cut off, timestamps that follow the clock. It is a pure machine.
// Until something is left out, or another encoding begins, packets stay as they are.
type joint struct {
	clockRate uint32 // of the timestamps

	ssrc  uint32 // that of all packets; 0: they keep theirs
	shift uint16 // added to sequence numbers, for all that was left out
	ticks uint32 // added to timestamps

	begun   bool
	highest uint16 // a packet's own number, delivered or left out
	starts  bool   // what was begun did so with the number first, a short while ago; what is from before has no number
	first   uint16
	left    [gapWindow / 64]uint64 // which numbers were left out: bit n modulo gapWindow

	delivered bool
	last      uint16 // the highest that was delivered, as numbered here
	timestamp uint32
	at        time.Time // when that came
	whole     bool      // it was the last of its picture
}

// begin is called before the first packet of another encoding. If the picture under way is cut off by it, one number is
// left free, so that readers take that for what it is, a picture that is not whole.
func (j *joint) begin(h *rtp.Header, now time.Time) {
	if j.ssrc == 0 {
		j.ssrc = h.SSRC
	}
	if j.delivered {
		pause := min(max(now.Sub(j.at), 0), time.Hour)
		step := max(1, uint32(pause*time.Duration(j.clockRate)/time.Second)) // two pictures never share a timestamp
		j.shift, j.ticks = j.last+1-h.SequenceNumber, j.timestamp+step-h.Timestamp
		if !j.whole {
			j.shift++
		}
	}
	j.begun, j.highest = true, h.SequenceNumber-1
	j.starts, j.first = true, h.SequenceNumber
	clear(j.left[:])
}

// number gives a packet its numbers. It reports false if there is none for it, because it is late by too much.
func (j *joint) number(h *rtp.Header, now time.Time) bool {
	own := h.SequenceNumber
	if j.tooLate(own) {
		if int32(h.Timestamp+j.ticks-j.timestamp) <= 0 {
			return false
		}
		j.begin(h, now) // the source has begun again
	}
	if j.starts && int16(own-j.first) < 0 {
		return false
	}
	j.reach(own)
	for late := own; late != j.highest; {
		if late++; j.is(late) {
			h.SequenceNumber++
		}
	}
	h.SequenceNumber, h.Timestamp = h.SequenceNumber+j.shift, h.Timestamp+j.ticks
	if j.ssrc != 0 {
		h.SSRC = j.ssrc
	}
	if !j.delivered || int16(h.SequenceNumber-j.last) > 0 {
		j.whole = h.Marker || j.whole && h.Timestamp == j.timestamp // padding may follow
		j.delivered, j.last, j.timestamp, j.at = true, h.SequenceNumber, h.Timestamp, now
	}
	return true
}

// leave leaves a packet out. It reports true if the packet has come late, so that there is a number for it already,
// which must be that of something without content.
func (j *joint) leave(seq uint16) (numbered bool) {
	switch {
	case j.tooLate(seq):
		return false
	case j.begun && int16(seq-j.highest) <= 0:
		return !j.is(seq)
	}
	j.reach(seq)
	j.left[seq%gapWindow/64] |= 1 << (seq % 64)
	j.shift--
	return false
}

// tooLate reports whether nothing is known any longer of a packet with that number.
func (j *joint) tooLate(seq uint16) bool { return j.begun && int16(seq-j.highest) <= -gapWindow }

// reach moves highest up to a packet's number.
func (j *joint) reach(seq uint16) {
	switch ahead := int16(seq - j.highest); {
	case !j.begun, ahead >= gapWindow:
		clear(j.left[:])
		j.begun, j.highest = true, seq
	default:
		for ; ahead > 0; ahead-- {
			j.highest++
			j.left[j.highest%gapWindow/64] &^= 1 << (j.highest % 64)
		}
	}
	j.starts = j.starts && j.highest-j.first < gapWindow
}

// is reports whether a packet was left out.
func (j *joint) is(seq uint16) bool { return j.left[seq%gapWindow/64]&(1<<(seq%64)) != 0 }
