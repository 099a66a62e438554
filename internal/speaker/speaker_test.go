package speaker_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"noom/internal/speaker"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/speech.json")

// scene is an element of testdata/speech.json, which its README.md explains.
type scene struct {
	What   string            `json:"what"`
	Voices map[string]string `json:"voices"`
	Active string            `json:"active"`
}

var dBov = map[byte]int{'#': -20, '+': -30, '=': -40, '-': -50, '.': speaker.Silence}

// play returns the active speaker after each step.
func (s scene) play() string {
	var d speaker.Detector
	var active strings.Builder
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range s.Active {
		now = now.Add(speaker.Period)
		var levels []speaker.Level
		for _, id := range []string{"a", "b", "c"} {
			switch voice := s.Voices[id]; {
			case i >= len(voice):
			case voice[i] == 'x':
				d.Remove(id)
			default:
				levels = append(levels, speaker.Level{id, dBov[voice[i]]})
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

func TestIdleAndLate(t *testing.T) {
	var d speaker.Detector
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	talk := func(n int, every time.Duration, levels ...speaker.Level) {
		for range n {
			now = now.Add(every)
			d.Step(now, levels)
		}
	}
	talk(5, speaker.Period, speaker.Level{"지우", -46})
	if !d.Idle() {
		t.Error("not idle although nobody is loud")
	}
	talk(4, speaker.Period, speaker.Level{"지우", -20})
	if d.Idle() || d.Active() != "지우" {
		t.Errorf("active %q, idle %v", d.Active(), d.Idle())
	}
	// Steps that come late, as on a machine that sleeps, count for little.
	talk(1, time.Hour)
	if d.Active() != "지우" {
		t.Errorf("active %q after one late step", d.Active())
	}
	talk(20, speaker.Period)
	if !d.Idle() || d.Active() != "" {
		t.Errorf("active %q, idle %v after silence", d.Active(), d.Idle())
	}
	talk(1, time.Hour, speaker.Level{"bob", -20})
	if d.Active() != "" {
		t.Errorf("active %q after one step", d.Active())
	}
	talk(3, speaker.Period, speaker.Level{"bob", -20})
	if d.Remove("지우") || !d.Remove("bob") || d.Remove("bob") || d.Active() != "" || !d.Idle() {
		t.Errorf("active %q, idle %v after all are gone", d.Active(), d.Idle())
	}
}
