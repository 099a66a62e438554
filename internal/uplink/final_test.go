package uplink_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"noom/internal/uplink"
	"noom/signal"
)

// TestFinal: which refusals are final is what the table of PROTOCOL.md says, and what noom.js is tested with.
func TestFinal(t *testing.T) {
	text, err := os.ReadFile("../../signal/testdata/final.json")
	if err != nil {
		t.Fatal(err)
	}
	var final map[signal.Code]bool
	if err = json.Unmarshal(text, &final); err != nil {
		t.Fatal(err)
	}
	for code, want := range final {
		refusal := fmt.Errorf("join: %w", &signal.Error{Code: code})
		if got := uplink.IsFinal(refusal); got != want {
			t.Errorf("%q: final %v, want %v", code, got, want)
		}
	}
	protocol, err := os.ReadFile("../../signal/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(protocol), "| code | meaning | connection | final |\n|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := 0
	for row := range strings.Lines(table) {
		cells := strings.Split(row, "|")
		for name := range strings.SplitSeq(cells[1], ",") {
			rows++
			code := signal.Code(strings.Trim(name, " `"))
			if want, has := final[code]; !has || want != strings.HasPrefix(strings.TrimSpace(cells[4]), "yes") {
				t.Errorf("%q: PROTOCOL.md has %q, final.json %v (%v)", code, cells[4], want, has)
			}
		}
	}
	if rows < 20 {
		t.Errorf("the table of PROTOCOL.md has %d codes", rows)
	}
}
