package allocate

import (
	"slices"
	"testing"
	"time"
)

// scene is a room in a test: legs, tracks, and a clock.
type scene struct {
	planner Planner
	now     time.Time
	legs    []*Leg
	tracks  []*Track
	takes   map[*Leg]int // bits per second that the path takes, if that is not the target
}

// newScene has legs that have been up for long, with those targets.
func newScene(tracks []*Track, targets ...int) *scene {
	s := &scene{now: time.Unix(1000, 0), tracks: tracks, takes: make(map[*Leg]int)}
	for _, target := range targets {
		s.join(target)
	}
	s.pass(Start + 2*Recovery)
	return s
}

// join adds a leg that has just come up.
func (s *scene) join(target int) *Leg {
	l := &Leg{State: Up, Target: target}
	for range s.tracks {
		l.Cells = append(l.Cells, &Cell{Height: All})
	}
	s.legs = append(s.legs, l)
	return l
}

// plan makes a plan. A path to which more is sent than it takes is congested from then on, until it is not.
func (s *scene) plan() {
	s.planner.Plan(s.now, s.legs, s.tracks)
	for _, l := range s.legs {
		load, takes := l.load(s.tracks), l.Target
		if t, known := s.takes[l]; known {
			takes = t
		}
		l.Congested = load > takes
	}
}

// load returns what a leg is sent, in bits per second.
func (l *Leg) load(tracks []*Track) (sum int) {
	for i, t := range tracks {
		if c := l.Cells[i]; c != nil && c.placed && c.Choice >= 0 && !t.Silent {
			if t.Video {
				sum += wire(t.Encodings[c.Choice].Target)
			} else {
				sum += t.Encodings[c.Choice].Target + AudioOverhead
			}
		}
	}
	return sum
}

// pass lets time pass, with a plan each quarter of a second.
func (s *scene) pass(d time.Duration) {
	const tick = 250 * time.Millisecond
	s.plan()
	for ; d > 0; d -= tick {
		s.now = s.now.Add(min(d, tick))
		s.plan()
	}
}

// choices returns what flows of a track, by leg.
func (s *scene) choices(track int) (list []int) {
	for _, l := range s.legs {
		list = append(list, l.Cells[track].Choice)
	}
	return list
}

func (s *scene) want(t *testing.T, track int, choices ...int) {
	t.Helper()
	if got := s.choices(track); !slices.Equal(got, choices) {
		t.Errorf("at %v legs get %v of track %d, want %v", s.now.Sub(time.Unix(1000, 0)), got, track, choices)
	}
}

// within reports an error unless got is want or up to a tenth less.
func within(t *testing.T, what string, got, want int) {
	t.Helper()
	if got > want || got < want*9/10 {
		t.Errorf("%s is %d, want up to %d", what, got, want)
	}
}

func voice() *Track { return &Track{Encodings: []Encoding{{Fixed: true, Rate: 32_000}}} }

func camera() *Track {
	return &Track{Video: true, Encodings: []Encoding{{Height: 720, Min: 100_000, Max: 2_000_000}}}
}

func layered() *Track {
	return &Track{Video: true, Encodings: []Encoding{
		{Height: 720, Min: 250_000, Max: 2_000_000}, {Height: 180, Min: 60_000, Max: 250_000},
	}}
}

func TestSoundFirst(t *testing.T) {
	s := newScene([]*Track{voice(), camera()}, 400_000)
	s.want(t, 0, 0)
	within(t, "the picture's rate", s.tracks[1].Encodings[0].Target, payload(400_000-32_000-AudioOverhead))
	s.legs[0].Target = 40_000
	s.pass(2 * Insisted)
	s.want(t, 0, 0)
	s.want(t, 1, Nothing)
	if why := s.legs[0].Cells[1].Why; why != TooLittle {
		t.Errorf("the reason is %d", why)
	}
}

func TestSoundAdapts(t *testing.T) {
	tracks := []*Track{{Encodings: []Encoding{{Min: 16_000, Max: 64_000}}}}
	s := newScene(tracks, 1_000_000)
	for _, c := range []struct{ target, want int }{{1_000_000, 64_000}, {80_000, 41_600}, {10_000, 16_000}} {
		s.legs[0].Target = c.target
		s.plan()
		if got := tracks[0].Encodings[0].Target; got != c.want {
			t.Errorf("with %d for all, the sound gets %d, want %d", c.target, got, c.want)
		}
	}
}

func TestPriority(t *testing.T) {
	screen, face := camera(), camera()
	s := newScene([]*Track{face, screen}, 1_050_000)
	within(t, "half", face.Encodings[0].Target, 500_000)
	within(t, "the other half", screen.Encodings[0].Target, 500_000)
	screen.Priority = 1
	s.pass(Recovery)
	within(t, "the screen", screen.Encodings[0].Target, 900_000)
	within(t, "the face, on its floor,", face.Encodings[0].Target, 100_000)
	s.legs[0].Target = 180_000
	s.pass(2 * Insisted)
	s.want(t, 0, Nothing)
	s.want(t, 1, 0)
}

// TestSlowLegAlone: a leg below the floor loses its picture, the others lose nothing, and it comes back by itself.
func TestSlowLegAlone(t *testing.T) {
	s := newScene([]*Track{camera()}, 2_100_000, 2_100_000, 2_100_000)
	before := s.tracks[0].Encodings[0].Target
	s.legs[1].Target = 40_000
	for range 40 {
		s.pass(250 * time.Millisecond)
		if got := s.tracks[0].Encodings[0].Target; got < before {
			t.Fatalf("the others get %d, after %d", got, before)
		}
	}
	s.want(t, 0, 0, Nothing, 0)
	s.legs[1].Target = 115_000 // enough to go on, not to begin again
	s.pass(10 * time.Second)
	s.want(t, 0, 0, Nothing, 0)
	s.legs[1].Target = 2_100_000
	s.pass(Recovery)
	s.want(t, 0, 0, 0, 0)
}

func TestPatience(t *testing.T) {
	s := newScene([]*Track{camera()}, 150_000)
	l := s.legs[0]
	l.Target, s.takes[l] = 60_000, 200_000
	s.pass(time.Minute) // the path is not congested: it may take more than is known
	s.want(t, 0, 0)
	s.takes[l] = 60_000
	s.pass(Insisted)
	s.want(t, 0, 0)
	l.Target, s.takes[l] = 150_000, 150_000
	s.pass(Insisted)
	l.Target, s.takes[l] = 60_000, 60_000
	s.pass(Insisted)
	s.want(t, 0, 0)
	s.pass(500 * time.Millisecond)
	s.want(t, 0, Nothing)
}

// TestOneAfterTheOther: a leg of which little is known for a moment gets the lowest encoding, and only nothing if that is
// too much, too.
func TestOneAfterTheOther(t *testing.T) {
	s := newScene([]*Track{layered()}, 2_100_000)
	l := s.legs[0]
	l.Target, s.takes[l] = 30_000, 300_000
	s.pass(time.Minute)
	s.want(t, 0, 1)
	if rate := s.tracks[0].Encodings[1].Target; rate != 60_000 {
		t.Errorf("it makes %d", rate)
	}
	delete(s.takes, l)
	s.pass(2 * Insisted)
	s.want(t, 0, Nothing)
}

// TestComesBackOnce: a picture comes back when there has been enough for it for a while, and not for a moment.
func TestComesBackOnce(t *testing.T) {
	s := newScene([]*Track{camera()}, 40_000)
	s.want(t, 0, Nothing)
	for range 10 {
		s.legs[0].Target = 2_000_000
		s.pass(Recovery - 500*time.Millisecond)
		s.want(t, 0, Nothing)
		s.legs[0].Target = 40_000
		s.plan()
	}
}

// TestUnequalFloors: of two tracks that rank the same, the one with the larger floor keeps it.
func TestUnequalFloors(t *testing.T) {
	small, large := camera(), camera()
	large.Encodings[0].Min = 500_000
	s := newScene([]*Track{small, large}, 735_000)
	s.want(t, 0, 0)
	s.want(t, 1, 0)
	within(t, "the small one", small.Encodings[0].Target, 200_000)
	within(t, "the large one", large.Encodings[0].Target, 500_000)
}

// TestLowerQuartile: of five legs with one encoding, one that has less than half of the next is left out. One that has
// a little more is not.
func TestLowerQuartile(t *testing.T) {
	s := newScene([]*Track{camera()}, 300_000, 1_000_000, 1_000_000, 2_000_000, 2_000_000)
	s.want(t, 0, Nothing, 0, 0, 0, 0)
	within(t, "the rate", s.tracks[0].Encodings[0].Target, payload(1_000_000))
	s = newScene([]*Track{camera()}, 600_000, 1_000_000, 1_000_000, 2_000_000, 2_000_000)
	s.want(t, 0, 0, 0, 0, 0, 0)
	within(t, "the rate", s.tracks[0].Encodings[0].Target, payload(600_000))
	s = newScene([]*Track{camera()}, 300_000, 1_000_000, 1_000_000, 2_000_000)
	s.want(t, 0, 0, 0, 0, 0)
}

func TestLowEncodingForSlowLeg(t *testing.T) {
	s := newScene([]*Track{layered()}, 2_100_000, 2_100_000, 2_100_000)
	low := &s.tracks[0].Encodings[1]
	if low.Open {
		t.Error("the low encoding is open and nobody needs it")
	}
	before := s.tracks[0].Encodings[0].Target
	s.legs[2].Target = 300_000
	s.pass(Patience)
	s.want(t, 0, 0, 0, 1)
	if got := s.tracks[0].Encodings[0].Target; got < before*95/100 {
		t.Errorf("the others get %d, after %d", got, before)
	}
	if !low.Open || low.Target != low.Max {
		t.Errorf("the low encoding: open %v, %d bit/s", low.Open, low.Target)
	}
	s.legs[2].Target = 2_100_000
	s.pass(Recovery + Linger)
	s.want(t, 0, 0, 0, 0)
	if low.Open {
		t.Error("the low encoding is still open")
	}
}

func TestShownSmallAndLarge(t *testing.T) {
	s := newScene([]*Track{layered()}, 2_100_000, 2_100_000)
	s.legs[0].Cells[0].Height, s.legs[1].Cells[0].Height = 180, 100
	s.plan()
	s.want(t, 0, 1, 1)
	s.pass(time.Second)
	if s.tracks[0].Encodings[0].Open {
		t.Error("the best encoding is open and nobody needs it")
	}
	s.legs[0].Cells[0].Height = 720
	s.plan()
	s.want(t, 0, 0, 1)
	if !s.tracks[0].Encodings[0].Open {
		t.Error("the best encoding is not open")
	}
}

func TestNobodyLooks(t *testing.T) {
	s := newScene([]*Track{voice(), camera()}, 2_100_000)
	cell, enc := s.legs[0].Cells[1], &s.tracks[1].Encodings[0]
	wanted := s.legs[0].Want
	cell.Height = 0
	s.pass(time.Second - 250*time.Millisecond)
	if enc.Open || cell.Choice != Nothing || cell.Why != NotShown {
		t.Errorf("after 750 ms: open %v, %d because of %d", enc.Open, cell.Choice, cell.Why)
	}
	if s.legs[0].Want >= wanted {
		t.Errorf("the leg could use %d, and %d before", s.legs[0].Want, wanted)
	}
	cell.Height = All
	s.plan()
	if !enc.Open || cell.Choice != 0 {
		t.Errorf("looked at again: open %v, %d", enc.Open, cell.Choice)
	}
}

// TestNewcomer: who has just come gets a picture at once and slows down nobody, until Start is over or it shows that it
// takes too little.
func TestNewcomer(t *testing.T) {
	s := newScene([]*Track{camera()}, 2_100_000)
	l := s.join(300_000)
	s.takes[l] = 3_000_000
	s.pass(Start - time.Second)
	s.want(t, 0, 0, 0)
	within(t, "the rate", s.tracks[0].Encodings[0].Target, 2_000_000)
	s.takes[l] = 300_000
	s.pass(250 * time.Millisecond)
	within(t, "the rate of both", s.tracks[0].Encodings[0].Target, payload(300_000))

	s = newScene([]*Track{camera()})
	s.join(300_000)
	s.plan()
	s.want(t, 0, 0)
	within(t, "the rate of one alone", s.tracks[0].Encodings[0].Target, payload(300_000))
}

// TestOutage: who is interrupted keeps what it had and is not judged by it, and is not still paused after it.
func TestOutage(t *testing.T) {
	s := newScene([]*Track{camera()}, 2_100_000, 2_100_000)
	s.legs[1].State, s.legs[1].Target = Held, 30_000
	s.pass(10 * time.Second)
	s.want(t, 0, 0, 0)
	within(t, "the rate", s.tracks[0].Encodings[0].Target, 2_000_000)

	s.legs[1].State = Up
	s.pass(2 * Patience)
	s.want(t, 0, 0, Nothing)
	s.legs[1].State = Held
	s.pass(time.Second)
	s.legs[1].State = Up
	s.plan()
	s.want(t, 0, 0, 0)
}

// TestFixed: a source that chooses its rate itself is sent where it fits, after some patience.
func TestFixed(t *testing.T) {
	file := &Track{Video: true, Encodings: []Encoding{{Fixed: true, Rate: 1_000_000}}}
	s := newScene([]*Track{file}, 2_000_000)
	l := s.join(700_000)
	s.takes[l] = 2_000_000
	s.pass(time.Minute)
	s.want(t, 0, 0, 0)
	if l.Want != 0 {
		t.Errorf("what is sent may be slowed down")
	}
	delete(s.takes, l)
	s.pass(Insisted)
	s.want(t, 0, 0, 0)
	s.pass(500 * time.Millisecond)
	s.want(t, 0, 0, Nothing)
	if want := s.legs[1].Want; want < 1_000_000 {
		t.Errorf("the leg could use %d", want)
	}
	s.legs[1].Target = 2_000_000
	s.pass(Recovery)
	s.want(t, 0, 0, 0)

	s.legs[0].Target, s.legs[1].Target = 300_000, 300_000
	s.pass(Insisted + Kept)
	s.want(t, 0, Nothing, Nothing)
	if !file.Encodings[0].Open {
		t.Error("nobody sees any longer what it makes")
	}
	file.Encodings[0].Rate = 200_000
	s.pass(Recovery)
	s.want(t, 0, 0, 0)
}

// TestOnlyForOne: what is sent to one leg alone takes nothing from the others.
func TestOnlyForOne(t *testing.T) {
	s := newScene([]*Track{camera(), camera()}, 1_050_000, 1_050_000)
	s.legs[1].Cells[1] = nil
	s.pass(Recovery)
	within(t, "what one gets", s.tracks[1].Encodings[0].Target, 500_000)
	within(t, "what both get", s.tracks[0].Encodings[0].Target, 500_000)
	if s.legs[1].Want > s.legs[0].Want/2 {
		t.Errorf("legs could use %d and %d", s.legs[0].Want, s.legs[1].Want)
	}
}

// TestFreePathKeepsPicture: a leg that has too little, by an estimate that may be too low, is not above its share
// once its path is free again, so that it can ask for the key frame that it needs. Short congestions do not add up.
func TestFreePathKeepsPicture(t *testing.T) {
	s := newScene([]*Track{voice(), layered()}, 120_000)
	l, c := s.legs[0], s.legs[0].Cells[1]
	plan := func(congested bool, times int) {
		for range times {
			s.now = s.now.Add(250 * time.Millisecond)
			l.Congested = congested
			s.planner.Plan(s.now, s.legs, s.tracks)
		}
	}
	plan(false, 20)
	l.Target = 90_000
	for range 5 {
		plan(true, 8)
		if !c.Above {
			t.Error("a leg with too little over a congested path is not above its share")
		}
		plan(false, 3)
		if c.Above || c.Choice != 1 {
			t.Errorf("a leg over a free path: above its share %t, gets %d", c.Above, c.Choice)
		}
	}
	plan(true, int(Insisted/(250*time.Millisecond)))
	s.want(t, 1, 1)
	plan(true, 1)
	s.want(t, 1, Nothing)
}
