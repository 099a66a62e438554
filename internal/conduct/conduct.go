// Package conduct bounds what one member can make us do, and keep: connections, frames,
// descriptions, candidates, checks, packets. What it knows of a member goes by the member's id, and
// outlives the sessions, links and connections that the member can make us throw away.
package conduct

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"noom/internal/data"
)

// What one member may make us do, whatever ids its sessions, epochs and
// connections have: so much at once, and so much a second from there on.
// An honest member stays far below.
const (
	BuildBurst = 12 // connections
	BuildEvery = 2500 * time.Millisecond

	buildsOfAll = 8 // a second, of all members of a room together
	burstOfAll  = 128

	WorkBurst       = 4000 // frames taken by one way, by hub or in-band
	WorkRate        = 200
	descriptionCost = 10  // of an offer or answer, in frames
	restartCost     = 100 // of new ICE credentials, likewise
	TrackCost       = 10  // of a track that was not there

	ExcessBurst = 1000 // frames in-band above that, before the link fails
	excessRate  = 100

	RepeatBurst = 2 * data.MaxUnacked // data messages that say nothing new
	repeatRate  = 200

	nameBurst = 32 // candidates whose name has to be asked for, by multicast (RFC 8828)
	nameRate  = 1

	FaultPause    = 10 * time.Second // before the next connection to who floods us; then twice as long each time
	maxFaultPause = 10 * time.Minute
	faultMemory   = time.Hour // without another one, until it starts at faultPause again
)

// maxConducts bounds the members whose conduct a room remembers.
const maxConducts = 4096

// Conduct is what a room remembers of a member id while links, sessions and
// connections come and go: how much the member may still make us do. Time is
// passed in.
type Conduct struct {
	builds  *rate.Limiter
	ofAll   *rate.Limiter // the room's
	births  *rate.Limiter // sessions that it says it has
	Work    *rate.Limiter // frames in-band, descriptions and restarts
	ByHub   *rate.Limiter // frames by hub, which need not be the member's own
	excess  *rate.Limiter
	Repeats *rate.Limiter
	Lookups *rate.Limiter
	Checks  *rate.Limiter // see checks.go

	mu      sync.Mutex
	faults  int       // in a row
	faulted time.Time // the last of them
}

func newConduct(ofAll *rate.Limiter) *Conduct {
	return &Conduct{
		ofAll:   ofAll,
		builds:  rate.NewLimiter(rate.Every(BuildEvery), BuildBurst),
		births:  rate.NewLimiter(rate.Every(BuildEvery), BuildBurst),
		Work:    rate.NewLimiter(WorkRate, WorkBurst),
		ByHub:   rate.NewLimiter(WorkRate, WorkBurst),
		excess:  rate.NewLimiter(excessRate, ExcessBurst),
		Repeats: rate.NewLimiter(repeatRate, RepeatBurst),
		Lookups: rate.NewLimiter(nameRate, nameBurst),
		Checks:  rate.NewLimiter(CheckRate, CheckBurst),
	}
}

// Build asks for one more connection with the member: 0 if it may be built
// now, which counts it, else how long to wait.
func (c *Conduct) Build(now time.Time) time.Duration {
	wait := c.Wait(now)
	if wait == 0 {
		c.builds.AllowN(now, 1)
		c.ofAll.AllowN(now, 1)
	}
	return wait
}

// Wait returns how long to wait before one more connection with the member, 0: not at all.
func (c *Conduct) Wait(now time.Time) time.Duration {
	if pause := c.barred(now); pause > 0 {
		return pause
	}
	var wait time.Duration
	for _, bucket := range []*rate.Limiter{c.builds, c.ofAll} {
		if missing := 1 - bucket.TokensAt(now); missing > 0 {
			wait = max(wait, time.Duration(missing/float64(bucket.Limit())*float64(time.Second))+1)
		}
	}
	return wait
}

// Reborn counts a session that the member says it has now, each of which asks
// for a connection; false: it is not to be heeded.
func (c *Conduct) Reborn(now time.Time) bool {
	return c.barred(now) <= 0 && c.builds.TokensAt(now) >= 1 && c.births.AllowN(now, 1)
}

// barred returns for how long no connection is to be built, for the member has
// flooded us.
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

// FrameVerdict is what becomes of a frame that came in-band.
type FrameVerdict uint8

// The verdicts.
const (
	FrameTaken   FrameVerdict = iota
	FrameDropped              // the exchange brings it back
	FrameFloods               // the link is to fail
)

// Frame counts a frame that came in-band.
func (c *Conduct) Frame(now time.Time) FrameVerdict {
	switch {
	case c.Work.AllowN(now, 1):
		return FrameTaken
	case c.excess.AllowN(now, 1):
		return FrameDropped
	}
	return FrameFloods
}

// Described counts a description; restarts says that it has new ICE credentials.
func (c *Conduct) Described(now time.Time, restarts bool) bool {
	cost := descriptionCost
	if restarts {
		cost = restartCost
	}
	return c.Work.AllowN(now, cost)
}

// Conducts are those of a room's members, by id. The room's loop owns them.
type Conducts struct {
	known map[string]*Conduct
	ofAll *rate.Limiter
}

// NewConducts returns those of a room that nobody has entered yet.
func NewConducts() Conducts {
	return Conducts{known: make(map[string]*Conduct), ofAll: rate.NewLimiter(buildsOfAll, burstOfAll)}
}

// Of returns a member's; present says who is in the room, and so must not be forgotten.
func (cs Conducts) Of(id string, present func(string) bool, now time.Time) *Conduct {
	if c := cs.known[id]; c != nil {
		return c
	}
	if len(cs.known) >= maxConducts {
		cs.sweep(present, now)
	}
	c := newConduct(cs.ofAll)
	cs.known[id] = c
	return c
}

// sweep forgets the absent: all of whom nothing is lost, or else a quarter of them all.
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
