package media

import (
	"slices"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// swapped returns the packets that come out when 30 have come and then 30 more,
// whose sequence numbers and timestamps are off by so much.
func swapped(number uint16, timestamp uint32) (got []uint16, gaps int) {
	var r reorder
	header := rtp.Header{SequenceNumber: 65530, Timestamp: 1<<32 - 9000}
	for i := range 60 {
		if i == 30 {
			header.SequenceNumber += number
			header.Timestamp += timestamp
		}
		for _, p := range r.push(&rtp.Packet{Header: header}, time.Duration(i)*33*time.Millisecond) {
			if p.Packet == nil {
				gaps++
				continue
			}
			got = append(got, p.SequenceNumber)
		}
		header.SequenceNumber++
		header.Timestamp += 3000
	}
	return got, gaps
}

// A source that is swapped without care begins again under the same SSRC on any numbers, and not a
// packet of it is lost, wherever they lie.
func TestStreamBeginsAnewOnAnyNumber(t *testing.T) {
	for _, number := range []int{1, 29, 30, 500, 1023, 1024, 1025, 5000, 32767, -1, -2, -29, -30, -31, -500, -1023, -1024, -1025, -5000, -32768} {
		for _, timestamp := range []int{0, 90000, 1 << 31, -1 << 31, -maxAge - 3000} {
			got, gaps := swapped(uint16(number), uint32(timestamp))
			want, _ := swapped(0, 0)
			for i := range want[30:] {
				want[30+i] += uint16(number)
			}
			if !slices.Equal(got, want) || gaps != 1 {
				t.Errorf("%d and %d on: %d packets and %d gaps", number, timestamp, len(got), gaps)
			}
		}
	}
}

// What comes twice stays out, however late.
func TestLatePacketsStayOut(t *testing.T) {
	if got, gaps := swapped(1<<16-30, 1<<32-30*3000); len(got) != 30 || gaps != 0 {
		t.Errorf("%d packets and %d gaps", len(got), gaps)
	}
}
