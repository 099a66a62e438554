package inbound

import (
	"fmt"
	"strings"
	"testing"

	"noom/internal/packet"
)

// thinPicture sends a picture of three layers, of two packets each, and returns which are delivered: "0 0." is the
// lowest layer alone, whose last packet is marked. asks reports whether a key frame is asked for.
func thinPicture(thin *thinner, timestamp uint32, limit int, key bool) (got string, asks bool) {
	var all []string
	for id := range 3 {
		for n := range 2 {
			layer := packet.Spatial{ID: uint8(id), Ends: n == 1, Key: key && id == 0 && n == 0}
			d := thin.take(layer, timestamp, limit)
			asks = asks || d.asks
			if !d.delivers {
				continue
			}
			name := fmt.Sprint(id)
			if d.marks || id == 2 && n == 1 {
				name += "."
			}
			all = append(all, name)
		}
	}
	return strings.Join(all, " "), asks
}

func TestThinner(t *testing.T) {
	thin := newThinner()
	const one, two, three = "0 0.", "0 0 1 1.", "0 0 1 1 2 2."
	for i, step := range []struct {
		limit int
		key   bool
		want  string
		asks  bool
	}{
		{allSizes, true, three, false},
		{allSizes, false, three, false},
		{1, false, two, false},
		{1, false, two, false},
		{0, false, one, false},
		{allSizes, false, one, true},
		{1, false, one, true},
		{1, true, two, false},
		{2, false, two, true},
		{2, true, three, false},
		{-1, false, "", false},
		{-1, true, "", false},
		{0, false, "", true},
		{0, true, one, false},
		{allSizes, true, three, false},
	} {
		if got, asks := thinPicture(&thin, uint32(i)*3000-6000, step.limit, step.key); got != step.want || asks != step.asks {
			t.Errorf("picture %d: %q, asks %v, want %q, %v", i, got, asks, step.want, step.asks)
		}
	}
}

// TestThinnerOfLatePackets: a late packet counts for as much as its picture.
func TestThinnerOfLatePackets(t *testing.T) {
	thin := newThinner()
	thinPicture(&thin, 1000, 0, false)
	thinPicture(&thin, 4000, 2, true)
	top := packet.Spatial{ID: 2}
	if thin.take(top, 1000, 2).delivers {
		t.Error("a late packet of a picture of which its layer was left out is delivered")
	}
	if !thin.take(top, 4000, 2).delivers {
		t.Error("one of a picture of which its layer was delivered is left out")
	}
}

// TestThinnerAfterHours: what was decided long ago holds when timestamps have wrapped.
func TestThinnerAfterHours(t *testing.T) {
	thin := newThinner()
	thinPicture(&thin, 0, 0, false)
	for i := range uint32(12) {
		if got, asks := thinPicture(&thin, (i+1)<<29, 0, false); got != "0 0." || asks {
			t.Errorf("after %d × 1.7 hours %q is delivered, asks %v", i+1, got, asks)
		}
	}
}

func TestLayerFor(t *testing.T) {
	three := []int{180, 360, 720}
	for _, test := range []struct {
		heights      []int
		wanted, want int
	}{
		{three, inFull, allSizes},
		{three, 0, -1},
		{three, 1, 0},
		{three, 180, 0},
		{three, 181, 1},
		{three, 720, 2},
		{three, 721, allSizes},
		{nil, 180, allSizes},
		{nil, 0, allSizes},
		{[]int{720}, 180, allSizes},
		{[]int{720}, 0, allSizes},
	} {
		if got := layerFor(test.heights, test.wanted); got != test.want {
			t.Errorf("%v of %v: %d, want %d", test.wanted, test.heights, got, test.want)
		}
	}
}
