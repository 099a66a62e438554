package fanout

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A key frame goes to all peers and costs all of them bandwidth, so the requests of one
// peer are bounded: a few at once, because of joining, loss or a new connection, and then
// one every few seconds. Requests beyond that wait.
const (
	keyframeBurst = 4
	keyframeEvery = 4 * time.Second

	maxBuckets = 64   // tracks with a bucket of their own: as many as fit into a description
	maxBudgets = 1024 // members whose budget is kept
)

// KeyframeBudget bounds the key frames that one member may request of each of our tracks, by
// the track's name. It outlives connections, republished tracks, and the member's stay in
// the room. The zero value is full.
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
			name = "" // all further tracks share one bucket
			bucket = b.buckets[name]
		}
		if bucket == nil {
			bucket = rate.NewLimiter(rate.Every(keyframeEvery), keyframeBurst)
			if b.buckets == nil {
				b.buckets = make(map[string]*rate.Limiter)
			}
			b.buckets[name] = bucket
		}
	}
	taken := bucket.ReserveN(now, 1)
	if wait = taken.DelayFrom(now); wait > 0 {
		taken.CancelAt(now)
	}
	return wait
}

// forgetFull drops the buckets that are full again. It needs b.mu.
func (b *KeyframeBudget) forgetFull(now time.Time) {
	for name, bucket := range b.buckets {
		if bucket.TokensAt(now) >= keyframeBurst {
			delete(b.buckets, name)
		}
	}
}

// unused reports whether the budget is full again.
func (b *KeyframeBudget) unused(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forgetFull(now)
	return len(b.buckets) == 0
}

// KeyframeBudgets has the budgets of a room, by member. A member that leaves and comes back
// has the same budget as before. The zero value is ready.
type KeyframeBudgets struct {
	mu sync.Mutex
	of map[string]*KeyframeBudget
}

// Of returns a member's budget. If there are too many, it forgets those that are full
// again first, and then any.
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
