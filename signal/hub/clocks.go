package hub

import (
	"fmt"
	"time"
)

// clocks are those of the other hubs, as their beats say. Nothing between hubs is timed by them; but the end of an
// authorisation is a time, which each hub judges by its own clock, and a chat has the time of the hub that has the room.
// They are owned by the fleet, behind its lock.
type clocks map[string]*farClock

// A farClock is the clock of another hub.
type farClock struct {
	ahead time.Duration // of this hub's, when its last beat came
	ticks int           // for which that was too much
}

const (
	mostApart  = 10 * time.Second // what a clock may be ahead or behind, and a beat late
	apartTicks = 4                // for which it must be: to a hub that has stood still what has waited for it comes first
)

// note takes what the clock of a hub said when it sent a beat that comes now.
func (c clocks) note(hub string, sent int64, now time.Time) {
	k := c[hub]
	if sent == 0 || k == nil {
		return // of an older version, or not in the view
	}
	k.ahead = time.UnixMilli(sent).Sub(now)
}

// keep forgets the hubs that do not live.
func (c clocks) keep(hubs []string) {
	live := make(map[string]bool, len(hubs))
	for _, hub := range hubs {
		live[hub] = true
		if c[hub] == nil {
			c[hub] = &farClock{}
		}
	}
	for hub := range c {
		if !live[hub] {
			delete(c, hub)
		}
	}
}

// tick lets one beat pass. It returns what is to be warned of: each clock once, as long as it is wrong.
func (c clocks) tick() (wrong []error) {
	for hub, k := range c {
		switch {
		case k.ahead.Abs() <= mostApart:
			k.ticks = 0
		case k.ticks < apartTicks:
			if k.ticks++; k.ticks == apartTicks {
				wrong = append(wrong, fmt.Errorf("hub %s is %v", hub, k))
			}
		}
	}
	return wrong
}

func (k *farClock) String() string {
	apart := k.ahead.Round(time.Second)
	if apart < 0 {
		return fmt.Sprintf("%v behind", -apart)
	}
	return fmt.Sprintf("%v ahead", apart)
}

// most is how far the clock is ahead that differs most; negative: it is behind.
func (c clocks) most() (apart time.Duration) {
	for _, k := range c {
		if k.ahead.Abs() > apart.Abs() {
			apart = k.ahead
		}
	}
	return apart
}
