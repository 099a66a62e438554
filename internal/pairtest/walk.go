package pairtest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Walked says what [Walks] did.
type Walked struct {
	Ways, Events uint64
	Took         time.Duration
	Seed         uint64 // of the way that failed
}

// String returns the counts and rates.
func (w Walked) String() string {
	s := w.Took.Seconds()
	return fmt.Sprintf("%d ways, %d events; %.0f ways and %.0f events a second", w.Ways, w.Events, float64(w.Ways)/s, float64(w.Events)/s)
}

// Walks goes the ways of the seeds 1 to n, on all processors, until one fails.
func Walks(n uint64) (w Walked, err error) {
	start := time.Now()
	var next, events atomic.Uint64
	var failed sync.Once
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for !stop.Load() {
				seed := next.Add(1)
				if seed > n {
					return
				}
				count, wrong := Walk(seed, nil)
				events.Add(uint64(count))
				if wrong != nil {
					failed.Do(func() { err, w.Seed = wrong, seed })
					stop.Store(true)
				}
			}
		})
	}
	wg.Wait()
	w.Ways, w.Events, w.Took = min(next.Load(), n), events.Load(), time.Since(start)
	return w, err
}

// Walk goes a random way through a random model, both chosen by seed, lets the
// world come to rest, and returns what was wrong, with a transcript, and how
// many events it took. watch may be nil.
func Walk(seed uint64, watch *Observer) (events int, err error) {
	rng := rand.New(rand.NewPCG(seed, 0))
	cfg := randomConfig(rng)
	w := New(cfg)
	w.watch = watch
	var way []Event
	var possible []Event
	for range rng.IntN(120) {
		possible = w.Events(possible[:0])
		if len(possible) == 0 {
			break
		}
		ev := choose(rng, possible)
		way = append(way, ev)
		if w.Do(ev); w.err != nil {
			return len(way), walked(seed, cfg, way, w.err, false, false)
		}
	}
	s := settling{World: w, reverse: rng.IntN(2) == 0}
	n, err := s.run(nil)
	if err != nil {
		return len(way) + n, walked(seed, cfg, way, err, true, s.reverse)
	}
	return len(way) + n, nil
}

func walked(seed uint64, cfg *Config, way []Event, err error, settle, reverse bool) error {
	return fmt.Errorf("seed %d, in %+v: %w, after\n%s", seed, *cfg, err, transcript(cfg, way, settle, reverse))
}

// choose prefers what goes on by itself, so that accidents spread over the way.
func choose(rng *rand.Rand, events []Event) Event {
	ev := events[rng.IntN(len(events))]
	if ev.Kind < bounded && rng.IntN(3) > 0 {
		ev = events[rng.IntN(len(events))]
	}
	return ev
}

func randomConfig(rng *rand.Rand) *Config {
	coin := func() bool { return rng.IntN(2) == 0 }
	cfg := &Config{
		Name: "walk", Calls: coin(), Channel: coin(), Lazy: coin(), SlowICE: coin(),
		Cap: 1 + rng.IntN(6), Tracks: int8(rng.IntN(2)), Wild: rng.IntN(4) == 0,
	}
	for range 1 + rng.IntN(8) { // a few kinds of accidents, often
		cfg.Bounds[rng.IntN(int(Rogue))] = int8(1 + rng.IntN(3))
	}
	if rng.IntN(8) == 0 {
		cfg.Bounds[Mute] = 2 * 32 // more tables than a window holds
	}
	cfg.Reorder = rng.IntN(4)
	if rng.IntN(8) == 0 {
		cfg.Bounds[Rogue] = 1
	}
	return cfg
}
