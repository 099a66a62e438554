// Package longtest says which tests run only when asked for: those that take
// long, and those that judge by the clock, which a machine fails that has
// something else to do.
package longtest

import (
	"os"
	"testing"
)

// Asked reports whether long tests are to run and clocks to be judged by. The
// environment variable NOOM_ENDURANCE asks for it with any value.
func Asked() bool { return os.Getenv("NOOM_ENDURANCE") != "" }

// Only skips a test unless it is asked for.
func Only(tb testing.TB) {
	tb.Helper()
	if !Asked() {
		tb.Skip("a long test, or one that judges by the clock: NOOM_ENDURANCE=1 runs it")
	}
}

// ParallelUnlessAsked lets a test run beside others, unless it then judges by the
// clock, and so has to be alone.
func ParallelUnlessAsked(t *testing.T) {
	t.Helper()
	if !Asked() {
		t.Parallel()
	}
}
