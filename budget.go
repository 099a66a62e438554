package noom

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"noom/signal"
)

// A key frame is made for everybody and costs everybody, so what one peer can ask for
// is bounded: a few at once, for joining, loss and a new connection, then one in
// several seconds. What is asked beyond that waits.
const (
	keyframeBurst = 4
	keyframeEvery = 4 * time.Second

	maxBudgets = 1024 // members whose budget is kept
)

// keyframeBudget is what one member may ask for, for each of our tracks by name: it
// outlives connections, tracks that are published anew, and the member's own stay.
type keyframeBudget struct {
	mu      sync.Mutex
	buckets map[string]*rate.Limiter // by the name of a sender
}

// take takes one key frame from the budget for a track, or returns how long to wait
// for one. A nil budget has no bound.
func (b *keyframeBudget) take(name string, now time.Time) (wait time.Duration) {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	bucket := b.buckets[name]
	if bucket == nil {
		if b.forgetFull(now); len(b.buckets) >= signal.MaxSections {
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
func (b *keyframeBudget) forgetFull(now time.Time) {
	for name, bucket := range b.buckets {
		if bucket.TokensAt(now) >= keyframeBurst {
			delete(b.buckets, name)
		}
	}
}

// unused reports whether the budget is as good as new.
func (b *keyframeBudget) unused(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetFull(now)
	return len(b.buckets) == 0
}

// keyframeBudgets are those of a room, by member: who leaves and comes back finds its
// own again.
type keyframeBudgets struct {
	mu sync.Mutex
	of map[string]*keyframeBudget
}

// get returns a member's budget. Beyond maxBudgets those that are as good as new go
// first, then any.
func (k *keyframeBudgets) get(member string, now time.Time) *keyframeBudget {
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
		k.of = make(map[string]*keyframeBudget)
	}
	b := &keyframeBudget{buckets: make(map[string]*rate.Limiter)}
	k.of[member] = b
	return b
}
