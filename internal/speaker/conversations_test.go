package speaker

import (
	"slices"
	"testing"
	"time"
)

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
