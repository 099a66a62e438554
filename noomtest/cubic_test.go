package noomtest

import (
	"math"
	"testing"
	"time"
)

// round has all that is under way arrive after a round trip, except what is lost, and sends again.
func (c *cubic) round(now time.Time, r *reassembly, lost map[int64]bool) {
	var arrived []int64
	for _, s := range c.underway {
		if !lost[s.number] {
			arrived = append(arrived, s.number)
		}
		delete(lost, s.number)
	}
	for _, n := range arrived {
		r.take(n)
		c.acknowledge(now, r.below, r.further)
	}
	for {
		if _, ok := c.send(now, true); !ok {
			return
		}
	}
}

func TestCubic(t *testing.T) {
	const trip = 100 * time.Millisecond
	now, c, r := time.Now(), newCubic(), reassembly{}
	next := func(lost map[int64]bool) { now = now.Add(trip); c.round(now, &r, lost) }
	next(nil)
	for want := firstWindow; want <= 160; want *= 2 { // slow start
		if len(c.underway) != want {
			t.Fatalf("%d under way, not %d", len(c.underway), want)
		}
		next(nil)
	}
	before := c.window
	first := c.underway[0].number
	next(map[int64]bool{first: true, first + 3: true, first + 100: true}) // one reduction for all
	if c.window < 0.7*before || c.window > 0.75*before {
		t.Errorf("the window is %.0f after a loss at %.0f", c.window, before)
	}
	k, begun := math.Cbrt(before*(1-cubicFactor)/cubicScale), now
	for c.window < before-1 && now.Sub(begun) < time.Minute {
		next(nil)
	}
	if d := now.Sub(begun).Seconds(); d < k/2 || d > k+0.5 {
		t.Errorf("the window was there again after %.1f s, K is %.1f s", d, k)
	}
	if r.below < c.next-int64(len(c.underway)) {
		t.Errorf("%d of %d segments have arrived in order", r.below, c.next)
	}
	waiting := c.next
	for want := c.timeout; want < 3*time.Second; want *= 2 { // nothing is heard
		due := now.Add(want)
		if c.expires.Before(now) || c.expires.After(due) {
			t.Errorf("expires in %v, not %v", c.expires.Sub(now), want)
		}
		now = c.expires
		c.expire(now)
		if c.window != 1 || len(c.underway) != 0 {
			t.Errorf("a window of %v and %d under way after a timeout", c.window, len(c.underway))
		}
		c.send(now, true)
		if len(c.underway) != 1 || c.underway[0].number != r.below {
			t.Errorf("under way are %+v, not %d", c.underway, r.below)
		}
	}
	for range 20 {
		next(nil)
	}
	if r.below < waiting {
		t.Errorf("%d of %d segments have arrived after a timeout", r.below, waiting)
	}
}
