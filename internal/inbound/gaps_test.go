package inbound

import (
	"slices"
	"testing"
	"time"
)

// playPackets gives g one packet every 10 ms and returns the steps at which it asked for
// a key frame. A packet is its number: 0 is no packet, a number above 100,000 begins a key frame, and one above 200,000
// does so unless what it needs is missing.
func playPackets(g *gaps, from uint16, packets ...int) (asked []int) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for i, p := range packets {
		if p == 0 {
			continue
		}
		start := []keyframeStart{startsNothing, startsKeyframe, startsUnlessCut}[p/100_000]
		starts := func([]byte) keyframeStart { return start }
		if g.took(from+uint16(p%100_000), nil, starts, now.Add(time.Duration(i)*10*time.Millisecond)) {
			asked = append(asked, i)
		}
	}
	return asked
}

// numberRange returns the numbers from a to b.
func numberRange(a, b int) (list []int) {
	for n := a; n <= b; n++ {
		list = append(list, n)
	}
	return list
}

func TestGaps(t *testing.T) {
	const key, slice = 100_000, 200_000
	without := func(missing int, list []int) []int {
		return slices.DeleteFunc(slices.Clone(list), func(n int) bool { return n == missing })
	}
	for name, c := range map[string]struct {
		packets []int
		want    []int // steps at which a key frame is asked for
	}{
		"whole":                         {numberRange(1, 300), nil},
		"one missing":                   {without(10, numberRange(1, 100)), []int{59}},
		"one missing, and no key frame": {without(10, numberRange(1, 200)), []int{59, 109, 159}},
		"repaired just in time":         {slices.Concat(without(10, numberRange(1, 59)), []int{10}, numberRange(60, 200)), nil},
		"out of order":                  {[]int{1, 2, 4, 3, 5, 8, 7, 6, 9}, nil},
		"twice":                         {[]int{1, 2, 2, 3, 3, 1, 4}, nil},
		"a key frame after the gap":     {slices.Concat(numberRange(1, 9), []int{11, 12, key + 13}, numberRange(14, 200)), nil},
		"no parameter sets":             {slices.Concat(numberRange(1, 9), []int{slice + 11}, numberRange(12, 99), []int{100, slice + 101}), []int{59}},
		"parameter sets, then a gap":    {slices.Concat(numberRange(1, 9), []int{11, 12, slice + 13}, numberRange(14, 200)), nil},
		"parameter sets come late":      {slices.Concat(numberRange(1, 9), []int{slice + 11, 12, 10}, numberRange(13, 200)), nil},
		"a key frame after the request": {slices.Concat(without(10, numberRange(1, 70)), []int{key + 71}, numberRange(72, 300)), []int{59}},
		"two gaps, the first repaired":  {slices.Concat(without(30, without(10, numberRange(1, 40))), []int{10}, numberRange(41, 100)), []int{88}},
		"a jump":                        {slices.Concat(numberRange(1, 5), numberRange(5000, 5010)), []int{5}},
		"a jump to a key frame":         {slices.Concat(numberRange(1, 5), []int{key + 5000}, numberRange(5001, 5100)), nil},
		"a jump to a slice":             {slices.Concat(numberRange(1, 5), []int{slice + 5000}, numberRange(5001, 5010)), []int{5}},
		"a jump back":                   {slices.Concat(numberRange(5000, 5005), numberRange(1, 5)), []int{6}},
		"silence during a gap":          {slices.Concat(numberRange(1, 5), []int{7}, make([]int, 300), []int{6, 8, 9}), nil},
	} {
		for _, from := range []uint16{0, 65_500, 40_000} { // also where the numbers wrap
			var g gaps
			if got := playPackets(&g, from, c.packets...); !slices.Equal(got, c.want) {
				t.Errorf("%s, from %d: asked at %v, want %v", name, from, got, c.want)
			}
		}
	}
}

// Pictures stand still from 200 ms after a packet is missed until it comes, or a key frame.
func TestStill(t *testing.T) {
	const key = 100_000
	for name, c := range map[string]struct {
		packets []int
		want    time.Duration
	}{
		"whole":                      {numberRange(1, 300), 0},
		"repaired in 100 ms":         {slices.Concat(numberRange(1, 9), numberRange(11, 20), []int{10}, numberRange(21, 100)), 0},
		"repaired in 300 ms":         {slices.Concat(numberRange(1, 9), numberRange(11, 40), []int{10}, numberRange(41, 100)), 100 * time.Millisecond},
		"a key frame after 1 s":      {slices.Concat(numberRange(1, 9), numberRange(11, 110), []int{key + 111}, numberRange(112, 300)), 800 * time.Millisecond},
		"no key frame":               {slices.Concat(numberRange(1, 9), numberRange(11, 311)), 2800 * time.Millisecond},
		"a gap and then a pause":     {slices.Concat(numberRange(1, 9), []int{11}, make([]int, 6000), []int{key + 12}, numberRange(13, 100)), maxStill},
		"two gaps, both for 300 ms":  {slices.Concat(numberRange(1, 9), numberRange(11, 40), []int{10}, numberRange(42, 71), []int{41, 72}), 200 * time.Millisecond},
		"a jump, and no key frame":   {slices.Concat(numberRange(1, 5), numberRange(5000, 5100)), 800 * time.Millisecond},
		"out of order all the time":  {[]int{1, 3, 2, 5, 4, 7, 6, 9, 8}, 0},
		"nothing arrives, no number": {slices.Concat(numberRange(1, 9), make([]int, 500), []int{10}), 0},
	} {
		var g gaps
		playPackets(&g, 65_000, c.packets...)
		if g.still != c.want {
			t.Errorf("%s: %v, want %v", name, g.still, c.want)
		}
	}
}
