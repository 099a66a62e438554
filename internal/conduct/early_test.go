package conduct

import (
	"slices"
	"strings"
	"testing"
)

// TestEarly plays checks to both ends: p, the pair is proven; n, the check nominates; w, we have nominated the pair; r, it is
// relayed.
func TestEarly(t *testing.T) {
	for _, test := range []struct {
		nominating bool
		checks     string
		want       []int // those at which a pair is used
	}{
		{false, ". p", []int{1}},
		{false, "p p p", []int{0}},
		{false, "p pn p pn", []int{0, 1}}, // another pair, perhaps: the other end has chosen that
		{false, "p n p pn", []int{0}},     // one that is not proven is left to ICE
		{false, "pr . p", []int{2}},
		{false, "pr prn p", nil},
		{false, "n p p", nil}, // ICE uses one, or will
		{false, "pn p", nil},
		{false, ". . .", nil},
		{true, "p p pw pw", []int{2}},
		{true, "w . pw", []int{2}},
		{true, "wpr", []int{0}},
		{true, "p p p", nil},
	} {
		var e early
		var used []int
		for i, check := range strings.Fields(test.checks) {
			has := func(c string) bool { return strings.Contains(check, c) }
			if e.uses(comingCheck{nominating: test.nominating, nominates: has("n"), proven: has("p"), nominated: has("w"), relayed: has("r")}) {
				used = append(used, i)
			}
		}
		if !slices.Equal(used, test.want) {
			t.Errorf("nominating %v, %s: used at %v, want %v", test.nominating, test.checks, used, test.want)
		}
	}
}
