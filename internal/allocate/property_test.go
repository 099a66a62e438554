package allocate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// world is a scene with random legs and tracks, and what the test remembers of it.
type world struct {
	*scene
	random *rand.Rand
	opened map[*Encoding][]time.Time // when each was opened or closed
	was    map[*Encoding]bool
}

func newWorld(seed uint64) *world {
	w := &world{
		scene: &scene{now: time.Unix(1000, 0), takes: make(map[*Leg]int)}, random: rand.New(rand.NewPCG(seed, 17)),
		opened: make(map[*Encoding][]time.Time), was: make(map[*Encoding]bool),
	}
	w.tracks = append(w.tracks, voice())
	for range w.random.IntN(3) {
		w.tracks = append(w.tracks, w.track())
	}
	for range 1 + w.random.IntN(8) {
		l := w.join(w.target())
		for i := range l.Cells {
			if i > 0 && w.random.IntN(8) == 0 {
				l.Cells[i] = nil
			}
		}
	}
	return w
}

func (w *world) target() int { return 20_000 << w.random.IntN(8) * (10 + w.random.IntN(10)) / 10 }

func (w *world) track() *Track {
	t := &Track{Video: true, Priority: w.random.IntN(3), Silent: w.random.IntN(10) == 0}
	if w.random.IntN(5) == 0 {
		t.Encodings = []Encoding{{Fixed: true, Rate: 100_000 + w.random.IntN(2_000_000)}}
		return t
	}
	height, most := 720, 2_000_000
	for range 1 + w.random.IntN(3) {
		t.Encodings = append(t.Encodings, Encoding{Height: height, Min: most / (2 + w.random.IntN(10)), Max: most})
		height, most = height/2, most/4
	}
	return t
}

// change changes something, sometimes much.
func (w *world) change() {
	l := w.legs[w.random.IntN(len(w.legs))]
	i := w.random.IntN(len(w.tracks))
	switch w.random.IntN(6) {
	case 0:
		l.Target = w.target()
	case 1:
		l.Target = l.Target * (80 + w.random.IntN(40)) / 100
	case 2:
		if c := l.Cells[i]; c != nil {
			c.Height = []int{0, All, 90, 180, 360, 720}[w.random.IntN(6)]
		}
	case 3:
		l.State = State(w.random.IntN(4))
	case 4:
		w.takes[l] = w.target()
	case 5:
		w.tracks[i].Silent = !w.tracks[i].Silent
	}
}

// step makes a plan after some time, and checks what always holds.
func (w *world) step(after time.Duration) error {
	w.now = w.now.Add(after)
	w.plan()
	for i, t := range w.tracks {
		for e := range t.Encodings {
			enc := &t.Encodings[e]
			if enc.Open != w.was[enc] {
				w.was[enc] = enc.Open
				w.opened[enc] = append(w.opened[enc], w.now)
			}
			if times := w.opened[enc]; len(times) > 2 && w.now.Sub(times[len(times)-3]) < time.Second {
				return fmt.Errorf("encoding %d of track %d opened or closed three times in a second", e, i)
			}
			if !enc.Fixed && enc.Target != 0 && (enc.Target < enc.Min || enc.Target > enc.Max) {
				return fmt.Errorf("encoding %d of track %d makes %d", e, i, enc.Target)
			}
		}
		for k, l := range w.legs {
			c := l.Cells[i]
			switch {
			case c == nil || l.State <= Coming || !c.placed:
			case !t.Video && c.Choice != 0 && c.Height != 0:
				return fmt.Errorf("leg %d has no sound", k)
			case t.Silent || c.Choice == Nothing:
			case !t.Encodings[c.Choice].Open:
				return fmt.Errorf("leg %d waits for encoding %d of track %d, which is closed", k, c.Choice, i)
			}
		}
	}
	return nil
}

// settled checks what holds when nothing has changed for long.
func (w *world) settled() error {
	for k, l := range w.legs {
		if l.State != Up {
			continue
		}
		sum := 0
		for i, t := range w.tracks {
			c := l.Cells[i]
			if c == nil || !t.Video || t.Silent || c.Choice == Nothing {
				continue
			}
			if c.Height == 0 {
				return fmt.Errorf("leg %d gets track %d, which it does not show", k, i)
			}
			sum += wire(t.Encodings[c.Choice].Target)
		}
		if room := max(l.Target-w.tracks[0].Encodings[0].Rate-AudioOverhead, 0); l.Congested && sum > room && !w.tracks[0].Silent && l.Cells[0].Choice == 0 {
			return fmt.Errorf("leg %d gets %d of pictures, and has room for %d", k, sum, room)
		}
	}
	for i, t := range w.tracks {
		for e := range t.Encodings {
			needed := !t.Video
			for _, l := range w.legs {
				needed = needed || w.needs(l, i, e)
			}
			if !t.Silent && t.Encodings[e].Open != needed {
				return fmt.Errorf("encoding %d of track %d: open %v, needed %v", e, i, !needed, needed)
			}
		}
	}
	return nil
}

// needs reports whether a leg needs an encoding of track i.
func (w *world) needs(l *Leg, i, e int) bool {
	c := l.Cells[i]
	switch {
	case c == nil || l.State == Down:
		return false
	case l.State == Coming:
		return c.Height != 0 && w.tracks[i].suits(c.Height) == e
	}
	last := e == len(w.tracks[i].Encodings)-1
	return c.placed && c.Choice == e || last && c.Why == TooLittle && w.tracks[i].Encodings[e].Fixed
}

func (w *world) String() string {
	s := ""
	for _, l := range w.legs {
		s += fmt.Sprintf("leg %+v\n", *l)
		for _, c := range l.Cells {
			s += fmt.Sprintf("  cell %+v\n", c)
		}
	}
	for _, t := range w.tracks {
		s += fmt.Sprintf("track %+v\n", *t)
	}
	return s
}

// TestAnything: whatever happens, sound flows, encoders do not flap, and floors hold. When nothing has happened for
// some seconds, no path that is congested gets more than it can take, what nobody needs is closed, and the plan is the
// same ever after.
func TestAnything(t *testing.T) {
	for seed := range uint64(600) {
		w := newWorld(seed)
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("seed %d: %v\n%v", seed, err, w)
			}
		}
		for range 6 {
			for range w.random.IntN(40) {
				w.change()
				check(w.step(time.Duration(w.random.IntN(250)) * time.Millisecond))
			}
			for range 60 { // 15 s without a change
				check(w.step(250 * time.Millisecond))
			}
			check(w.settled())
			before := w.String()
			check(w.step(250 * time.Millisecond))
			if after := w.String(); after != before {
				t.Fatalf("seed %d: nothing changed, and the plan did:\n%s\n%s", seed, before, after)
			}
		}
	}
}

// TestMoreIsNotLess: a leg that gets one picture gets no worse one if its connection takes more. Alone, it gets no
// smaller rate either. (With two, what it takes more may be the floor of the second.)
func TestMoreIsNotLess(t *testing.T) {
	for seed := range uint64(600) {
		var before []int
		for _, target := range []int{50_000, 200_000, 700_000, 1_500_000, 8_000_000} {
			w := newWorld(seed)
			if len(w.tracks) < 2 {
				break
			}
			l, picture := w.legs[0], w.tracks[1]
			l.Target, l.Cells[1] = target, &Cell{Height: All}
			clear(l.Cells[2:])
			w.pass(15 * time.Second)
			got := []int{-l.Cells[1].level(picture)}
			if c := l.Cells[1]; c.Choice >= 0 && len(w.legs) == 1 {
				got = append(got, picture.Encodings[c.Choice].Target)
			}
			if slices.Compare(before, got) > 0 {
				t.Fatalf("seed %d: with %d it gets %v, with less %v\n%v", seed, target, got, before, w)
			}
			before = got
		}
	}
}

// TestWhatIsWantedIsEnough: a leg whose connection comes to take what it wants gets all that it shows, in the best encoding
// that it has use for, and sound at its full rate, whatever was before. Estimates stop there: who waits for more than
// that waits for ever.
func TestWhatIsWantedIsEnough(t *testing.T) {
	for seed := range uint64(3000) {
		w := newWorld(seed)
		if seed%2 == 0 {
			w.tracks[0].Encodings[0] = Encoding{Min: 16_000, Max: 128_000}
		}
		for range w.random.IntN(60) {
			w.change()
			if err := w.step(time.Duration(w.random.IntN(1000)) * time.Millisecond); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		clear(w.takes)
		for _, l := range w.legs {
			l.State = Up
		}
		for range 30 * 4 {
			if err := w.step(250 * time.Millisecond); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, l := range w.legs {
				l.Congested = false
				l.Target = max(l.Target, l.Want)
				if l.Want == 0 { // what flows is more than the target, which follows that
					l.Target += l.Target/20 + 1000
				}
			}
		}
		if e := &w.tracks[0].Encodings[0]; e.Target != e.ceiling() && !w.tracks[0].Silent {
			t.Fatalf("seed %d: sound has %d instead of %d", seed, e.Target, e.ceiling())
		}
		for k, l := range w.legs {
			for i, track := range w.tracks {
				c := l.Cells[i]
				if c == nil || c.Height == 0 || track.Silent {
					continue
				}
				if suits := track.suits(c.Height); c.Choice != suits {
					t.Fatalf("seed %d: leg %d takes %d and wants %d, and gets encoding %d of track %d instead of %d\n%v",
						seed, k, l.Target, l.Want, c.Choice, i, suits, w)
				}
			}
		}
	}
}

// TestMindChanges: a receiver that says something else a thousand times a second moves no encoder more than twice a
// second, and its own leg neither.
func TestMindChanges(t *testing.T) {
	s := newScene([]*Track{layered()}, 2_100_000)
	s.legs[0].Cells[0].Height = 0
	s.pass(2 * time.Second)
	moves, was := 0, s.legs[0].Cells[0].Choice
	opened, open := 0, s.tracks[0].Encodings[0].Open
	for i := range 10_000 {
		s.now = s.now.Add(time.Millisecond)
		s.legs[0].Cells[0].Height = []int{720, 0, 100, All}[i%4]
		s.plan()
		if c := s.legs[0].Cells[0].Choice; c != was {
			moves, was = moves+1, c
		}
		if o := s.tracks[0].Encodings[0].Open; o != open {
			opened, open = opened+1, o
		}
	}
	if moves > 21 || opened > 21 || moves == 0 {
		t.Errorf("in 10 s the leg moved %d times, and the encoder was opened or closed %d times", moves, opened)
	}
}

// BenchmarkPlan is a room of nine with sound, a camera and a screen, each in two sizes.
func BenchmarkPlan(b *testing.B) {
	s := newScene([]*Track{voice(), layered(), layered()}, 3e6, 3e6, 2e6, 2e6, 1e6, 1e6, 3e5, 1e5)
	s.tracks[2].Priority = 1
	b.ReportAllocs()
	for b.Loop() {
		s.now = s.now.Add(250 * time.Millisecond)
		s.plan()
	}
}
