package mem

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// ErrCutOff is what a [BusEnd] returns while it is cut off from the bus, or closed.
var ErrCutOff = errors.New("mem: cut off from the bus")

// queuedOnBus is how many messages may wait for one end; what is more is lost.
const queuedOnBus = 65536

// A Bus is what several hubs have between them, in memory, with the faults that a network has: for tests. The zero
// value is one that loses nothing. All methods may be called from anywhere at any time, also within a testing/synctest
// bubble.
type Bus struct {
	mu    sync.Mutex
	ends  []*BusEnd
	cuts  map[[2]*BusEnd]bool // from, to
	loss  float64
	rand  *rand.Rand // nil: nothing is lost
	delay time.Duration
}

// Join returns a new end: what a hub has of the bus.
func (b *Bus) Join() *BusEnd {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := &BusEnd{bus: b, closed: make(chan struct{})}
	b.ends = append(b.ends, e)
	return e
}

// Lose lets a share of the messages, of 0 to 1, be lost from now on, at random by a seed.
func (b *Bus) Lose(share float64, seed uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.loss, b.rand = share, rand.New(rand.NewPCG(seed, 0))
}

// Delay lets each message take that long from now on. None overtakes one before it.
func (b *Bus) Delay(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delay = d
}

// Cut loses whatever from publishes on its way to the other end, and nothing in the other direction. Neither notices.
func (b *Bus) Cut(from, to *BusEnd) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cuts == nil {
		b.cuts = map[[2]*BusEnd]bool{}
	}
	b.cuts[[2]*BusEnd{from, to}] = true
}

// Heal ends all cuts, and brings back the ends that were cut off.
func (b *Bus) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cuts = nil
	for _, e := range b.ends {
		e.off = false
	}
}

// A BusEnd publishes and subscribes. Messages come at most once, those of one publisher in the order in which it has
// published them.
type BusEnd struct {
	bus    *Bus
	closed chan struct{}

	// Everything following is owned by the bus, behind its lock.
	off     bool // cut off
	over    bool // closed
	subs    []*subscription
	queue   []parcel
	running bool // a goroutine delivers
}

// A subscription of an end.
type subscription struct {
	subject string
	f       func(data []byte)
}

// A parcel is a message on its way.
type parcel struct {
	subject string
	data    []byte
	due     time.Time
}

// CutOff cuts the end off: it hears nothing, and what it calls returns [ErrCutOff], until [Bus.Heal].
func (e *BusEnd) CutOff() {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	e.off = true
}

// Publish sends data, of which it makes a copy, to whoever subscribes to the subject, this end included. It never
// waits. An error, always [ErrCutOff], says that the message is lost; that there is none does not say that it has come.
func (e *BusEnd) Publish(subject string, data []byte) error {
	b := e.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.off || e.over {
		return ErrCutOff
	}
	p := parcel{subject, bytes.Clone(data), time.Now().Add(b.delay)}
	for _, to := range b.ends {
		if to.hears(subject) && !b.cuts[[2]*BusEnd{e, to}] && !b.loses() {
			to.take(p)
		}
	}
	return nil
}

func (b *Bus) loses() bool { return b.rand != nil && b.rand.Float64() < b.loss }

func (e *BusEnd) hears(subject string) bool {
	return !e.off && !e.over && slices.ContainsFunc(e.subs, func(s *subscription) bool { return s.subject == subject })
}

// take queues a parcel. There is a goroutine as long as something is queued.
func (e *BusEnd) take(p parcel) {
	if len(e.queue) >= queuedOnBus {
		return
	}
	e.queue = append(e.queue, p)
	if !e.running {
		e.running = true
		go e.deliver()
	}
}

// Subscribe calls f with each message for the subject, one after the other, also for several subscriptions. f may
// publish and subscribe, and must not change data, which others have too. It may still be running when cancel returns,
// and is not called again. The error is [ErrCutOff].
func (e *BusEnd) Subscribe(subject string, f func(data []byte)) (cancel func(), err error) {
	b := e.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.off || e.over {
		return nil, ErrCutOff
	}
	s := &subscription{subject, f}
	e.subs = append(e.subs, s)
	return func() { e.drop(s) }, nil
}

// Probe calls absent, on another goroutine, if no end that is not cut off subscribes to the subject. The error is
// [ErrCutOff].
func (e *BusEnd) Probe(subject string, absent func()) error {
	b := e.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.off || e.over {
		return ErrCutOff
	}
	if !slices.ContainsFunc(b.ends, func(other *BusEnd) bool { return other.hears(subject) }) {
		go absent()
	}
	return nil
}

func (e *BusEnd) drop(s *subscription) {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	// A new slice, because deliver may go through the old one.
	e.subs = slices.DeleteFunc(slices.Clone(e.subs), func(other *subscription) bool { return other == s })
}

// deliver calls the subscribers with what is queued, until nothing is.
func (e *BusEnd) deliver() {
	for {
		e.bus.mu.Lock()
		if len(e.queue) == 0 || e.over {
			e.queue, e.running = nil, false
			e.bus.mu.Unlock()
			return
		}
		p := e.queue[0]
		e.queue = e.queue[1:]
		e.bus.mu.Unlock()
		if wait := time.Until(p.due); wait > 0 && !e.wait(wait) {
			continue // closed
		}
		for _, s := range e.subscribed() {
			if s.subject == p.subject && e.has(s) {
				s.f(p.data)
			}
		}
	}
}

// wait waits until a message is due. It reports false if the end was closed.
func (e *BusEnd) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.closed:
		return false
	}
}

func (e *BusEnd) subscribed() []*subscription {
	e.bus.mu.Lock()
	defer e.bus.mu.Unlock()
	return e.subs
}

// has reports whether a subscription has not been cancelled by one that was called before it.
func (e *BusEnd) has(s *subscription) bool { return slices.Contains(e.subscribed(), s) }

// Close ends the end, for good. What waits for it is lost. It does not wait for a subscriber that is running.
func (e *BusEnd) Close() {
	b := e.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.over {
		return
	}
	e.over = true
	close(e.closed)
	b.ends = slices.DeleteFunc(b.ends, func(other *BusEnd) bool { return other == e })
}
