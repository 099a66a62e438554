package bandwidth

import (
	"flag"
	"fmt"
	"testing"
	"time"
)

var seeds = flag.Uint64("seeds", 32, "how many seeds each path is tried with")

// delays are the one-way delays of the paths, one for each seed in turn.
var delays = []time.Duration{10 * ms, 30 * ms, 50 * ms, 100 * ms}

// bounds checks a measure of many seeds and keeps the worst.
type bounds struct {
	t     *testing.T
	names []string
	worst map[string]float64
	seed  map[string]uint64
}

func newBounds(t *testing.T) *bounds {
	b := &bounds{t: t, worst: map[string]float64{}, seed: map[string]uint64{}}
	t.Cleanup(func() {
		for _, n := range b.names {
			t.Logf("%-28s worst %8.3f (seed %d)", n, b.worst[n], b.seed[n])
		}
	})
	return b
}

func (b *bounds) note(name string, seed uint64, worse bool, v float64) {
	if _, ok := b.worst[name]; !ok {
		b.names = append(b.names, name)
	} else if !worse {
		return
	}
	b.worst[name], b.seed[name] = v, seed
}

func (b *bounds) atLeast(name string, seed uint64, v, bound float64) {
	b.t.Helper()
	b.note(name, seed, v < b.worst[name], v)
	if v < bound {
		b.t.Errorf("seed %d: %s is %.3f, less than %.3f", seed, name, v, bound)
	}
}

func (b *bounds) atMost(name string, seed uint64, v, bound float64) {
	b.t.Helper()
	b.note(name, seed, v > b.worst[name], v)
	if v > bound {
		b.t.Errorf("seed %d: %s is %.3f, more than %.3f", seed, name, v, bound)
	}
}

// eachSeed runs what begin returns for each seed.
func eachSeed(length time.Duration, begin func(seed uint64) *world, look func(seed uint64, w *world)) {
	for seed := range *seeds {
		w := begin(seed)
		w.seed = seed
		look(seed, w.run(length))
	}
}

func seconds(d time.Duration) float64 { return d.Seconds() }

// TestSteadyPath is a path that does not change, with drop-tail queues of 200 ms and 1 s.
func TestSteadyPath(t *testing.T) {
	for name, rate := range map[string]float64{"300k": 300e3, "1M": 1e6, "3M": 3e6} {
		t.Run(name, func(t *testing.T) {
			b := newBounds(t)
			eachSeed(40*time.Second, func(seed uint64) *world {
				return &world{up: link{
					rate: rate, delay: delays[seed%4], queue: []time.Duration{200 * ms, time.Second}[seed/4%2],
					jitter: time.Duration(seed%3) * 4 * ms, reorder: seed%2 == 0,
				}}
			}, func(seed uint64, w *world) {
				r := w.sum(12, 40)
				b.atLeast("use", seed, r.rate/rate, 0.90)
				b.atMost("p95 queue, s", seed, seconds(r.p95), 0.095)
				b.atMost("loss", seed, r.loss, 0.01)
				b.atMost("80 % after, s", seed, w.reach(0, 40, 0.8*rate), 7)
			})
		})
	}
}

// TestSourcesThatFollowLate is a steady path with sources that follow the target as encoders do, late.
func TestSourcesThatFollowLate(t *testing.T) {
	b := newBounds(t)
	eachSeed(40*time.Second, func(seed uint64) *world {
		return &world{lag: true, up: link{rate: []float64{300e3, 1e6}[seed/4%2], delay: delays[seed%4], queue: 200 * ms}}
	}, func(seed uint64, w *world) {
		r := w.sum(15, 40)
		b.atLeast("use", seed, r.rate/w.up.rate, 0.88)
		b.atMost("p95 queue, s", seed, seconds(r.p95), 0.08)
		b.atMost("loss", seed, r.loss, 0.001)
	})
}

// TestNarrowerPath cuts a path of 2 Mbit/s to 300 kbit/s and heals it.
func TestNarrowerPath(t *testing.T) {
	b := newBounds(t)
	eachSeed(70*time.Second, func(seed uint64) *world {
		return &world{
			up: link{rate: 2e6, delay: delays[seed%4], queue: []time.Duration{200 * ms, time.Second}[seed/4%2], jitter: time.Duration(seed%3) * 4 * ms},
			script: func(w *world, now time.Duration) {
				if now == 20*time.Second {
					w.up.rate = 300e3
				}
				if now == 45*time.Second {
					w.up.rate = 2e6
				}
			},
		}
	}, func(seed uint64, w *world) {
		b.atLeast("use before", seed, w.sum(12, 20).rate/2e6, 0.9)
		b.atMost("queue after 5 s, s", seed, seconds(w.sum(25, 45).top), 0.15)
		b.atMost("loss after 5 s", seed, w.sum(25, 30).loss, 0.01)
		b.atLeast("use of 300k", seed, w.sum(28, 45).rate/300e3, 0.85)
		b.atMost("p95 at 300k, s", seed, seconds(w.sum(25, 45).p95), 0.1)
		b.atMost("80 % of 2M again, s", seed, w.reach(45, 70, 1.6e6), 11)
	})
}

// TestMuchNarrowerPath cuts 20 Mbit/s to 300 kbit/s: our own queue, very long, must not be taken for somebody else's.
func TestMuchNarrowerPath(t *testing.T) {
	b := newBounds(t)
	for seed := range *seeds / 2 {
		w := (&world{
			seed: seed,
			up:   link{rate: 20e6, delay: delays[seed%4], queue: []time.Duration{200 * ms, time.Second}[seed/4%2]},
			script: func(w *world, now time.Duration) {
				if now == 14*time.Second {
					w.up.rate = 300e3
				}
			},
		}).run(32 * time.Second)
		b.atLeast("use before", seed, w.sum(11, 14).rate/20e6, 0.85)
		b.atMost("queue after 6 s, s", seed, seconds(w.sum(20, 32).top), 0.15)
		b.atLeast("use of 300k", seed, w.sum(22, 32).rate/300e3, 0.85)
	}
}

// TestLossyPath loses packets whatever is sent, one by one or in bursts.
func TestLossyPath(t *testing.T) {
	for name, c := range map[string]struct{ loss, use float64 }{"2%": {0.02, 0.88}, "5%": {0.05, 0.8}, "10%": {0.1, 0.7}} {
		t.Run(name, func(t *testing.T) {
			b := newBounds(t)
			eachSeed(40*time.Second, func(seed uint64) *world {
				return &world{up: link{
					rate: []float64{300e3, 1e6, 3e6}[seed%3], delay: delays[seed%4], queue: 200 * ms,
					loss: c.loss, burst: 3 * float64(seed%2),
				}}
			}, func(seed uint64, w *world) {
				r := w.sum(20, 40)
				b.atLeast("use", seed, r.rate/w.up.rate, c.use)
				b.atMost("p95 queue, s", seed, seconds(r.p95), 0.1)
			})
		})
	}
}

// TestBesideTCP shares the path with one TCP flow that was there before, or comes later.
func TestBesideTCP(t *testing.T) {
	for name, rate := range map[string]float64{"1M": 1e6, "3M": 3e6} {
		for when, from := range map[string]time.Duration{"first": 0, "later": 15 * time.Second} {
			t.Run(name+" TCP "+when, func(t *testing.T) {
				b := newBounds(t)
				eachSeed(75*time.Second, func(seed uint64) *world {
					return &world{
						up:  link{rate: rate, delay: delays[seed%4], queue: []time.Duration{100 * ms, 200 * ms, time.Second}[seed%3]},
						tcp: []*cubic{newCubic(1, from)},
					}
				}, func(seed uint64, w *world) {
					r := w.sum(25, 75)
					b.atLeast("share", seed, r.rate/rate, 0.25)
					b.atMost("largest share", seed, r.rate/rate, 0.85)
					b.atLeast("use of both", seed, (r.rate+r.others)/rate, 0.9)
				})
			})
		}
	}
}

// TestBesideSiblings shares a narrow path with flows that send little and do not yield, in waves. What is said of them
// decides whether they are somebody's file, beside which we would go on, or the sound of other connections of the room.
func TestBesideSiblings(t *testing.T) {
	for _, beside := range []int{0, 200_000} {
		foreign := 0
		eachSeed(60*time.Second, func(seed uint64) *world {
			const size = 125 // bytes, 1000 bits
			due, taken, rate := 0.0, false, 0.0
			return &world{
				up: link{rate: 300e3, delay: delays[seed%4], queue: 200 * ms}, config: Config{Start: 60_000},
				script: func(w *world, now time.Duration) {
					w.e.Beside(beside)
					if now%(500*ms) == ms {
						rate = 180e3 + 110e3*w.rng.Float64()
					}
					for due += rate / 1e6; due >= 1; due-- { // of 1000 bits, each ms
						w.up.pass(&parcel{flow: 9, size: size, sent: now})
					}
					if w.e.foreign.on && !taken && now > 5*time.Second {
						taken = true
						foreign++
					}
				},
			}
		}, func(uint64, *world) {})
		if (foreign > 0) != (beside == 0) {
			t.Errorf("told of %d bit/s of siblings, %d of %d took their queue for somebody else's", beside, foreign, *seeds)
		}
	}
}

// TestLongerPath becomes 125 ms longer, without loss: for a moment that looks like a queue.
func TestLongerPath(t *testing.T) {
	b := newBounds(t)
	eachSeed(25*time.Second, func(seed uint64) *world {
		return &world{
			up: link{rate: 2e6, delay: delays[seed%4], queue: 200 * ms}, most: 1e6, want: 1_000_000,
			script: func(w *world, now time.Duration) {
				if now == 12*time.Second {
					w.up.delay += 125 * ms
				}
			},
		}
	}, func(seed uint64, w *world) {
		b.atLeast("use 3 s later", seed, w.sum(15, 18).rate/1e6, 0.75)
		b.atLeast("use 6 s later", seed, w.sum(18, 25).rate/1e6, 0.95)
	})
}

// TestPolicer drops what is above a rate, without a queue; a very short queue does nearly the same.
func TestPolicer(t *testing.T) {
	b := newBounds(t)
	eachSeed(40*time.Second, func(seed uint64) *world {
		police := []float64{500e3, 2e6}[seed%2]
		return &world{up: link{rate: 20e6, delay: delays[seed%4], queue: 200 * ms, police: police, bucket: police / 20}}
	}, func(seed uint64, w *world) {
		r := w.sum(15, 40)
		b.atLeast("use", seed, r.rate/w.up.police, 0.8)
		b.atMost("loss", seed, r.loss, 0.08)
	})
	eachSeed(40*time.Second, func(seed uint64) *world {
		return &world{up: link{rate: []float64{500e3, 2e6}[seed%2], delay: delays[seed%4], queue: []time.Duration{30 * ms, 50 * ms}[seed/4%2]}}
	}, func(seed uint64, w *world) {
		r := w.sum(15, 40)
		b.atLeast("use of a short queue", seed, r.rate/w.up.rate, 0.8)
		b.atMost("loss of a short queue", seed, r.loss, 0.12)
	})
}

// TestSourcesThatSendLittle must not raise the target, and reach what the path takes soon after they send more.
func TestSourcesThatSendLittle(t *testing.T) {
	b := newBounds(t)
	eachSeed(28*time.Second, func(seed uint64) *world {
		return &world{
			up: link{rate: 2e6, delay: delays[seed%4], queue: 200 * ms}, most: 100e3, want: 100_000,
			script: func(w *world, now time.Duration) {
				if now == 15*time.Second {
					w.limit = 0
					w.e.Want(3_000_000)
				}
			},
		}
	}, func(seed uint64, w *world) {
		b.atMost("target, Mbit/s", seed, w.sum(10, 15).target/1e6, 0.31)
		b.atMost("80 % after, s", seed, w.reach(15, 28, 1.6e6), 6)
	})
}

// TestReachesWhatIsWanted: on a wide path the target comes to what the sources could use, and no further, although they send
// about half of it, because some of them wait until it does.
func TestReachesWhatIsWanted(t *testing.T) {
	for _, want := range []int{100_000, 200_000, 600_000, 3_000_000} {
		t.Run(fmt.Sprint(want), func(t *testing.T) {
			b := newBounds(t)
			eachSeed(60*time.Second, func(seed uint64) *world {
				return &world{
					up:     link{rate: 20e6, delay: delays[seed%4], queue: 200 * ms, loss: float64(seed%3) / 100},
					config: Config{Start: 30_000}, most: float64(want) / 2, want: want,
				}
			}, func(seed uint64, w *world) {
				b.atLeast("reached", seed, float64(w.e.Target())/float64(want), 1)
				b.atMost("reached", seed, float64(w.e.Target())/float64(want), 1.25)
			})
		})
	}
}

// TestPausedPictures is a path of 40 kbit/s on which sound alone is sent, until padding shows that it is wide again.
func TestPausedPictures(t *testing.T) {
	b := newBounds(t)
	eachSeed(30*time.Second, func(seed uint64) *world {
		return &world{
			up: link{rate: 40e3, delay: delays[seed%4], queue: 300 * ms}, most: 1, want: 500_000,
			script: func(w *world, now time.Duration) {
				if now == 15*time.Second {
					w.up.rate = 1e6
				}
				w.limit = 1
				if w.e.Target() > 150_000 {
					w.limit = 0
				}
			},
		}
	}, func(seed uint64, w *world) {
		b.atMost("p95 queue, s", seed, seconds(w.sum(4, 15).p95), 0.15)
		b.atMost("150k after, s", seed, w.reach(15, 30, 150e3), 9)
	})
}

// TestNothingButProbes: while pictures wait and nothing else is sent, probes find what the path takes, though the last
// packets of one are followed by no report.
func TestNothingButProbes(t *testing.T) {
	b := newBounds(t)
	eachSeed(30*time.Second, func(seed uint64) *world {
		return &world{
			up: link{rate: 40e3, delay: delays[seed%4], queue: 300 * ms}, most: 1, want: 500_000, mute: true,
			script: func(w *world, now time.Duration) {
				if now == 15*time.Second {
					w.up.rate = 1e6
				}
				w.limit = 1
				if now < 8*time.Second || w.e.Target() > 150_000 {
					w.limit = 0
				}
			},
		}
	}, func(seed uint64, w *world) {
		b.atMost("150k after, s", seed, w.reach(15, 30, 150e3), 12)
	})
}

// TestKeyFrames are five times as large as other frames.
func TestKeyFrames(t *testing.T) {
	b := newBounds(t)
	eachSeed(40*time.Second, func(seed uint64) *world {
		return &world{keys: true, up: link{rate: []float64{300e3, 1e6, 3e6}[seed%3], delay: delays[seed%4], queue: 200 * ms}}
	}, func(seed uint64, w *world) {
		r := w.sum(12, 40)
		b.atLeast("use", seed, r.rate/w.up.rate, 0.85)
		b.atMost("p95 queue, s", seed, seconds(r.p95), 0.14)
	})
}

// TestJitter is up to 40 ms, with and without a change of order.
func TestJitter(t *testing.T) {
	b := newBounds(t)
	eachSeed(40*time.Second, func(seed uint64) *world {
		return &world{up: link{
			rate: 2e6, delay: 50 * ms, queue: 200 * ms,
			jitter: []time.Duration{10, 20, 40}[seed%3] * ms, reorder: seed%2 == 0,
		}}
	}, func(seed uint64, w *world) {
		r := w.sum(12, 40)
		b.atLeast("use", seed, r.rate/2e6, 0.85)
		b.atMost("p95 queue, s", seed, seconds(r.p95), 0.1)
	})
}

// TestOutage is a path that loses everything for 3 s.
func TestOutage(t *testing.T) {
	b := newBounds(t)
	eachSeed(35*time.Second, func(seed uint64) *world {
		return &world{up: link{rate: 2e6, delay: delays[seed%4], queue: 200 * ms}, script: func(w *world, now time.Duration) {
			w.up.loss = 0
			if now > 20*time.Second && now < 23*time.Second {
				w.up.loss = 1
			}
		}}
	}, func(seed uint64, w *world) {
		b.atMost("target in it, Mbit/s", seed, w.sum(22.5, 23).target/1e6, 0.3)
		b.atMost("80 % after, s", seed, w.reach(23, 35, 1.6e6), 6)
	})
}
