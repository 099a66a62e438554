package fanout

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A key frame is made for everybody and costs everybody, so what one peer can request
// is bounded: a few at once, for joining, loss and a new connection, then one in
// several seconds. What is requested beyond that waits.
const (
	keyframeBurst = 4
	keyframeEvery = 4 * time.Second

	maxBuckets = 64   // tracks with a bucket of their own, which are as many as a description has room for
	maxBudgets = 1024 // members whose budget is kept
)

// KeyframeBudget is what one member may request of each of our tracks, by the track's name: it
// outlives connections, tracks that are published again, and the member's own stay.
type KeyframeBudget struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by the name of a sender
}

// take takes one key frame from the budget for a track, or returns how long to wait
// for one. A nil budget has no bound.
func (b *KeyframeBudget) take(name string, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[name]
	if bucket == nil {
		if b.forgetFull(now); len(b.buckets) >= maxBuckets {
			name = "" // shared by all further ones
			bucket = b.buckets[name]
		}
		if bucket == nil {
			bucket = rate.NewLimiter(rate.Every(keyframeEvery), keyframeBurst)
			b.buckets[name] = bucket
		}
	}
	taken := bucket.ReserveN(now, 1)
	if wait = taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}

// forgetFull drops the buckets that are as good as new. It needs b.mu.
func (b *KeyframeBudget) forgetFull(now time.Time) {
	for name, bucket := range b.buckets {
		if bucket.TokensAt(now) >= keyframeBurst {
			delete(b.buckets, name)
		}
	}
}

// unused reports whether the budget is as good as new.
func (b *KeyframeBudget) unused(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetFull(now)
	return len(b.buckets) == 0
}

// KeyframeBudgets are those of a room, by member: one that leaves and comes back finds its
// own again. The zero value is ready.
type KeyframeBudgets struct {
	mu sync.Mutex
	of map[string]*KeyframeBudget
}

// Of returns a member's budget. Beyond maxBudgets those that are as good as new go
// first, then any.
func (k *KeyframeBudgets) Of(member string, now time.Time) *KeyframeBudget {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b := k.of[member]; b != nil {
		return b
	}
	if len(k.of) >= maxBudgets {
		for id, b := range k.of {
			if b.unused(now) {
				delete(k.of, id)
			}
		}
	}
	for id := range k.of {
		if len(k.of) < maxBudgets {
			break
		}
		delete(k.of, id)
	}
	if k.of == nil {
		k.of = make(map[string]*KeyframeBudget)
	}
	b := &KeyframeBudget{buckets: make(map[string]*rate.Limiter)}
	k.of[member] = b
	return b
}
