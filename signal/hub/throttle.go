package hub

import "time"

// This file limits rates: pure machines, to which time is passed in.

// A pace is so many at once, and one more after each pause; without a pause there is
// no bound.
type pace struct {
	burst float64
	pause time.Duration
}

// A bucket is what one of those has spent that a pace holds back. The zero bucket has
// spent nothing. Every connection has one, so it is small; a clock that is set back costs it
// no more than what it would have got back since it was last asked.
type bucket struct {
	spent float64
	at    int64 // in nanoseconds since 1970
}

// owes is what b has spent and not got back by now.
func (b *bucket) owes(p pace, now time.Time) float64 {
	if p.pause <= 0 {
		return 0
	}
	return max(0, b.spent-float64(max(0, now.UnixNano()-b.at))/float64(p.pause))
}

// take spends n and says after which wait they may be used. A wait above most is
// refused, and nothing is spent.
func (b *bucket) take(p pace, n float64, now time.Time, most time.Duration) (wait time.Duration, ok bool) {
	b.spent, b.at = b.owes(p, now), now.UnixNano()
	if over := b.spent + n - p.burst; over > 0 {
		wait = time.Duration(over * float64(p.pause))
	}
	if wait > most {
		return wait, false
	}
	b.spent += n
	return wait, true
}

// giveBack takes back what was spent of late.
func (b *bucket) giveBack(n float64) { b.spent = max(0, b.spent-n) }

// maxBuckets is for how many a throttle has a bucket each.
const maxBuckets = 10_000

// A throttle limits each of many keys by itself. A key that has everything back is forgotten. While
// it has no place for more, all further keys share one bucket, of restShare times the pace: no key
// can be made to be forgotten by the others.
type throttle[K comparable] struct {
	pace    pace
	buckets map[K]*bucket
	rest    bucket
	swept   time.Time
}

const restShare = 16

// take spends one of who's, and returns how to give it back.
func (t *throttle[K]) take(who K, now time.Time, most time.Duration) (giveBack func(), wait time.Duration, ok bool) {
	b, p := t.buckets[who], t.pace
	if b == nil && len(t.buckets) >= maxBuckets {
		t.sweep(now)
	}
	switch {
	case b != nil:
	case len(t.buckets) >= maxBuckets:
		b, p = &t.rest, pace{p.burst * restShare, p.pause / restShare}
	default:
		b = new(bucket)
	}
	if wait, ok = b.take(p, 1, now, most); !ok {
		return nil, wait, false
	}
	if b != &t.rest {
		if t.buckets == nil {
			t.buckets = make(map[K]*bucket)
		}
		t.buckets[who] = b
	}
	return func() {
		if b.giveBack(1); b.spent == 0 {
			delete(t.buckets, who)
		}
	}, wait, true
}

// sweep forgets keys that have everything back. It looks at all, so it is called seldom.
func (t *throttle[K]) sweep(now time.Time) {
	if now.Sub(t.swept) < time.Second && !t.swept.IsZero() {
		return
	}
	t.swept = now
	for who, b := range t.buckets {
		if b.owes(t.pace, now) == 0 {
			delete(t.buckets, who)
		}
	}
}
