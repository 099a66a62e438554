package hub

import (
	"fmt"
	"testing"
	"time"
)

func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	p := pace{3, 10 * time.Second}
	var b bucket
	for i, want := range []time.Duration{0, 0, 0, 10 * time.Second, 20 * time.Second} {
		if wait, ok := b.take(p, 1, now, 20*time.Second); wait != want || !ok {
			t.Errorf("the %d. waits %v, %v, want %v", i+1, wait, ok, want)
		}
	}
	for range 2 { // a refused one has spent nothing
		if wait, ok := b.take(p, 1, now, 20*time.Second); wait != 30*time.Second || ok {
			t.Errorf("one too many waits %v, %v", wait, ok)
		}
	}
	b.giveBack(1)
	if wait, ok := b.take(p, 1, now.Add(25*time.Second), 0); wait != 0 || !ok {
		t.Errorf("later: %v, %v", wait, ok)
	}
	if owes := b.owes(p, now.Add(time.Hour)); owes != 0 {
		t.Errorf("after an hour %v is owed", owes)
	}
	b.take(p, 3, now.Add(time.Hour), 0)
	if wait, ok := b.take(p, 1, now, 10*time.Second); wait != 10*time.Second || !ok { // the clock was set back
		t.Errorf("an hour before: %v, %v", wait, ok)
	}
	if wait, ok := b.take(p, 1, now.Add(20*time.Second), 0); wait != 0 || !ok {
		t.Errorf("and twenty seconds later: %v, %v", wait, ok)
	}
	if wait, ok := b.take(p, 100, now.Add(2*time.Hour), 0); wait != 970*time.Second || ok {
		t.Errorf("a hundred at once: %v, %v", wait, ok)
	}
}

// A throttle does not forget a key that it holds back, however many others come.
func TestThrottleForgetsNobody(t *testing.T) {
	now := time.Unix(1000, 0)
	th := throttle[string]{pace: pace{2, time.Hour}}
	take := func(who string) bool {
		_, _, ok := th.take(who, now, 0)
		return ok
	}
	take("a")
	take("a")
	others := 0
	for i := range 3 * maxBuckets {
		if take(fmt.Sprint("x", i)) {
			others++
		}
		if i%1000 == 0 && take("a") {
			t.Fatalf("a was let through after %d others", i)
		}
		now = now.Add(time.Millisecond)
	}
	if len(th.buckets) != maxBuckets || others > maxBuckets+2*restShare {
		t.Errorf("%d are held apart, %d of the others were let through", len(th.buckets), others)
	}
	now = now.Add(3 * time.Hour)
	if !take("newcomer") || len(th.buckets) != 1 {
		t.Errorf("after all have waited, %d are remembered", len(th.buckets))
	}
}
