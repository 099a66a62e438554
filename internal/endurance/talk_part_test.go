package endurance

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"noom"
)

// This file runs in the processes of members that chat.

// underWay is how long before a member notices that its hub has died a chat to it may have been on its way there.
const underWay = time.Second

// A talk is what a member says to all, 1, 2, 3, …, each with the time at which it was said, and what it hears.
type talk struct {
	reporter *reporter
	hushed   atomic.Bool

	mu     sync.Mutex
	said   uint64        // the last that was passed on
	slow   time.Duration // the longest that one took
	others map[string]*hearing
	away   [][2]time.Time // without a hub: from, until; zero: still
}

// A hearing is what was heard of one other member, by its name.
type hearing struct {
	first   uint64 // what was said before is told by others, or not at all
	newest  uint64
	saidAt  time.Time            // the newest
	at      time.Time            // when that was heard
	silence time.Duration        // the longest between two
	missing map[uint64]time.Time // what has not come, with when the one before it was said
	until   map[uint64]time.Time // and when the one after it
}

// chatNews is a report of a talk.
type chatNews struct {
	Said  uint64
	Slow  time.Duration // the longest until one was passed on
	Heard map[string]heardNews
}

// heardNews is what was heard of one other member.
type heardNews struct {
	Newest  uint64
	SaidAt  time.Time
	Silence time.Duration
	Missed  int // said while the listener had no hub
	Lost    int // and those that have not come for no such reason
}

func newTalk(r *reporter) *talk { return &talk{reporter: r, others: map[string]*hearing{}} }

// say says something all the time, so often.
func (t *talk) say(ctx context.Context, room noom.Room, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := uint64(1); ; {
		if !t.hushed.Load() {
			began := time.Now()
			if err := room.Chat(ctx, fmt.Sprintf("%d %d", n, began.UnixNano())); err != nil {
				if room.Err() == nil && ctx.Err() == nil {
					t.reporter.report(news{Event: "broken", Text: fmt.Sprintf("chat %d: %v", n, err)})
				}
				return
			}
			t.mu.Lock()
			t.said, t.slow = n, max(t.slow, time.Since(began))
			t.mu.Unlock()
			n++
		}
		select {
		case <-tick.C:
		case <-room.Done():
			return
		}
	}
}

// still lets it say nothing more.
func (t *talk) still() {
	if t != nil {
		t.hushed.Store(true)
	}
}

func (t *talk) heard(e noom.ChatReceived) {
	if t == nil {
		return
	}
	var n uint64
	var nanos int64
	if _, err := fmt.Sscan(e.Text, &n, &nanos); err != nil {
		t.reporter.report(news{Event: "broken", Text: fmt.Sprintf("%s says %q: %v", e.From.Name, e.Text, err)})
		return
	}
	saidAt, now := time.Unix(0, nanos), time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.others[e.From.Name]
	if h == nil {
		h = &hearing{first: n, newest: n - 1, saidAt: saidAt, at: now, missing: map[uint64]time.Time{}, until: map[uint64]time.Time{}}
		t.others[e.From.Name] = h
	}
	if e.History && n < h.first {
		return
	}
	if n <= h.newest {
		if _, was := h.missing[n]; !was {
			t.reporter.report(news{Event: "broken", Text: fmt.Sprintf("%s's chat %d came again", e.From.Name, n)})
		}
		delete(h.missing, n)
		return
	}
	for missing := h.newest + 1; missing < n; missing++ {
		h.missing[missing], h.until[missing] = h.saidAt, saidAt
	}
	h.silence = max(h.silence, now.Sub(h.at))
	h.newest, h.saidAt, h.at = n, saidAt, now
}

func (t *talk) lost() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.away = append(t.away, [2]time.Time{time.Now().Add(-underWay)})
}

func (t *talk) restored() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.away) - 1; last >= 0 {
		t.away[last][1] = time.Now()
	}
}

// wasAway reports whether this member had no hub at some time between two.
func (t *talk) wasAway(from, until time.Time) bool {
	for _, a := range t.away {
		if a[0].Before(until) && (a[1].IsZero() || a[1].After(from)) {
			return true
		}
	}
	return false
}

// report returns what was said and heard. A nil talk has nothing.
func (t *talk) report() *chatNews {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &chatNews{Said: t.said, Slow: t.slow, Heard: make(map[string]heardNews, len(t.others))}
	for name, h := range t.others {
		heard := heardNews{Newest: h.newest, SaidAt: h.saidAt, Silence: max(h.silence, time.Since(h.at))}
		for n, from := range h.missing {
			if t.wasAway(from, h.until[n]) {
				heard.Missed++
			} else {
				heard.Lost++
			}
		}
		c.Heard[name] = heard
	}
	return c
}
