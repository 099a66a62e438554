package negotiate_test

import (
	"flag"
	"testing"

	"noom/internal/pairtest"
)

var (
	walks    = flag.Uint64("walk", 2_000, "how many random ways through the model of a link to go")
	walkSeed = flag.Uint64("seed", 0, "go only the way with this seed")
)

// TestWalk goes random ways through models of a link that are too large to
// search: more accidents, more frames in flight, more of everything.
//
//	go test ./internal/negotiate -run Walk -walk 1000000
func TestWalk(t *testing.T) {
	if *walkSeed != 0 {
		if _, err := pairtest.Walk(*walkSeed, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	w, err := pairtest.Walks(*walks)
	if err != nil {
		t.Fatalf("%v\nreplay with: go test ./internal/negotiate -run Walk -seed %d", err, w.Seed)
	}
	t.Log(w)
}
