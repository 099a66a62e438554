package bandwidth

import (
	"testing"
	"time"
)

// TestFloodTogether is a path that becomes narrow under two connections. The other one follows 2 s later, because it
// learns of it later. Until then the queue does not fall, and yet is not taken for one of TCP flows.
func TestFloodTogether(t *testing.T) {
	b := newBounds(t)
	var foreign int
	eachSeed(30*time.Second, func(seed uint64) *world {
		foreign = 0
		return &world{
			up: link{rate: 3e6, delay: delays[seed%4], queue: 200 * ms}, most: 800e3, want: 800_000,
			script: func(w *world, now time.Duration) {
				if now == 12*time.Second {
					w.up.rate = 300e3
				}
				every := 12 * ms // 800 kbit/s
				if now > 14*time.Second {
					every = 100 * ms
				}
				if now%every == 0 {
					w.up.pass(&parcel{flow: 1, size: 1200, sent: now})
				}
				if now > 12*time.Second && w.e.foreign.on {
					foreign++
				}
			},
		}
	}, func(seed uint64, w *world) {
		r := w.sum(17, 30)
		b.atMost("taken for TCP, ms", seed, float64(foreign), 0)
		b.atLeast("use", seed, r.rate/204e3, 0.7)
		b.atMost("p95 queue, s", seed, seconds(r.p95), 0.1)
	})
}

// TestOldLoss: of a flood that is over, little is said a second later, although few packets have been sent since.
func TestOldLoss(t *testing.T) {
	var l loss
	l.add(10*time.Second, &report{got: 40, missed: 60}, true)
	for i := range 10 {
		l.add(10*time.Second+time.Duration(i+1)*100*ms, &report{got: 5}, false)
	}
	if l.share > 0.25 {
		t.Errorf("a second later the loss is %.2f", l.share)
	}
}
