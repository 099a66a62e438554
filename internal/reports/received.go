package reports

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	maxJump  = 3000      // packets: a larger step is no loss, but the stream goes on elsewhere (RFC 3550 appendix A.1)
	mostLost = 1<<23 - 1 // in a report, of which 24 bits are for it
)

// received counts what comes of one stream (RFC 3550 appendix A.3 and A.8).
type received struct {
	ssrc      uint32
	clockRate float64

	any      bool
	base     uint32 // the first number, extended by 16 bits as highest is
	highest  uint32
	came     uint32 // packets since base
	lost     uint32 // before base
	expected uint32 // at the report before, all since base
	had      uint32 // the same: what had come

	last      time.Time // when the latest packet came
	timestamp uint32    // of it
	jitter    float64   // in units of the timestamp

	sent   uint32 // the middle of the time in the latest sender report; 0: none has come
	sentAt time.Time
}

// take takes a packet.
func (r *received) take(seq uint16, timestamp uint32, now time.Time) {
	ahead := int32(int16(seq - uint16(r.highest)))
	switch {
	case !r.any:
		r.any = true
		r.base, r.highest = uint32(seq), uint32(seq)
	case ahead > maxJump || ahead < -maxJump:
		r.lost = r.missing()
		r.highest += uint32(uint16(ahead))
		r.base, r.came, r.expected, r.had = r.highest, 0, 0, 0
	default:
		r.highest += uint32(max(ahead, 0))
		late := now.Sub(r.last).Seconds()*r.clockRate - float64(int32(timestamp-r.timestamp))
		r.jitter += (max(late, -late) - r.jitter) / 16
	}
	r.came++
	r.last, r.timestamp = now, timestamp
}

// missing returns how many packets have not come, in all.
func (r *received) missing() uint32 {
	if !r.any {
		return 0
	}
	return uint32(max(int64(r.lost)+int64(r.highest-r.base+1)-int64(r.came), 0))
}

// senderReport takes the time in a sender report.
func (r *received) senderReport(ntp uint64, now time.Time) { r.sent, r.sentAt = uint32(ntp>>16), now }

// report returns the block on the stream, and begins the next interval.
func (r *received) report(now time.Time) rtcp.ReceptionReport {
	b := rtcp.ReceptionReport{
		SSRC: r.ssrc, LastSequenceNumber: r.highest, Jitter: uint32(r.jitter), LastSenderReport: r.sent,
		TotalLost: min(r.missing(), mostLost),
	}
	if r.sent != 0 {
		b.Delay = uint32(now.Sub(r.sentAt).Seconds() * 65536)
	}
	if !r.any {
		return b
	}
	expected := r.highest - r.base + 1
	if of, came := expected-r.expected, r.came-r.had; came < of {
		b.FractionLost = uint8(min(256*(of-came)/of, 255))
	}
	r.expected, r.had = expected, r.came
	return b
}
