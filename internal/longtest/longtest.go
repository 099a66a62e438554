// Package longtest marks tests that run only on request: those that take long, those that
// judge by the clock and so fail on a busy machine, and those with browsers of which the
// others are a sample.
package longtest

import (
	"os"
	"testing"
)

// Asked reports whether the environment variable NOOM_ENDURANCE, which may have any value,
// asks for long tests and for judging by the clock.
func Asked() bool { return os.Getenv("NOOM_ENDURANCE") != "" }

// Only skips a test unless long tests are asked for.
func Only(tb testing.TB) {
	tb.Helper()
	if !Asked() {
		tb.Skip("a long test, or one that judges by the clock: NOOM_ENDURANCE=1 runs it")
	}
}

// ParallelUnlessAsked runs a test in parallel with others. If long tests are asked for it
// runs alone, because it then judges by the clock.
func ParallelUnlessAsked(t *testing.T) {
	t.Helper()
	if !Asked() {
		t.Parallel()
	}
}
