package traffic

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// judged reads reports as pion does. It returns when packets arrived, in units of deltaUnit, and -1 for those that are
// missing, by number.
func judged(t *testing.T, reports [][]byte) map[uint16]int64 {
	t.Helper()
	says := make(map[uint16]int64)
	for _, raw := range reports {
		var p rtcp.TransportLayerCC
		must(t, p.Unmarshal(raw))
		again, err := p.Marshal()
		must(t, err)
		if len(raw) > mostBytes || len(raw) != len(again) || p.SenderSSRC != 7 || p.MediaSSRC != 9 {
			t.Fatalf("%d bytes, pion writes %d: %+v", len(raw), len(again), p)
		}
		used := wideTop + 2*len(p.PacketChunks)
		for _, d := range p.RecvDeltas {
			used += int(d.Type)
		}
		if pad := len(raw) - used; pad > 3 || pad > 0 != p.Header.Padding || pad > 0 && int(raw[len(raw)-1]) != pad {
			t.Fatalf("%d bytes of %d are used: % x", used, len(raw), raw)
		}
		var statuses []uint16
		for _, c := range p.PacketChunks {
			switch c := c.(type) {
			case *rtcp.RunLengthChunk:
				for range c.RunLength {
					statuses = append(statuses, c.PacketStatusSymbol)
				}
			case *rtcp.StatusVectorChunk:
				statuses = append(statuses, c.SymbolList...)
			}
		}
		at, deltas := int64(p.ReferenceTime)*int64(ticksPerReference), p.RecvDeltas
		for i, s := range statuses {
			switch {
			case i >= int(p.PacketStatusCount):
				if s != 0 {
					t.Fatalf("a report on %d packets says %d of one more", p.PacketStatusCount, s)
				}
			case s == rtcp.TypeTCCPacketNotReceived:
				says[p.BaseSequenceNumber+uint16(i)] = -1
			default:
				at += deltas[0].Delta / int64(deltaUnit/time.Microsecond)
				deltas = deltas[1:]
				says[p.BaseSequenceNumber+uint16(i)] = at
			}
		}
		if len(statuses) < int(p.PacketStatusCount) || len(deltas) > 0 {
			t.Fatalf("%d statuses of %d, %d deltas left", len(statuses), p.PacketStatusCount, len(deltas))
		}
	}
	return says
}

func all(r *recorder) (reports [][]byte) {
	for p := r.report(); p != nil; p = r.report() {
		reports = append(reports, p)
	}
	return reports
}

// ticks returns a time as it is reported.
func ticks(at time.Duration) int64 { return int64(at/deltaUnit) + 1 }

// TestReportsSayWhatArrived: what a report says is what was noted, for all patterns of losses and delays, as pion reads it.
func TestReportsSayWhatArrived(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		r := &recorder{sender: 7}
		number, at := uint16(rng.Uint32()), time.Duration(rng.Int64N(int64(time.Hour)))
		share, burst, pause := rng.Float64(), 1+rng.IntN(40), time.Duration(rng.IntN(int(3*time.Second)))
		for range 1 + rng.IntN(4) {
			want := make(map[uint16]int64)
			for n, end := 0, 1+rng.IntN(1900); n < end; n++ {
				if at += time.Duration(rng.IntN(2_000_000)); rng.IntN(50) == 0 {
					at += pause
				}
				if n < end-1 && n > 0 && rng.Float64() < share { // the last shows what is missing, and the first of all begins
					for range min(1+rng.IntN(burst), end-1-n) {
						want[number] = -1
						number, n = number+1, n+1
					}
				}
				want[number] = ticks(at)
				r.arrived(9, number, at)
				number++
			}
			if got := judged(t, all(r)); !maps.Equal(got, want) {
				t.Fatalf("seed %d: reported %v, want %v", seed, got, want)
			}
			if r.pending() {
				t.Fatalf("seed %d: something is left", seed)
			}
		}
	}
}

// TestReportsAreShort: packets that came in time take a byte each, and what is missing an eighth of one.
func TestReportsAreShort(t *testing.T) {
	for every, want := range map[uint16]int{1: wideTop + 2 + 140, 2: wideTop + 2*10 + 70, 14: wideTop + 2*10 + 10, 140: wideTop + 2*2 + 1} {
		r := &recorder{sender: 7, any: true}
		for n := every - 1; n < 140; n += every {
			r.arrived(9, n, time.Duration(n)*time.Millisecond)
		}
		if reports := all(r); len(reports) != 1 || len(reports[0]) > want+3 {
			t.Errorf("one of %d came: %d reports, of %d bytes, want %d", every, len(reports), len(reports[0]), want)
		}
	}
}

// TestLatePacketsAreReported: once more with what followed, however late, and what comes twice is not.
func TestLatePacketsAreReported(t *testing.T) {
	r := &recorder{sender: 7}
	note := func(number uint16, ms int, want bool) {
		t.Helper()
		if got := r.arrived(9, number, time.Duration(ms)*time.Millisecond); got != want {
			t.Errorf("packet %d is the first to be reported: %v", number, got)
		}
	}
	check := func(want map[uint16]int64) {
		t.Helper()
		if got := judged(t, all(r)); !maps.Equal(got, want) {
			t.Errorf("reported %v, want %v", got, want)
		}
	}
	ms := func(n int) int64 { return ticks(time.Duration(n) * time.Millisecond) }
	note(65534, 100, true)
	note(1, 101, false)
	check(map[uint16]int64{65534: ms(100), 65535: -1, 0: -1, 1: ms(101)})
	note(0, 9000, true) // more than a delta away from what followed
	note(2, 9001, false)
	note(2, 9002, false)
	check(map[uint16]int64{0: ms(9000), 1: ms(101), 2: ms(9001)})
	note(65533, 9100, true) // before the first
	note(0, 9100, false)
	check(map[uint16]int64{65533: ms(9100), 65534: ms(100), 65535: -1, 0: ms(9000), 1: ms(101), 2: ms(9001)})
	note(3+recorded, 9200, true) // as if the numbers began again
	check(map[uint16]int64{3 + recorded: ms(9200)})
	note(1, 9300, true)
	check(map[uint16]int64{1: ms(9300)})
	note(recorded, 9400, true)
	want := map[uint16]int64{recorded: ms(9400)}
	for n := uint16(2); n < recorded; n++ {
		want[n] = -1
	}
	check(want)
	check(nil)
}

// TestMemoryGrows: a recorder has memory for what has come, and reports what one with all memory does.
func TestMemoryGrows(t *testing.T) {
	var few recorder
	for n := range uint16(firstOnes) {
		few.arrived(9, n+65500, 0)
		all(&few)
	}
	if len(few.times) != firstOnes {
		t.Errorf("room for %d after %d", len(few.times), firstOnes)
	}
	for seed := range uint64(1000) {
		rng := rand.New(rand.NewPCG(seed, 2))
		r, full := new(recorder), &recorder{times: make([]uint32, recorded)}
		number, at, far := uint16(rng.Uint32()), time.Duration(0), 1+rng.IntN(2500)
		for range 300 {
			at += time.Duration(rng.IntN(50_000_000))
			switch number++; {
			case rng.IntN(20) == 0:
				number += uint16(rng.IntN(far))
			case rng.IntN(20) == 0:
				number -= uint16(rng.IntN(far))
			}
			if first := r.arrived(9, number, at); first != full.arrived(9, number, at) {
				t.Fatalf("seed %d: %d: first: %v", seed, number, first)
			}
			if rng.IntN(10) > 0 {
				continue
			}
			if got, want := all(r), all(full); !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("seed %d: reported %v, want %v", seed, got, want)
			}
		}
		if len(r.times) > recorded {
			t.Fatalf("seed %d: room for %d", seed, len(r.times))
		}
	}
}

// FuzzRecorder: whatever arrives, reports can be read, and never say that a packet arrived that did not.
func FuzzRecorder(f *testing.F) {
	f.Add([]byte{0, 1, 0, 5, 0, 2, 0, 9, 255, 255, 3, 0})
	f.Add([]byte{9, 0, 255, 0, 1, 0, 0, 0, 8, 255, 255, 255})
	f.Fuzz(func(t *testing.T, steps []byte) {
		r := &recorder{sender: 7}
		came := make(map[uint16]bool)
		number, at := uint16(65000), time.Duration(0)
		for steps = steps[:min(len(steps), 1000)]; len(steps) >= 4; steps = steps[4:] {
			number += binary.BigEndian.Uint16(steps)
			at += time.Duration(steps[2]) * time.Duration(steps[2]) * time.Millisecond
			r.arrived(9, number, at)
			came[number] = true
			if steps[3] < 200 {
				continue
			}
			reports := all(r)
			if len(reports) > recorded {
				t.Fatalf("%d reports", len(reports))
			}
			for n, when := range judged(t, reports) {
				if when >= 0 && !came[n] {
					t.Fatalf("packet %d did not arrive", n)
				}
			}
		}
	})
}
