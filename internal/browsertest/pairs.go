package browsertest

import "testing"

// Pair is the two kinds of browsers that meet in a test; the first is there first.
type Pair struct{ One, Two Kind }

// Pairs are all of them.
var Pairs = []Pair{{Chromium, Chromium}, {Firefox, Firefox}, {Firefox, Chromium}, {Chromium, Firefox}}

// Kinds are all of them.
var Kinds = []Kind{Chromium, Firefox}

// String names a pair in a subtest.
func (p Pair) String() string { return string(p.One + "-" + p.Two) }

// Start returns a browser of each kind, or twice the same one if the kinds are the same.
func (p Pair) Start(tb testing.TB) (one, two *Browser) {
	tb.Helper()
	one = p.One.Start(tb)
	if p.One == p.Two {
		return one, one
	}
	return one, p.Two.Start(tb)
}
