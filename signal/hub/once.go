package hub

import (
	"sync"
	"time"

	"noom/signal"
)

// mostOnces is how many of what is good for one member are remembered.
const mostOnces = 100_000

// maxOnce is how many bytes the name of one may have.
const maxOnce = 256

// onces remember for which member something is that admits one alone, [Grant.Once]: at the hub that has the room, which all
// members of that pass. A room that moves takes along what its members came in with. They guard themselves.
type onces struct {
	mu    sync.Mutex
	bound map[once]boundOnce
}

// A once is what admits one member to a room.
type once struct{ room, name string }

type boundOnce struct {
	member string
	until  time.Time
}

// bind reserves what admits one member for the first that comes with it.
func (o *onces) bind(what once, member string, until, now time.Time) *signal.Error {
	if what.name == "" {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if old, ok := o.bound[what]; ok && now.Before(old.until) {
		if old.member != member {
			return signal.Errorf(signal.CodeRefused, signal.TypeJoin, "the token already belongs to another member")
		}
		return nil
	}
	if len(o.bound) >= mostOnces {
		o.sweep(now)
	}
	if len(o.bound) >= mostOnces {
		return signal.Errorf(signal.CodeRefused, signal.TypeJoin, "too many tokens are in use; make them live shorter")
	}
	if o.bound == nil {
		o.bound = make(map[once]boundOnce)
	}
	o.bound[what] = boundOnce{member, until}
	return nil
}

func (o *onces) sweep(now time.Time) {
	for what, b := range o.bound {
		if !now.Before(b.until) {
			delete(o.bound, what)
		}
	}
}
