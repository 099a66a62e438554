package reports

import (
	"time"

	"github.com/pion/rtcp"

	"noom/internal/packet"
)

// sent counts what we send of one stream.
type sent struct {
	ssrc      uint32
	clockRate float64

	packets, bytes uint32
	highest        uint16    // sequence number
	timestamp      uint32    // of the latest frame
	at             time.Time // when that began
}

// take takes a packet. Times are those of the first packet of a frame, because a large one takes long to send.
func (s *sent) take(seq uint16, timestamp uint32, size int, now time.Time) {
	if s.packets == 0 || int16(seq-s.highest) > 0 {
		if s.highest = seq; s.packets == 0 || timestamp != s.timestamp {
			s.timestamp, s.at = timestamp, now
		}
	}
	s.packets++
	s.bytes += uint32(size)
}

// report returns a report on the stream; nil: nothing was sent, so that no time belongs to it (RFC 3550 section 6.4).
func (s *sent) report(now time.Time) *rtcp.SenderReport {
	if s.packets == 0 {
		return nil
	}
	return &rtcp.SenderReport{
		SSRC: s.ssrc, NTPTime: packet.FullNTP(now), PacketCount: s.packets, OctetCount: s.bytes,
		RTPTime: s.timestamp + uint32(int64(now.Sub(s.at).Seconds()*s.clockRate)),
	}
}
