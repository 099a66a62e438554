package packet

import (
	"encoding/binary"
	"time"

	"github.com/pion/rtcp"
)

// blockSize is that of a report block in bytes (RFC 3550 section 6.4.1).
const blockSize = 24

// CutRTCP returns the first packet of a compound RTCP packet (RFC 3550 section 6.1), and what follows it; nil: there is
// none, or it is not whole. Unlike rtcp.Unmarshal it needs no memory.
func CutRTCP(compound []byte) (first, rest []byte) {
	if len(compound) < 4 || compound[0]>>6 != 2 {
		return nil, nil
	}
	size := 4 + 4*int(binary.BigEndian.Uint16(compound[2:]))
	if size > len(compound) {
		return nil, nil
	}
	return compound[:size], compound[size:]
}

// IsNACK reports whether an RTCP packet that CutRTCP has returned asks for packets (RFC 4585 section 6.2.1), and of which
// source. pairs has 4 bytes for each up to 17 packets: a number, and a bit for each of the next 16.
func IsNACK(p []byte) (source uint32, pairs []byte, ok bool) {
	if len(p) < 12 || p[1] != uint8(rtcp.TypeTransportSpecificFeedback) || p[0]&0x1f != rtcp.FormatTLN {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(p[8:]), p[12:], true
}

// SenderReport returns the source and the time in a sender report (RFC 3550 section 6.4.1) that CutRTCP has returned.
func SenderReport(p []byte) (source uint32, ntp uint64, ok bool) {
	if len(p) < 28 || p[1] != uint8(rtcp.TypeSenderReport) {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint64(p[8:]), true
}

// ReportedTrip returns the round trip that the block on a source says, in a sender or receiver report that CutRTCP has
// returned and that has come now.
func ReportedTrip(p []byte, source uint32, now time.Time) (d time.Duration, ok bool) {
	at := 8
	switch {
	case len(p) < at:
		return 0, false
	case p[1] == uint8(rtcp.TypeSenderReport):
		at = 28
	case p[1] != uint8(rtcp.TypeReceiverReport):
		return 0, false
	}
	for range p[0] & 0x1f {
		if at+blockSize > len(p) {
			return 0, false
		}
		block := p[at : at+blockSize]
		if binary.BigEndian.Uint32(block) == source {
			return RoundTrip(binary.BigEndian.Uint32(block[16:]), binary.BigEndian.Uint32(block[20:]), now)
		}
		at += blockSize
	}
	return 0, false
}
