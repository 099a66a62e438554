package browsertest

import (
	"testing"

	"noom/internal/longtest"
)

// Pair is the two kinds of browsers that meet in a test; the first is there first.
type Pair struct{ One, Two Kind }

// Pairs are all of them, the alike ones first.
var Pairs = []Pair{{Chromium, Chromium}, {Firefox, Firefox}, {Firefox, Chromium}, {Chromium, Firefox}}

// Kinds are all of them.
var Kinds = []Kind{Chromium, Firefox}

// String names a pair in a subtest.
func (p Pair) String() string { return string(p.One + "-" + p.Two) }

// String names a kind in a subtest.
func (k Kind) String() string { return string(k) }

// Start returns a browser of each kind, or twice the same one if the kinds are the same and there
// are no options.
func (p Pair) Start(tb testing.TB, options ...Option) (one, two *Browser) {
	tb.Helper()
	one = p.One.Start(tb, options...)
	if p.One == p.Two && len(options) == 0 {
		return one, one
	}
	return one, p.Two.Start(tb, options...)
}

// EachPair runs a test with Chromium alone, and if long tests are asked for with all other
// Pairs instead.
func EachPair(t *testing.T, test func(t *testing.T, kinds Pair)) {
	t.Helper()
	everyRow(t, others(Pairs), (*testing.T).Parallel, test)
}

// EachPairIfAsked runs a test with each of Pairs if long tests are asked for, and else not: it is dear, and what it tests is
// tested in parts by others.
func EachPairIfAsked(t *testing.T, test func(t *testing.T, kinds Pair)) {
	t.Helper()
	longtest.Only(t)
	everyRow(t, Pairs, (*testing.T).Parallel, test)
}

// EachAlike is EachPair for a test of what two different browsers would show no more of.
func EachAlike(t *testing.T, test func(t *testing.T, kinds Pair)) {
	t.Helper()
	everyRow(t, others(Pairs[:2]), (*testing.T).Parallel, test)
}

// EachAlikeIfAsked is EachPairIfAsked for a test of what two different browsers would show no more of.
func EachAlikeIfAsked(t *testing.T, test func(t *testing.T, kinds Pair)) {
	t.Helper()
	longtest.Only(t)
	everyRow(t, Pairs[:2], (*testing.T).Parallel, test)
}

// EachPairAlone runs a test with Chromium alone, and if long tests are asked for with each of
// Pairs, one at a time: it then judges by the clock.
func EachPairAlone(t *testing.T, test func(t *testing.T, kinds Pair)) {
	t.Helper()
	everyRow(t, asked(Pairs), longtest.ParallelUnlessAsked, test)
}

// EachPairAloneIfAsked is EachPairAlone, and runs nothing if long tests are not asked for.
func EachPairAloneIfAsked(t *testing.T, test func(t *testing.T, kinds Pair)) {
	t.Helper()
	longtest.Only(t)
	everyRow(t, Pairs, func(*testing.T) {}, test)
}

// EachKind is EachPair for a test that needs one kind.
func EachKind(t *testing.T, test func(t *testing.T, kind Kind)) {
	t.Helper()
	everyRow(t, others(Kinds), (*testing.T).Parallel, test)
}

// EachKindIfAsked is EachPairIfAsked for a test that needs one kind.
func EachKindIfAsked(t *testing.T, test func(t *testing.T, kind Kind)) {
	t.Helper()
	longtest.Only(t)
	everyRow(t, Kinds, (*testing.T).Parallel, test)
}

// EachKindAlone is EachPairAlone for a test that needs one kind.
func EachKindAlone(t *testing.T, test func(t *testing.T, kind Kind)) {
	t.Helper()
	everyRow(t, asked(Kinds), longtest.ParallelUnlessAsked, test)
}

// EachKindAloneIfAsked is EachPairAloneIfAsked for a test that needs one kind.
func EachKindAloneIfAsked(t *testing.T, test func(t *testing.T, kind Kind)) {
	t.Helper()
	longtest.Only(t)
	everyRow(t, Kinds, func(*testing.T) {}, test)
}

// others are the rows but the first if long tests are asked for, and else the first.
func others[R any](rows []R) []R {
	if longtest.Asked() {
		return rows[1:]
	}
	return rows[:1]
}

// asked are all rows if long tests are asked for, and else the first.
func asked[R any](rows []R) []R {
	if longtest.Asked() {
		return rows
	}
	return rows[:1]
}

func everyRow[R interface{ String() string }](t *testing.T, rows []R, parallel func(*testing.T), test func(*testing.T, R)) {
	t.Helper()
	parallel(t)
	for _, row := range rows {
		t.Run(row.String(), func(t *testing.T) {
			parallel(t)
			test(t, row)
		})
	}
}
