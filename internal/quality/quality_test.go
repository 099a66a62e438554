package quality_test

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/internal/quality"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/scenes.json")

// scene is an element of testdata/scenes.json, which its README.md explains.
type scene struct {
	What    string `json:"what"`
	Seconds []span `json:"seconds"`
	Quality string `json:"quality"`
}

// span is so many seconds that are alike.
type span struct {
	Count       int     `json:"count"`
	Interrupted bool    `json:"interrupted,omitempty"`
	Loss        float64 `json:"loss,omitempty"`
	RoundTrip   int     `json:"roundTrip,omitempty"` // ms
	Queue       int     `json:"queue,omitempty"`     // ms
	Stalled     int     `json:"stalled,omitempty"`   // ms
}

func (s span) sample() quality.Sample {
	return quality.Sample{
		Loss: s.Loss, RoundTrip: time.Duration(s.RoundTrip) * time.Millisecond,
		Queue: time.Duration(s.Queue) * time.Millisecond, Stalled: time.Duration(s.Stalled) * time.Millisecond,
	}
}

// play returns the quality after each second, and fails the test if a step does not say whether it has changed.
func (s scene) play(t *testing.T) string {
	t.Helper()
	var m quality.Machine
	var said strings.Builder
	for _, part := range s.Seconds {
		for range part.Count {
			before := m.Quality()
			var changed bool
			if part.Interrupted {
				changed = m.Interrupt()
			} else {
				changed = m.Step(part.sample())
			}
			if changed != (m.Quality() != before) {
				t.Errorf("%s: from %d to %d, and it reports %v", s.What, before, m.Quality(), changed)
			}
			said.WriteByte("gfpl"[m.Quality()])
		}
	}
	return said.String()
}

func TestScenes(t *testing.T) {
	const path = "testdata/scenes.json"
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var scenes []scene
	if err = json.Unmarshal(file, &scenes); err != nil || len(scenes) < 10 {
		t.Fatalf("%d scenes, %v", len(scenes), err)
	}
	for i, s := range scenes {
		if got := s.play(t); got != s.Quality {
			t.Errorf("%s:\n got %s\nwant %s", s.What, got, s.Quality)
			scenes[i].Quality = got
		}
	}
	if !*rewriteFile {
		return
	}
	if file, err = json.MarshalIndent(scenes, "", "  "); err == nil {
		err = os.WriteFile(path, append(file, '\n'), 0o644)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestEveryMinute tries every way in which eight stretches of three seconds can be good, fair, poor or interrupted, and
// checks what must always hold: a change needs its seconds, and in the end the quality is what all is like.
func TestEveryMinute(t *testing.T) {
	const stretch = 3
	kinds := []span{{}, {RoundTrip: 500}, {RoundTrip: 900}, {Interrupted: true}}
	changes := 0
	var play func(m quality.Machine, past []int)
	play = func(m quality.Machine, past []int) {
		if len(past) == 8*stretch {
			return
		}
		for kind, what := range kinds {
			next, played := m, slices.Clip(past)
			for range stretch {
				played = append(played, kind)
				before := next.Quality()
				if what.Interrupted {
					next.Interrupt()
				} else {
					next.Step(what.sample())
				}
				if next.Quality() != before {
					changes++
				}
				judgeMinute(t, played, before, next.Quality())
			}
			play(next, played)
		}
	}
	play(quality.Machine{}, nil)
	if changes == 0 {
		t.Error("nothing ever changed")
	}
}

// judgeMinute is given the quality of each second so far, and what was reported before and after the last.
func judgeMinute(t *testing.T, past []int, before, after quality.Quality) {
	t.Helper()
	last := quality.Quality(past[len(past)-1])
	all := func(seconds int, fits func(quality.Quality) bool) bool {
		for _, q := range past[max(0, len(past)-seconds):] {
			if !fits(quality.Quality(q)) {
				return false
			}
		}
		return len(past) >= seconds
	}
	is := func(q quality.Quality) bool { return q == last }
	switch {
	case (last == quality.Lost) != (after == quality.Lost):
		t.Fatalf("%v: %d while the last second is %d", past, after, last)
	case after == quality.Lost || before == quality.Lost:
	case after > before && !all(2, func(q quality.Quality) bool { return q >= after }):
		t.Fatalf("%v: from %d to %d too soon", past, before, after)
	case after < before && !all(5, func(q quality.Quality) bool { return q <= after }):
		t.Fatalf("%v: from %d to %d too soon", past, before, after)
	}
	if after != last && (all(8, is) || last > after && all(4, is)) {
		t.Fatalf("%v: still %d", past, after)
	}
}
