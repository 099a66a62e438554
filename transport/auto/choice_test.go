package auto

import (
	"encoding/json"
	"os"
	"testing"
	"time"
)

// What noom.js replays too.
func TestChoices(t *testing.T) {
	text, err := os.ReadFile("../../signal/testdata/choices.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name  string
		Steps []struct {
			At, Lasted int64
			Do         string
			First      *bool
			Trial      *int64
		}
	}
	if err = json.Unmarshal(text, &cases); err != nil || len(cases) < 5 {
		t.Fatal(len(cases), err)
	}
	for _, test := range cases {
		var c choice
		for i, step := range test.Steps {
			now := time.Duration(step.At) * time.Millisecond
			switch step.Do {
			case "":
			case "worked":
				c.worked()
			case "failed":
				c.failed(now)
			case "broke":
				c.broke(now, time.Duration(step.Lasted)*time.Millisecond)
			default:
				t.Fatalf("%s: step %d: no input is called %q", test.Name, i, step.Do)
			}
			if got := c.webSocketFirst(now); step.First != nil && got != *step.First {
				t.Errorf("%s: step %d: WebSocket first: %v", test.Name, i, got)
			}
			if got := c.trialAt().Milliseconds(); step.Trial != nil && got != *step.Trial {
				t.Errorf("%s: step %d: tried again at %d, want %d", test.Name, i, got, *step.Trial)
			}
		}
	}
}
