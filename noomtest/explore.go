package noomtest

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var onlySeed = flag.Uint64("noomtest.seed", 0, "the only seed that Explore tries")

// Explore runs f in n worlds with the seeds 1 to n, each as a subtest, and
// stops at the first that fails. f draws from [World.Rand] what it does and when.
// A failure keeps its transcript and sequence diagram, as [Run] says, and prints the command that
// runs that seed alone:
//
//	go test -run '^TestMyBot$' -noomtest.seed=17
//
// The same seed does the same things at the same virtual times. What happens at one instant may
// still happen in another order, so that a rare failure may need -count.
func Explore(t *testing.T, n int, f func(t *testing.T, w *World), opts ...Option) {
	t.Helper()
	first := uint64(1)
	if *onlySeed != 0 {
		first, n = *onlySeed, 1
	}
	if n < 1 {
		t.Fatalf("noomtest: Explore tries %d seeds: ask for at least 1", n)
	}
	begun := time.Now()
	for seed := first; seed < first+uint64(n); seed++ {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			o := newOptions(opts)
			o.seed = seed
			run(t, o, f)
		})
		if !ok {
			t.Fatalf("noomtest: seed %d failed; it runs alone with: go test -run '^%s$' -noomtest.seed=%d", seed, t.Name(), seed)
		}
	}
	t.Logf("noomtest: %d seeds, %.1f a second", n, float64(n)/time.Since(begun).Seconds())
}
