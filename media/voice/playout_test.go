package voice

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

// TestPlayout: what is sent when.
func TestPlayout(t *testing.T) {
	type at struct {
		now   time.Duration
		sound bool
		want  playoutStep
	}
	for name, course := range map[string][]at{
		"nothing to say": {{0, false, playoutStep{rest: true}}, {50 * ms, false, playoutStep{rest: true}}},
		"in time": {
			{100 * ms, true, playoutStep{marker: true}},
			{101 * ms, true, playoutStep{wait: 19 * ms}},
			{120 * ms, true, playoutStep{at: 20 * ms}},
		},
		"late by less than a frame": {
			{0, true, playoutStep{marker: true}},
			{39 * ms, true, playoutStep{at: 20 * ms}},
			{39 * ms, true, playoutStep{wait: ms}},
			{40 * ms, true, playoutStep{at: 40 * ms}},
		},
		"late by more": {
			{0, true, playoutStep{marker: true}},
			{333 * ms, true, playoutStep{at: 333 * ms, marker: true}},
			{333 * ms, true, playoutStep{wait: 20 * ms}},
			{353 * ms, true, playoutStep{at: 353 * ms}},
		},
		"silence where sound is missing": {
			{0, true, playoutStep{marker: true}},
			{20 * ms, false, playoutStep{at: 20 * ms}},
			{40 * ms, true, playoutStep{at: 40 * ms}},
		},
	} {
		var p playout
		began := time.Now()
		for i, a := range course {
			now := began.Add(a.now)
			got := p.next(now, a.sound)
			if got != a.want {
				t.Errorf("%s, %d: %+v, want %+v", name, i, got, a.want)
			}
			if !got.rest && got.wait == 0 {
				sound := time.Duration(0)
				if a.sound {
					sound = frameTime
				}
				p.sent(now, sound)
			}
		}
	}
}

// TestHeard: a frame is heard from when it has arrived, as it is played.
func TestHeard(t *testing.T) {
	var p playout
	began := time.Now()
	for i := range 3 {
		p.sent(began.Add(time.Duration(i)*frameTime), frameTime)
	}
	p.sent(began.Add(3*frameTime), 0)
	p.sent(began.Add(4*frameTime), 5*ms)
	for at, want := range map[time.Duration]time.Duration{
		0: 0, 30 * ms: 0, 35 * ms: 5 * ms, 50 * ms: 20 * ms, 89 * ms: 59 * ms, 105 * ms: 60 * ms, 112 * ms: 62 * ms, time.Hour: 65 * ms,
	} {
		if got := p.heard(began.Add(at), 30*ms); got != want {
			t.Errorf("%v heard at %v, want %v", got, at, want)
		}
	}
}

// TestPlayoutAtRandom: whatever is late, nothing is sent faster than it is played, each frame has the time at which it
// leaves, a pause is silence for a second and then nothing, and what was heard is what was sent a way ago.
func TestPlayoutAtRandom(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var p playout
		began := time.Now()
		now, sound := began, false
		var first, quietSince time.Time
		var leaving []time.Time
		var at []time.Duration
		total, heard := time.Duration(0), time.Duration(0)
		way := time.Duration(rng.IntN(300)) * ms
		type point struct {
			at   time.Time
			sent time.Duration
		}
		var points []point
		for range 600 {
			if rng.IntN(12) == 0 {
				sound = !sound
			}
			step := p.next(now, sound)
			switch {
			case step.rest:
				if sound || !quietSince.IsZero() && now.Sub(quietSince) < restAfter-frameTime {
					t.Fatalf("seed %d: it rests %v after sound", seed, now.Sub(quietSince))
				}
				now = now.Add(time.Duration(rng.IntN(400)) * ms)
				continue
			case step.wait > 0:
				if step.wait > frameTime {
					t.Fatalf("seed %d: a wait of %v", seed, step.wait)
				}
				late := time.Duration(0)
				if rng.IntN(10) == 0 {
					late = time.Duration(rng.IntN(90)) * ms
				}
				now = now.Add(step.wait + late)
				continue
			}
			if first.IsZero() {
				first = now
			}
			if off := now.Sub(first) - step.at; off < 0 || off >= frameTime {
				t.Fatalf("seed %d: a frame of %v leaves at %v", seed, step.at, now.Sub(first))
			}
			if n := len(at); n > 0 && (step.at < at[n-1]+frameTime || step.marker != (step.at > at[n-1]+frameTime)) {
				t.Fatalf("seed %d: %v after %v, marker %v", seed, step.at, at[n-1], step.marker)
			}
			at, leaving = append(at, step.at), append(leaving, now)
			if n := len(leaving); n > 5 && now.Sub(leaving[n-6]) < 4*frameTime {
				t.Fatalf("seed %d: six frames within %v", seed, now.Sub(leaving[n-6]))
			}
			if sound {
				d := time.Duration(1+rng.IntN(20)) * ms
				p.sent(now, d)
				total += d
				quietSince = time.Time{}
			} else {
				if quietSince.IsZero() {
					quietSince = now
				}
				p.sent(now, 0)
			}
			points = append(points, point{now, total})
			h := p.heard(now, way)
			if h < heard || h > total {
				t.Fatalf("seed %d: %v heard of %v, and %v before", seed, h, total, heard)
			}
			heard = h
			most := total // all that left a way and a frame ago was heard, and nothing that left later than a way ago
			for i, point := range slices.Backward(points) {
				if now.Sub(point.at) >= way+frameTime {
					if h < point.sent {
						t.Fatalf("seed %d: %v heard, want %v at least", seed, h, point.sent)
					}
					break
				}
				if now.Sub(point.at) < way { // it is the frame before this one, at most
					most = point.sent
					if i > 0 {
						most = points[i-1].sent
					}
				}
			}
			if h > most {
				t.Fatalf("seed %d: %v heard, want %v at most", seed, h, most)
			}
		}
		if p.sound != total || p.heard(now.Add(time.Hour), way) != total || len(p.log) > int(playoutMemory/frameTime)+2 {
			t.Fatalf("seed %d: %v sent of %v, %d in memory", seed, p.sound, total, len(p.log))
		}
	}
}
