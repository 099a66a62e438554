// Package alarm owns the timers of what works for one connection and rests most of the time. A goroutine that waits for a
// ticker does the same, but it is there while it waits, with its stack, for each of them and each connection.
package alarm

import (
	"sync"
	"time"
)

// Alarm calls a function after a time, one call at a time. Between two calls it has no goroutine, and makes no objects.
type Alarm struct {
	ring func() time.Duration // Immutable. Returns after what time to ring again; 0: not before Set.

	mu      sync.Mutex  // a leaf lock: nothing outside is called while it is held
	timer   *time.Timer // nil: it was never set
	due     time.Time   // when to ring; zero: never
	ringing bool
	over    bool
	rings   sync.WaitGroup
}

// New returns an Alarm that is not set.
func New(ring func() time.Duration) *Alarm { return &Alarm{ring: ring} }

// Set has it ring after that time, and not when it was to ring before. While it rings, that is what counts, and not what
// the function returns. It may be called from anywhere, and does nothing after Close.
func (a *Alarm) Set(after time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(after)
}

// set is Set. It needs a.mu.
func (a *Alarm) set(after time.Duration) {
	if a.over {
		return
	}
	a.due = time.Now().Add(after)
	switch {
	case a.ringing: // which arms the timer at its end
	case a.timer == nil:
		a.timer = time.AfterFunc(after, a.fire)
	default:
		a.timer.Reset(after)
	}
}

// fire is called in a goroutine of its own. It may have been set again on the way here.
func (a *Alarm) fire() {
	a.mu.Lock()
	if a.over || a.ringing || a.due.IsZero() || time.Now().Before(a.due) {
		a.mu.Unlock()
		return
	}
	a.due, a.ringing = time.Time{}, true
	a.rings.Add(1)
	a.mu.Unlock()
	defer a.rings.Done()
	again := a.ring()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ringing = false
	switch {
	case !a.due.IsZero():
		a.set(time.Until(a.due))
	case again > 0:
		a.set(again)
	}
}

// Close ends it, and waits until the function has returned, which must not call it.
func (a *Alarm) Close() {
	a.mu.Lock()
	a.over = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.rings.Wait()
}
