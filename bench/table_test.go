package main

import "testing"

// A measurement that takes long, or needs much, is taken only if it is named.
func TestChosen(t *testing.T) {
	for _, test := range []struct {
		asked string
		want  bool
	}{{"", false}, {"relay", false}, {"join", true}, {"relay,join", true}} {
		got := false
		for _, m := range chosen(plan{measurements: test.asked}) {
			got = got || m.name == "join"
		}
		if got != test.want {
			t.Errorf("-measure %q takes join: %v", test.asked, got)
		}
	}
}

// With the median stand the least and the most of all rounds, and nothing where nothing was measured.
func TestTableSpread(t *testing.T) {
	m := measurement{columns: []string{"first"}, spread: true}
	got := table(m, []contestant{{name: "noom", what: "a"}, {name: "other", what: "b"}}, map[string][][]float64{
		"noom": {{200, 1}, {100, 1}, {900, 1}}, "other": {nil, nil},
	})
	want := "| server | first | least | most |\n|---|--:|--:|--:|\n| a | 200 | 100 | 900 |\n| b | – | – | – |\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// What noom alone has stands in a table of its own, with medians.
func TestOwnTable(t *testing.T) {
	m := measurement{columns: []string{"first"}, own: []string{"hub", "ICE", "media"}}
	got := ownTable(m, [][]float64{{9, 1, 5, 0}, {9, 3, 4, 0}, {9, 2, 6, 0}})
	if want := "| hub | ICE | media |\n|--:|--:|--:|\n| 2 | 5 | – |\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
