package bandwidth

import (
	"testing"
	"time"
)

// TestProbesStayBelowTheCeiling: where it was just seen what is too much, no probe tries more, although the sources pause.
func TestProbesStayBelowTheCeiling(t *testing.T) {
	probes := 0
	eachSeed(40*time.Second, func(seed uint64) *world {
		return &world{
			up: link{rate: 400e3, delay: delays[seed%4], queue: 200 * ms},
			script: func(w *world, now time.Duration) {
				w.limit = 0
				if now%(8*time.Second) > 4*time.Second {
					w.limit = 100e3
				}
			},
			trace: func(now time.Duration, w *world) {
				c := &w.e.control
				if w.e.Padding() > 0 {
					probes++
				}
				if c.cutAt > 0 && w.e.Padding() > int(c.ceiling) && w.e.probe.began > c.cutAt && c.target >= narrow && w.e.probe.began < c.cutAt+ceilingLasts {
					t.Errorf("seed %d: after %v a probe of %d, %v after %.0f was too much", w.seed, now, w.e.Padding(), w.e.now-c.cutAt, c.ceiling)
				}
			},
		}
	}, func(uint64, *world) {})
	if probes == 0 {
		t.Error("no probe at all")
	}
}

// TestQueueOfOthersStays: a queue that others never let drain is not taken for the path.
func TestQueueOfOthersStays(t *testing.T) {
	var d delay
	d.add(0, 10*ms)
	for now := time.Duration(0); now < time.Minute; now += 100 * ms {
		d.keep(now)
		d.add(now, 90*ms)
	}
	if d.queue != 80*ms {
		t.Errorf("the queue is %v", d.queue)
	}
}
