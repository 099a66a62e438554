package hub

import (
	"net/netip"
	"sync"
	"time"

	"noom/signal"
)

// A gate holds back members that join and leave again and again, because each join makes everyone
// in the room build a connection. It remembers by member and room and by address, which outlive
// connections and rooms. It guards itself; a home may hold its own lock meanwhile.
type gate struct {
	mu      sync.Mutex
	ids     throttle[membership]
	near    throttle[netip.Prefix]
	bounded bool // by address
}

// A membership is a member in a room, whether it is there or not.
type membership struct{ room, id string }

// joinsPerID is how fast one member may join one room.
var joinsPerID = pace{16, time.Second}

// newGate lets from one address as many join at once as may be connected, 64 at least, and
// then a 64th of that a second.
func newGate(perAddress int) *gate {
	return &gate{
		ids:     throttle[membership]{pace: joinsPerID},
		near:    throttle[netip.Prefix]{pace: pacePerAddress(perAddress)},
		bounded: perAddress >= 0,
	}
}

// pacePerAddress is how fast members come and go from one address that may have so many connections.
func pacePerAddress(most int) pace {
	return pace{float64(max(most, 64)), time.Second / time.Duration(max(most/64, 1))}
}

// joinsPerRoom is how fast a room of so many places can be joined, by all together.
func joinsPerRoom(places int) pace {
	return pace{float64(64 + 2*places), time.Second / time.Duration(max(places/4, 1))}
}

// take counts a join, and says when it may happen; ok is false if that is later than most. A member
// that comes back to a place that it has just lost is counted by its id alone.
func (g *gate) take(who membership, from netip.Addr, back bool, now time.Time, most time.Duration) (wait time.Duration, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	giveBack, wait, ok := g.ids.take(who, now, most)
	near, counts := neighbourhood(from)
	if !ok || back || !counts || !g.bounded {
		return wait, ok
	}
	_, longer, ok := g.near.take(near, now, most)
	if !ok {
		giveBack()
	}
	return max(wait, longer), ok
}

// tooEarly refuses a join for some time.
func tooEarly(wait time.Duration) *signal.Error {
	e := signal.Errorf(signal.CodeTooMany, signal.TypeJoin, "too many join and leave; try again in %v", wait.Round(time.Second))
	e.RetryAfter = max(wait, time.Second)
	return e
}
