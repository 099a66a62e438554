package bandwidth

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestClaimsOfReceipt of packets that were not sent, or were reported already, change nothing.
func TestClaimsOfReceipt(t *testing.T) {
	path := func(lie func(now time.Duration, list []Arrival) []Arrival) *world {
		return (&world{seed: 1, up: link{rate: 1e6, delay: 30 * ms, queue: 200 * ms}, lie: lie}).run(20 * time.Second)
	}
	honest := path(nil)
	var before []Arrival
	liar := path(func(_ time.Duration, list []Arrival) []Arrival {
		told := append(list, before...) // twice
		before = list
		for n := range int64(50) { // never sent
			told = append(told, Arrival{Number: n + 1<<40, At: time.Duration(n), Received: true}, Arrival{Number: -n - 1})
		}
		return told
	})
	for i := range honest.bins {
		if honest.bins[i].target != liar.bins[i].target {
			t.Fatalf("after %d00 ms the target is %.0f, and without the lies %.0f", i, liar.bins[i].target, honest.bins[i].target)
		}
	}
}

// TestPeerClockJumps by an hour, either way, once or in every tenth packet.
func TestPeerClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"ahead": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := (&world{seed: 2, up: link{rate: 1e6, delay: 30 * ms, queue: 200 * ms}, lie: func(now time.Duration, list []Arrival) []Arrival {
				for i := range list {
					if now > 15*time.Second {
						list[i].At += jump
					}
				}
				return list
			}}).run(40 * time.Second)
			if r := w.sum(25, 40); r.rate < 0.85e6 || r.p95 > 100*ms {
				t.Errorf("after the jump %.0f bit/s pass and p95 of the queue is %v", r.rate, r.p95)
			}
		})
	}
	(&world{seed: 3, up: link{rate: 1e6, delay: 30 * ms, queue: 200 * ms}, lie: func(_ time.Duration, list []Arrival) []Arrival {
		for i := range list {
			if i%10 == 0 {
				list[i].At = time.Duration(rand.Int64())
			}
		}
		return list
	}}).run(5 * time.Second)
}

// TestSilence halves the target while nobody reports, and not while nothing is sent.
func TestSilence(t *testing.T) {
	e := New(Config{Start: 1_000_000})
	now := start
	for n := range int64(100) {
		now = now.Add(10 * ms)
		e.Sent(Packet{Number: n, Size: 1000, Sent: now})
		e.Report(now.Add(ms), []Arrival{{Number: n, At: time.Duration(n) * 10 * ms, Received: true}})
	}
	before := e.Target()
	for range 100 { // nothing is sent
		now = now.Add(50 * ms)
		e.Tick(now)
	}
	if e.Target() != before {
		t.Errorf("the target fell from %d to %d while nothing was sent", before, e.Target())
	}
	for n := range int64(40) { // 2 s
		now = now.Add(50 * ms)
		e.Sent(Packet{Number: 100 + n, Size: 1000, Sent: now})
		e.Tick(now)
	}
	if got := e.Target(); got > before/4 || got < before/16 {
		t.Errorf("after 2 s without reports the target is %d, before it was %d", got, before)
	}
}

// TestEverySetOfLies that a seed makes leaves the target in its bounds.
func TestEverySetOfLies(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		script := make([]byte, 4000)
		for i := range script {
			script[i] = byte(rng.IntN(256))
		}
		playLies(t, script)
	}
}

func FuzzLies(f *testing.F) {
	f.Add([]byte{0, 10, 1, 1, 2, 200, 3, 255, 4, 9, 5, 77, 6, 1, 7, 2})
	f.Fuzz(playLies)
}

// playLies makes calls of the bytes of script.
func playLies(t *testing.T, script []byte) {
	c := Config{Start: 300_000, Floor: 50_000, Ceiling: 5_000_000}
	e := New(c)
	now, sent := start, int64(0)
	times := []time.Duration{0, -1, time.Hour, math.MaxInt64, math.MinInt64, skew, never - 1, never}
	for i := 0; i+1 < len(script); i += 2 {
		v := int(script[i+1])
		switch script[i] % 8 {
		case 0:
			for range v {
				now = now.Add(time.Duration(v) * 100 * time.Microsecond)
				e.Sent(Packet{Number: sent, Size: v * v, Sent: now})
				sent++
			}
		case 1: // a true report of what was sent last
			var list []Arrival
			for n := max(0, sent-int64(v)); n < sent; n++ {
				list = append(list, Arrival{Number: n, At: skew + now.Sub(start) + time.Duration(v)*ms, Received: n%16 != 0})
			}
			e.Report(now, list)
		case 2:
			var list []Arrival
			for k := range int64(v) {
				list = append(list, Arrival{Number: sent - k*k, At: times[v%len(times)] + time.Duration(k)*time.Duration(v)*ms, Received: k%3 != 0})
			}
			e.Report(now.Add(time.Duration(v-128)*time.Second), list)
		case 3:
			e.REMB(now, []int{0, -1, 1, math.MaxInt, math.MinInt, 1000 * v}[v%6])
		case 4:
			e.ReceiverReport(now, []float64{math.NaN(), -1, 2, math.Inf(1), float64(v) / 255}[v%5], times[v%len(times)])
		case 5:
			e.Want(v * v * v)
		case 6:
			now = now.Add(time.Duration(v) * 20 * ms)
			e.Tick(now)
		case 7:
			e.Tick(now.Add(-time.Duration(v) * time.Second))
			e.Sent(Packet{Number: -sent, Size: -v, Sent: now.Add(-time.Hour)})
		}
		s := e.State()
		if e.Target() < c.Floor || e.Target() > c.Ceiling || e.Padding() < 0 || e.Padding() > c.Ceiling ||
			s.Loss < 0 || s.Loss > 1 || s.Queue < 0 || s.RoundTrip < 0 || s.Acked < 0 {
			t.Fatalf("after %d bytes: target %d, padding %d, %+v", i, e.Target(), e.Padding(), s)
		}
	}
}

// TestTimesThatRunBackwards: a peer whose times run backwards, or stand still, is not sent much more than the path takes,
// and all of it again when its lies have been forgotten, after 20 s of the truth.
func TestTimesThatRunBackwards(t *testing.T) {
	for name, lie := range map[string]func(at, now time.Duration) time.Duration{
		"backwards": func(at, _ time.Duration) time.Duration { return 2*skew - at },
		"ever faster": func(at, now time.Duration) time.Duration {
			return at + (now-10*time.Second)*(now-10*time.Second)/time.Second
		},
		"a tenth as fast":     func(at, _ time.Duration) time.Duration { return skew + (at-skew)/10 },
		"not at all":          func(time.Duration, time.Duration) time.Duration { return skew },
		"backwards in packet": func(at, now time.Duration) time.Duration { return skew + now - (at-skew-now)*5 },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBounds(t)
			eachSeed(75*time.Second, func(uint64) *world {
				return &world{up: link{rate: 1e6, delay: 30 * ms, queue: 200 * ms}, lie: func(now time.Duration, list []Arrival) []Arrival {
					for i := range list {
						if now > 10*time.Second && now < 20*time.Second {
							list[i].At = lie(list[i].At, now)
						}
					}
					return list
				}}
			}, func(seed uint64, w *world) {
				b.atMost("target while it lies, Mbit/s", seed, w.sum(12, 20).target/1e6, 1.5)
				b.atLeast("use afterwards", seed, w.sum(60, 75).rate/1e6, 0.9)
			})
		})
	}
}
