package fanout

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestStitchJoinsRuns(t *testing.T) {
	s := stitch{clockRate: 48000}
	now := time.Unix(1e9, 0)
	var lastSeq uint16
	var lastTimestamp uint32
	for n := range 200 {
		seq, timestamp := uint16(rand.Uint32()), rand.Uint32()
		s.begin(seq, timestamp, now)
		for i := range uint16(50) {
			gotSeq, gotTimestamp, ok := s.next(seq+i, timestamp+960*uint32(i), now)
			if !ok {
				t.Fatal("dropped")
			}
			if first := n == 0 && i == 0; !first && (gotSeq != lastSeq+1 || gotTimestamp-lastTimestamp != 960) {
				t.Fatalf("run %d, packet %d: sequence number moves by %d, timestamp by %d",
					n, i, gotSeq-lastSeq, gotTimestamp-lastTimestamp)
			}
			lastSeq, lastTimestamp = gotSeq, gotTimestamp
			now = now.Add(20 * time.Millisecond)
		}
	}
}

func TestStitchKeepsOrderWithinRun(t *testing.T) {
	s := stitch{clockRate: 90000}
	now := time.Unix(1e9, 0)
	s.begin(65534, 0, now)
	base, _, _ := s.next(65534, 0, now)
	for _, test := range []struct {
		seq  uint16
		want uint16
		ok   bool
	}{
		{0, 2, true},
		{65535, 1, true}, // late, but of this run
		{65533, 0, false},
		{65000, 0, false},
		{5, 7, true}, // after a loss
		{4, 6, true},
	} {
		got, _, ok := s.next(test.seq, 0, now)
		if ok != test.ok || ok && got-base != test.want {
			t.Errorf("%d: became %d, %v; want %d, %v", test.seq, got-base, ok, test.want, test.ok)
		}
	}
	s.begin(100, 0, now)
	if got, _, _ := s.next(100, 0, now); got-base != 8 {
		t.Errorf("the next run begins at %d, want 8", got-base)
	}
	// A run may be long: late packets are still recognised far from its start.
	for n := range uint16(65535) {
		s.next(101+n, uint32(n), now)
	}
	if _, _, ok := s.next(90, 0, now); !ok {
		t.Error("a late packet was taken for one from before the run")
	}
}

func TestStitchPauses(t *testing.T) {
	for _, test := range []struct {
		pause time.Duration
		want  uint32
	}{
		{-time.Second, 1},
		{0, 1},
		{time.Second, 90000},
		{time.Hour, 90000 * 3600},
		{1000 * time.Hour, 90000 * 3600},
	} {
		s := stitch{clockRate: 90000}
		now := time.Unix(1e9, 0)
		s.begin(7, 1234, now)
		_, before, _ := s.next(7, 1234, now)
		now = now.Add(test.pause)
		s.begin(7, 1234, now)
		if _, after, _ := s.next(7, 1234, now); after-before != test.want {
			t.Errorf("%v: timestamp moves by %d, want %d", test.pause, after-before, test.want)
		}
	}
}

func TestRunEndsWithAJump(t *testing.T) {
	r := &packetRun{last: 65530}
	for _, test := range []struct {
		seq uint16
		ok  bool
	}{
		{65531, true},
		{2, true},
		{65531, true},
		{2 + maxDropout, true},
		{3 + 2*maxDropout, false},
		{1 + maxDropout - maxMisorder, false},
		{2 + maxDropout - maxMisorder, true},
	} {
		if got := r.advance(test.seq); got != test.ok {
			t.Errorf("%d: %v, want %v", test.seq, got, test.ok)
		}
	}
}

// TestStitchStartsFarFromTheWrap: the random start is never in the upper half.
func TestStitchStartsFarFromTheWrap(t *testing.T) {
	for range 1 << 18 {
		s := stitch{clockRate: 90000}
		s.begin(7, 0, time.Time{})
		if seq, _, _ := s.next(7, 0, time.Time{}); seq >= 1<<15 {
			t.Fatalf("starts at %d", seq)
		}
	}
}

// TestStitchSkips: what is left out, and what was lost in front of it, leaves no gap, and is
// not sent late.
func TestStitchSkips(t *testing.T) {
	s := stitch{clockRate: 90000}
	now := time.Unix(1e9, 0)
	s.begin(65533, 0, now)
	base, _, _ := s.next(65533, 0, now)
	s.skip(65535)
	s.skip(65534) // late
	for _, test := range []struct {
		seq  uint16
		want uint16
		ok   bool
	}{{0, 1, true}, {65534, 0, false}, {65535, 0, false}, {2, 3, true}, {1, 2, true}} {
		if got, _, ok := s.next(test.seq, 0, now); ok != test.ok || ok && got-base != test.want {
			t.Errorf("%d: became %d, %v; want %d, %v", test.seq, got-base, ok, test.want, test.ok)
		}
	}
}
