// Package conduct bounds what one member can make us do and keep: connections, frames,
// descriptions, candidates, connectivity checks, packets. It remembers a member by id, so that
// this memory outlives the sessions, links and connections that the member can make us replace.
package conduct

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"noom/internal/data"
)

// What one member may make us do, however many sessions, epochs and connections
// it has: a burst, and then a rate per second. An honest member stays far below.
const (
	BuildBurst = 12 // connections
	BuildEvery = 2500 * time.Millisecond

	roomBuildRate  = 8 // connections for all members of a room together
	roomBuildBurst = 128

	WorkBurst       = 4000 // frames, counted by hub and in-band separately
	WorkRate        = 200
	descriptionCost = 10  // of an offer or answer, in frames
	restartCost     = 100 // of an offer or answer with new ICE credentials, in frames
	TrackCost       = 10  // of a new track, in frames

	ExcessBurst = 1000 // in-band frames above that, before the link fails
	excessRate  = 100

	RepeatBurst = 2 * data.MaxUnacked // data messages that were received before
	repeatRate  = 200

	RecordBurst = 2000 // records of the room's state
	recordRate  = 500

	nameBurst = 32 // candidates whose name has to be resolved by multicast DNS (RFC 8828)
	nameRate  = 1

	FaultPause    = 10 * time.Second // before the next connection to a member that floods us; it doubles each time
	maxFaultPause = 10 * time.Minute
	faultMemory   = time.Hour // without a fault, and the pause is FaultPause again
)

// maxConducts bounds the members that a room remembers.
const maxConducts = 4096

// Conduct is what a room remembers of one member while links, sessions and
// connections come and go: how much the member may still make us do. Time is
// passed in.
type Conduct struct {
	builds  *rate.Limiter
	ofRoom  *rate.Limiter // builds, shared by all members of the room
	births  *rate.Limiter // sessions that the member says it has
	Work    *rate.Limiter // in-band frames, descriptions and restarts
	ByHub   *rate.Limiter // frames by hub, which need not be the member's own
	excess  *rate.Limiter
	Repeats *rate.Limiter
	Lookups *rate.Limiter
	Records *rate.Limiter // of the room's state, whose signatures are checked
	Checks  *rate.Limiter // see checks.go

	mu      sync.Mutex
	faults  int       // in a row
	faulted time.Time // the last of them
}

func newConduct(ofRoom *rate.Limiter) *Conduct {
	return &Conduct{
		ofRoom:  ofRoom,
		builds:  rate.NewLimiter(rate.Every(BuildEvery), BuildBurst),
		births:  rate.NewLimiter(rate.Every(BuildEvery), BuildBurst),
		Work:    rate.NewLimiter(WorkRate, WorkBurst),
		ByHub:   rate.NewLimiter(WorkRate, WorkBurst),
		excess:  rate.NewLimiter(excessRate, ExcessBurst),
		Repeats: rate.NewLimiter(repeatRate, RepeatBurst),
		Lookups: rate.NewLimiter(nameRate, nameBurst),
		Records: rate.NewLimiter(recordRate, RecordBurst),
		Checks:  rate.NewLimiter(CheckRate, CheckBurst),
	}
}

// Build counts one more connection with the member and returns 0 if it may be
// built now; otherwise it returns how long to wait, and counts nothing.
func (c *Conduct) Build(now time.Time) time.Duration {
	wait := c.Wait(now)
	if wait == 0 {
		c.builds.AllowN(now, 1)
		c.ofRoom.AllowN(now, 1)
	}
	return wait
}

// Wait returns how long to wait before the member may have one more connection; 0: not at all.
func (c *Conduct) Wait(now time.Time) time.Duration {
	if pause := c.barred(now); pause > 0 {
		return pause
	}
	var wait time.Duration
	for _, bucket := range []*rate.Limiter{c.builds, c.ofRoom} {
		if missing := 1 - bucket.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(bucket.Limit())*float64(time.Second))+1)
		}
	}
	return wait
}

// Reborn counts a session that the member says it has now, because each asks for
// a connection. It reports false if the session is to be ignored.
func (c *Conduct) Reborn(now time.Time) bool {
	return c.barred(now) <= 0 && c.builds.TokensAt(now) >= 1 && c.births.AllowN(now, 1)
}

// barred returns how long to build no connection because the member has flooded us.
func (c *Conduct) barred(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == 0 {
		return 0
	}
	return c.faulted.Add(min(FaultPause<<min(c.faults-1, 10), maxFaultPause)).Sub(now)
}

// Fault notes that the member has flooded us.
func (c *Conduct) Fault(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults > 0 && now.Sub(c.faulted) > faultMemory {
		c.faults = 0
	}
	c.faults++
	c.faulted = now
}

// clean reports whether nothing is lost by forgetting the member.
func (c *Conduct) clean(now time.Time) bool {
	c.mu.Lock()
	faulty := c.faults > 0 && now.Sub(c.faulted) <= faultMemory
	c.mu.Unlock()
	full := func(l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) }
	return !faulty && full(c.builds) && full(c.births) && full(c.Work) && full(c.excess) && full(c.Repeats) && full(c.Lookups) && full(c.Checks)
}

// FrameVerdict is what becomes of an in-band frame.
type FrameVerdict uint8

// The verdicts.
const (
	FrameTaken   FrameVerdict = iota
	FrameDropped              // the peer's exchange sends it again
	FrameFloods               // the link has to fail
)

// Frame counts an in-band frame.
func (c *Conduct) Frame(now time.Time) FrameVerdict {
	switch {
	case c.Work.AllowN(now, 1):
		return FrameTaken
	case c.excess.AllowN(now, 1):
		return FrameDropped
	}
	return FrameFloods
}

// Described counts a description and reports whether it may be applied. restarts
// says that it has new ICE credentials.
func (c *Conduct) Described(now time.Time, restarts bool) bool {
	cost := descriptionCost
	if restarts {
		cost = restartCost
	}
	return c.Work.AllowN(now, cost)
}

// Conducts has the conduct of each member of a room, by id. The room's loop owns it.
type Conducts struct {
	known  map[string]*Conduct
	ofRoom *rate.Limiter
}

// NewConducts returns the Conducts of a new room.
func NewConducts() Conducts {
	return Conducts{known: make(map[string]*Conduct), ofRoom: rate.NewLimiter(roomBuildRate, roomBuildBurst)}
}

// Of returns a member's conduct. present reports which members are in the room, and so must not be forgotten.
func (cs Conducts) Of(id string, present func(string) bool, now time.Time) *Conduct {
	if c := cs.known[id]; c != nil {
		return c
	}
	if len(cs.known) >= maxConducts {
		cs.sweep(present, now)
	}
	c := newConduct(cs.ofRoom)
	cs.known[id] = c
	return c
}

// sweep forgets absent members: those with nothing to remember and then, if that
// is not enough, any others until a quarter of the places is free.
func (cs Conducts) sweep(present func(string) bool, now time.Time) {
	for id, c := range cs.known {
		if !present(id) && c.clean(now) {
			delete(cs.known, id)
		}
	}
	for id := range cs.known {
		if len(cs.known) < maxConducts*3/4 {
			return
		}
		if !present(id) {
			delete(cs.known, id)
		}
	}
}
