package inbound

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
)

// choosing plays encodings to a chooser, a picture of each 40 ms.
type choosing struct {
	chooser

	now     time.Time
	numbers [MaxEncodings]uint16
	wanted  int
	heights [MaxEncodings]int
	said    []string

	delivered, asked string // of said
}

// picture sends a picture of two packets of each of some encodings, by their letters, and key frames of those in
// capitals. It notes what is delivered, and what is asked for.
func (c *choosing) picture(encodings string) {
	c.now = c.now.Add(40 * time.Millisecond)
	for _, letter := range encodings {
		i := strings.IndexRune("abcd", letter|0x20)
		for n := range 2 {
			start, height := startsNothing, 0
			if letter < 'a' && n == 0 {
				start, height = startsKeyframe, c.heights[i]
			}
			c.numbers[i]++
			h := &rtp.Header{SequenceNumber: c.numbers[i], Timestamp: uint32(c.now.UnixMilli()) * 90}
			c.say(c.take(i, h, start, height, c.wanted, c.now), i)
		}
	}
}

// say notes each delivery that is of another encoding than the one before, and so each request.
func (c *choosing) say(d choice, i int) {
	said := string(rune('a' + i))
	if d.delivers && said != c.delivered {
		if c.delivered = said; d.begins {
			said = "begins " + said
		}
		c.said = append(c.said, said)
	}
	if asked := "asks " + string(rune('a'+d.from)); d.asks && asked != c.asked {
		c.asked = asked
		c.said = append(c.said, asked)
	}
}

// TestChooser plays what a browser does with its encodings, and what is wanted of them.
func TestChooser(t *testing.T) {
	type step struct {
		want     int // from here on; 0 here stands for no change
		pictures string
		times    int
		says     string // in short: what is delivered, and asked for
	}
	const nothing = -2
	for _, test := range []struct {
		name    string
		heights [MaxEncodings]int
		steps   []step
	}{
		{"all of it, which begins small", [MaxEncodings]int{180, 360, 720}, []step{
			{inFull, "A", 1, "begins a"},
			{0, "a", 10, "a"},
			{0, "aB", 1, "a,begins b"},
			{0, "abC", 1, "b,begins c"},
			{0, "abc", 20, "c"},
		}},
		{"a small one, then all of it", [MaxEncodings]int{180, 360, 720}, []step{
			{180, "ABC", 1, "begins a"},
			{0, "abc", 20, "a"},
			{200, "abc", 1, "a,asks b"},
			{0, "aBc", 1, "a,asks b,begins b"},
			{0, "abc", 10, "b"},
			{inFull, "abc", 1, "asks c,b"},
			{0, "abC", 1, "asks c,b,begins c"},
			{0, "abc", 1, "c"},
			{181, "ABC", 1, "asks b,begins b"},
		}},
		{"more than there is", [MaxEncodings]int{180, 360, 720}, []step{{1080, "ABC", 1, "begins a,begins b,begins c"}}},
		{"nothing, and something again", [MaxEncodings]int{180, 360, 720}, []step{
			{360, "ABC", 1, "begins a,begins b"},
			{nothing, "abc", 30, ""},
			{360, "abc", 1, "asks b"},
			{0, "ABC", 1, "asks b,begins b"},
		}},
		{"the browser ends its large ones, and begins them again", [MaxEncodings]int{180, 360, 720}, []step{
			{inFull, "ABC", 1, "begins a,begins b,begins c"},
			{0, "abc", 10, "c"},
			{0, "ab", 20, ""},
			{0, "ab", 10, "asks b"},
			{0, "aB", 1, "asks b,begins b"},
			{0, "ab", 40, "b"},
			{0, "a", 30, "asks a"},
			{0, "A", 1, "begins a"},
			{0, "aBC", 1, "a,begins b,begins c"},
		}},
		{"of a picture that stands still nothing ends", [MaxEncodings]int{180, 360}, []step{
			{inFull, "BA", 1, "begins b"},
			{0, "", 100, ""},
			{0, "a", 1, ""},
			{0, "", 100, ""},
			{0, "a", 1, ""},
			{0, "b", 1, "b"},
		}},
		{"unknown heights go by the place", [MaxEncodings]int{0, 0, 720}, []step{
			{180, "ABC", 1, "begins a,begins b,asks a"},
			{0, "abc", 10, "asks a,b"},
			{0, "Abc", 1, "begins a"},
			{360, "aBc", 1, "a,asks b,begins b"},
		}},
		{"no height is known", [MaxEncodings]int{}, []step{{180, "ABC", 1, "begins a,begins b,begins c"}, {0, "abc", 2, "c"}}},
	} {
		c := &choosing{now: time.Unix(1e9, 0), wanted: inFull, heights: test.heights}
		for i, s := range test.steps {
			switch s.want {
			case 0:
			case nothing:
				c.wanted = 0
			default:
				c.wanted = s.want
			}
			c.said, c.delivered, c.asked = nil, "", ""
			for range s.times {
				c.picture(s.pictures)
			}
			if got := strings.Join(c.said, ","); got != s.says {
				t.Errorf("%s, step %d: %q, want %q", test.name, i, got, s.says)
			}
		}
	}
}

// TestChooserAfterAPause: an encoding that went on while nobody looked is as good as before, wherever its numbers are.
func TestChooserAfterAPause(t *testing.T) {
	for _, ahead := range []uint16{1, 1 << 14, 1 << 15, 1<<15 + 1, 1<<15 + 1<<14} {
		var c chooser
		now := time.Unix(1e9, 0)
		c.take(0, &rtp.Header{SequenceNumber: 100}, startsKeyframe, 0, 0, now)
		now = now.Add(time.Hour)
		if got := c.take(0, &rtp.Header{SequenceNumber: 100 + ahead, Timestamp: 9}, startsKeyframe, 0, inFull, now); !got.delivers || !got.begins {
			t.Errorf("%d packets later: %+v", ahead, got)
		}
	}
}

// TestChooserNeedsAWholeKeyFrame: a key frame whose first packet comes behind others begins nothing.
func TestChooserNeedsAWholeKeyFrame(t *testing.T) {
	var c chooser
	now := time.Unix(1e9, 0)
	begins := choice{delivers: true, begins: true}
	for i, test := range []struct {
		number  uint16
		picture uint32
		start   keyframeStart
		want    choice
	}{
		{11, 1, startsNothing, choice{asks: true}},
		{10, 1, startsKeyframe, choice{asks: true}},
		{12, 1, startsUnlessCut, choice{asks: true}}, // what it needs was in the packet before
		{14, 2, startsUnlessCut, choice{asks: true}}, // or in 13, which is missing
		{15, 3, startsUnlessCut, begins},
		{13, 2, startsNothing, choice{delivers: true}},
	} {
		h := &rtp.Header{SequenceNumber: test.number, Timestamp: test.picture}
		if got := c.take(0, h, test.start, 0, inFull, now); got != test.want {
			t.Errorf("packet %d: %s, want %s", i, fmt.Sprint(got), fmt.Sprint(test.want))
		}
	}
}
