package ownership

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"noom/internal/rendezvous"
)

func hubIDs(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("%032x", rendezvous.Mix(uint64(i+1)))
	}
	return list
}

// One hub less moves its own rooms, evenly, and no other.
func TestOwnersMoveLittle(t *testing.T) {
	hubs := hubIDs(5)
	all, fewer := viewOf(hubs[0], true, hubs[1:]...), viewOf(hubs[0], true, hubs[1:4]...)
	count := map[string]int{}
	const rooms = 5000
	for i := range rooms {
		room := fmt.Sprint("room ", i)
		was, is := all.Owner(room), fewer.Owner(room)
		count[was]++
		if was != is && was != hubs[4] {
			t.Fatalf("%s moves from %s to %s", room, was, is)
		}
	}
	for hub, n := range count {
		if n < rooms/5*9/10 || n > rooms/5*11/10 {
			t.Errorf("%s has %d of %d rooms", hub, n, rooms)
		}
	}
}

// Hubs of all versions have to find the same owner.
func TestOwnersAreGolden(t *testing.T) {
	hubs := hubIDs(3)
	v := viewOf(hubs[0], true, hubs[1:]...)
	var lines strings.Builder
	for _, room := range []string{"lobby", "café", "a", "aa"} {
		fmt.Fprintf(&lines, "%s %s\n", v.Owner(room), room)
	}
	fmt.Fprintf(&lines, "view %d\n", v.hash)
	file := filepath.Join("testdata", "owners.txt")
	if *update {
		if err := os.WriteFile(file, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if golden, err := os.ReadFile(file); err != nil || string(golden) != lines.String() {
		t.Errorf("%v\n%s\nwas\n%s", err, &lines, golden)
	}
}

func TestWhoMayOwn(t *testing.T) {
	const drains = true
	for name, c := range map[string]struct {
		hubs map[string]standing
		want string
	}{
		"all":                      {map[string]standing{"a": {degree: 2}, "b": {degree: 2}, "c": {degree: 2}}, "a b c"},
		"those that most hear":     {map[string]standing{"a": {degree: 1}, "b": {degree: 2}, "c": {degree: 1}}, "b"},
		"not those that drain":     {map[string]standing{"a": {degree: 1}, "b": {2, drains, true}, "c": {degree: 1}}, "a c"},
		"unless there are no more": {map[string]standing{"a": {1, drains, true}, "b": {1, drains, true}}, "a b"},
	} {
		if got := strings.Join(newView("a", c.hubs).owners, " "); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
