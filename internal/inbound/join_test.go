package inbound

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// joined gives a packet its numbers, -1 for one that is not delivered.
func joined(j *joint, seq uint16, now time.Time) int {
	h := &rtp.Header{SequenceNumber: seq, Timestamp: uint32(seq) * 100, SSRC: 7}
	if !j.number(h, now) {
		return -1
	}
	return int(h.SequenceNumber)
}

// TestJointClosesGaps: what is left out leaves no gap, what is lost does, and what comes late has the number that it
// would have had.
func TestJointClosesGaps(t *testing.T) {
	now := time.Unix(1e9, 0)
	j := &joint{clockRate: 90000}
	for i, step := range []struct {
		seq   uint16
		leave bool
		want  int // the number; for one that is left out 1: it is numbered already
	}{
		{65533, false, 65533},
		{65534, true, 0},
		{65535, true, 0},
		{0, false, 65534},
		{2, true, 0},  // 1 is missing
		{4, false, 1}, // so is 3
		{1, false, 65535},
		{3, true, 1}, // its number is that of nothing
		{3, true, 1},
		{2, true, 0}, // twice
		{4, false, 1},
		{0, false, 65534},
		{65532, false, 65532},
		{5, false, 2},
	} {
		switch {
		case step.leave:
			if got := j.leave(step.seq); got != (step.want == 1) {
				t.Errorf("step %d: %d is left out, numbered: %v", i, step.seq, got)
			}
		default:
			if got := joined(j, step.seq, now); got != step.want {
				t.Errorf("step %d: %d became %d, want %d", i, step.seq, got, step.want)
			}
		}
	}
}

// TestJointIsWithoutGaps: whatever is left out, what is delivered is numbered one after the other.
func TestJointIsWithoutGaps(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Unix(1e9, 0)
	const packets = 5000
	j := &joint{clockRate: 90000}
	want := uint16(65000)
	for i := range packets {
		seq := uint16(65000 + i)
		if i > 0 && r.IntN(3) > 0 {
			if j.leave(seq) {
				t.Fatalf("packet %d has a number", i)
			}
			continue
		}
		if got := joined(j, seq, now); got != int(want) {
			t.Fatalf("packet %d became %d, want %d", i, got, want)
		}
		want++
	}
}

// TestJointBegins: another encoding goes on where the one before was, with its SSRC and by the clock.
func TestJointBegins(t *testing.T) {
	now := time.Unix(1e9, 0)
	j := &joint{clockRate: 90000}
	first := &rtp.Header{SequenceNumber: 65535, Timestamp: 1 << 31, SSRC: 7, Marker: true}
	j.begin(first, now)
	if !j.number(first, now) || first.SequenceNumber != 65535 || first.Timestamp != 1<<31 || first.SSRC != 7 {
		t.Errorf("the first is %+v", first)
	}
	now = now.Add(time.Second)
	for i, want := range []uint32{0, 3000} {
		h := &rtp.Header{SequenceNumber: uint16(40000 + i), Timestamp: uint32(5 + 3000*i), SSRC: 8, Marker: i == 0}
		if i == 0 {
			j.begin(h, now)
		}
		if !j.number(h, now) || h.SequenceNumber != uint16(i) || h.Timestamp != 1<<31+90000+want || h.SSRC != 7 {
			t.Errorf("packet %d is %+v", i, h)
		}
	}
	if j.number(&rtp.Header{SequenceNumber: 39999, Timestamp: 5}, now) {
		t.Error("a packet from before has a number")
	}
	again := &rtp.Header{SequenceNumber: 100, Timestamp: 5, SSRC: 7}
	j.begin(again, now)
	// The picture before is cut off.
	if !j.number(again, now) || again.SequenceNumber != 3 || again.Timestamp != 1<<31+90000+3000+1 {
		t.Errorf("at once it is %+v", again)
	}
}

// TestJointAfterPadding: a picture is whole although padding follows its last packet, and then no number is left free.
func TestJointAfterPadding(t *testing.T) {
	now := time.Unix(1e9, 0)
	j := &joint{clockRate: 90000}
	first := &rtp.Header{SequenceNumber: 5, Timestamp: 9, Marker: true}
	j.begin(first, now)
	padding, next := &rtp.Header{SequenceNumber: 6, Timestamp: 9}, &rtp.Header{SequenceNumber: 1000, Timestamp: 1}
	if !j.number(first, now) || !j.number(padding, now) {
		t.Fatal("no number")
	}
	if j.begin(next, now); !j.number(next, now) || next.SequenceNumber != 7 {
		t.Errorf("another encoding begins with %d", next.SequenceNumber)
	}
}

// TestJointLeavesJumps: a source that begins again with other numbers goes on, and what is too late to be known is
// dropped.
func TestJointLeavesJumps(t *testing.T) {
	now := time.Unix(1e9, 0)
	j := &joint{clockRate: 90000}
	if got := joined(j, 50000, now); got != 50000 {
		t.Errorf("the first is %d", got)
	}
	j.leave(50001)
	if got := joined(j, 52000, now); got != 51999 {
		t.Errorf("ahead it is %d", got)
	}
	if got := joined(j, 50000, now); got != -1 {
		t.Errorf("too late it is %d", got)
	}
	if j.leave(50000) {
		t.Error("too late it is numbered")
	}
	h := &rtp.Header{SequenceNumber: 30000, Timestamp: 52000*100 + 5}
	if !j.number(h, now) || h.SequenceNumber != 52001 {
		t.Errorf("again it is %+v", h)
	}
}
