package http

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// What noom.js replays too.
func TestModes(t *testing.T) {
	text, err := os.ReadFile("../../signal/testdata/http_modes.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name    string
		Opening int64
		Steps   []modeStep
	}
	if err = json.Unmarshal(text, &cases); err != nil || len(cases) < 7 {
		t.Fatal(len(cases), err)
	}
	for _, test := range cases {
		m := newMode(time.Duration(test.Opening) * time.Millisecond)
		for i, step := range test.Steps {
			step.run(t, &m, test.Name, i)
		}
	}
}

type modeStep struct {
	At, Number     int64
	Do             string
	Failed         bool
	Stream, GiveUp *bool
	Pause, Due     *int64
}

func (s *modeStep) run(t *testing.T, m *mode, name string, i int) {
	t.Helper()
	now := time.Duration(s.At) * time.Millisecond
	switch s.Do {
	case "begin":
		if got := m.begin(now); s.Stream != nil && got != *s.Stream {
			t.Errorf("%s: step %d: a stream: %v", name, i, got)
		}
	case "bytes":
		m.bytes(now)
	case "event":
		m.event(now, s.Number)
	case "has":
		m.has(now, s.Number)
	case "check":
		if got := m.check(now); s.GiveUp != nil && got != *s.GiveUp {
			t.Errorf("%s: step %d: given up: %v", name, i, got)
		}
	case "ended":
		if got := m.ended(now, s.Failed).Milliseconds(); s.Pause != nil && got != *s.Pause {
			t.Errorf("%s: step %d: a pause of %d ms, want %d", name, i, got, *s.Pause)
		}
	default:
		t.Fatalf("%s: step %d: no input is called %q", name, i, s.Do)
	}
	if got := m.due().Milliseconds(); s.Due != nil && got != *s.Due {
		t.Errorf("%s: step %d: due at %d, want %d", name, i, got, *s.Due)
	}
}

// An application that takes nothing is not a proxy that holds something back.
func TestModeWaitsForTheApplication(t *testing.T) {
	m := newMode(0)
	m.begin(0)
	m.bytes(0)
	m.has(0, 5)
	m.hold(500*time.Millisecond, true)
	if m.due() != 0 || m.check(time.Hour) {
		t.Error("given up while nothing is read")
	}
	m.hold(time.Hour, false)
	if want := time.Hour + leastPatience; m.due() != want {
		t.Errorf("due at %v, want %v", m.due(), want)
	}
}
