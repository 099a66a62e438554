package speaker

import (
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/speech.json")

// scene is an element of testdata/speech.json, which its README.md explains.
type scene struct {
	What   string            `json:"what"`
	Voices map[string]string `json:"voices"`
	Active string            `json:"active"`
}

var dBov = map[byte]int{'#': -20, '+': -30, '=': -40, '-': -50, '.': Silence}

// play returns the active speaker after each step.
func (s scene) play() string {
	var d Detector
	var active strings.Builder
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range s.Active {
		now = now.Add(Period)
		var levels []Level
		for _, id := range []string{"a", "b", "c"} {
			switch voice := s.Voices[id]; {
			case i >= len(voice):
			case voice[i] == 'x':
				d.Remove(id)
			default:
				levels = append(levels, Level{id, dBov[voice[i]]})
			}
		}
		d.Step(now, levels)
		if d.Active() == "" {
			active.WriteByte('.')
		} else {
			active.WriteString(d.Active())
		}
	}
	return active.String()
}

func TestScenes(t *testing.T) {
	const path = "testdata/speech.json"
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var scenes []scene
	if err = json.Unmarshal(file, &scenes); err != nil || len(scenes) < 10 {
		t.Fatalf("%d scenes, %v", len(scenes), err)
	}
	for i, s := range scenes {
		if got := s.play(); got != s.Active {
			t.Errorf("%s:\n got %s\nwant %s", s.What, got, s.Active)
			scenes[i].Active = got
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

// TestEveryConversation tries every way in which two people can be loud, faint or silent
// over six stretches of time, short ones and long ones, and checks what must always hold.
func TestEveryConversation(t *testing.T) {
	for _, stretch := range []int{1, 4} { // steps
		changes := 0
		searchFrom(t, Detector{}, stretch, nil, -Period, &changes)
		if changes == 0 {
			t.Error("the active speaker never changed")
		}
	}
}

const stretches = 6

// searchFrom tries everything that may follow past, the levels of a and b so far. The
// active speaker last changed at changed.
func searchFrom(t *testing.T, d Detector, stretch int, past [][2]int, changed time.Duration, changes *int) {
	if len(past) == stretches*stretch {
		return
	}
	levels := []int{-20, -50, Silence}
	for _, a := range levels {
		for _, b := range levels {
			next, played, last := d, slices.Clip(past), changed
			next.voices = slices.Clone(d.voices)
			for range stretch {
				played = append(played, [2]int{a, b})
				now := time.Duration(len(played)) * Period
				before := next.Active()
				news := next.Step(time.Time{}.Add(now), []Level{{"a", a}, {"b", b}})
				if news != (next.Active() != before) {
					t.Fatalf("%v: reports %v from %q to %q", played, news, before, next.Active())
				}
				if news {
					judgeChange(t, played, before, next.Active(), now-last)
					last, *changes = now, *changes+1
				}
				judgeRest(t, played, next.Active())
			}
			searchFrom(t, next, stretch, played, last, changes)
		}
	}
}

// stepsAtLeast returns in how many of the last steps somebody's level was at least level.
func stepsAtLeast(past [][2]int, who string, level int, steps int) (count int) {
	for _, p := range past[max(0, len(past)-steps):] {
		if p[who[0]-'a'] >= level {
			count++
		}
	}
	return count
}

// judgeChange checks that a change follows from the levels, and comes no sooner than the
// rules allow.
func judgeChange(t *testing.T, past [][2]int, before, after string, since time.Duration) {
	t.Helper()
	const begin, hold = int(Begin / Period), int(Hold / Period)
	switch {
	case after == "":
		if stepsAtLeast(past, before, Loud, hold) > 0 || since < Hold {
			t.Fatalf("%v: nobody speaks, too soon", past)
		}
	case stepsAtLeast(past, after, Loud, len(past)) < begin:
		t.Fatalf("%v: %s speaks too soon", past, after)
	case before != "" && since < Begin:
		t.Fatalf("%v: %s took over from %s after %v", past, after, before, since)
	}
}

// judgeRest checks that in the end a voice that speaks alone is active, and that nobody is
// active in silence.
func judgeRest(t *testing.T, past [][2]int, active string) {
	t.Helper()
	const long = int((Full+Hold)/Period) + 1
	if len(past) < long {
		return
	}
	a, b := stepsAtLeast(past, "a", Faint, long), stepsAtLeast(past, "b", Faint, long)
	switch {
	case a == 0 && b == 0 && active != "",
		stepsAtLeast(past, "a", Loud, long) == long && b == 0 && active != "a",
		stepsAtLeast(past, "b", Loud, long) == long && a == 0 && active != "b":
		t.Fatalf("%v: %q is active", past, active)
	}
}

func TestIdleAndLate(t *testing.T) {
	var d Detector
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	talk := func(n int, every time.Duration, levels ...Level) {
		for range n {
			now = now.Add(every)
			d.Step(now, levels)
		}
	}
	talk(5, Period, Level{"지우", -46})
	if !d.Idle() {
		t.Error("not idle although nobody is loud")
	}
	talk(4, Period, Level{"지우", -20})
	if d.Idle() || d.Active() != "지우" {
		t.Errorf("active %q, idle %v", d.Active(), d.Idle())
	}
	// Steps that come late, as on a machine that sleeps, count for little.
	talk(1, time.Hour)
	if d.Active() != "지우" {
		t.Errorf("active %q after one late step", d.Active())
	}
	talk(20, Period)
	if !d.Idle() || d.Active() != "" {
		t.Errorf("active %q, idle %v after silence", d.Active(), d.Idle())
	}
	talk(1, time.Hour, Level{"bob", -20})
	if d.Active() != "" {
		t.Errorf("active %q after one step", d.Active())
	}
	talk(3, Period, Level{"bob", -20})
	if d.Remove("지우") || !d.Remove("bob") || d.Remove("bob") || d.Active() != "" || !d.Idle() {
		t.Errorf("active %q, idle %v after all are gone", d.Active(), d.Idle())
	}
}
