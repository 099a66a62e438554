package noom

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// What one member may make us do, whatever ids its sessions, epochs and
// connections have: so much at once, and so much a second from there on.
// An honest member stays far below.
const (
	buildBurst = 12 // connections
	buildEvery = 2500 * time.Millisecond

	buildsOfAll = 8 // a second, of all members of a room together
	burstOfAll  = 128

	workBurst       = 4000 // frames taken by one way, by hub or in-band
	workRate        = 200
	descriptionCost = 10  // of an offer or answer, in frames
	restartCost     = 100 // of new ICE credentials, likewise
	trackCost       = 10  // of a track that was not there

	excessBurst = 1000 // frames in-band above that, before the link fails
	excessRate  = 100

	repeatBurst = 2 * maxUnackedMessages // data messages that say nothing new
	repeatRate  = 200

	nameBurst = 32 // candidates whose name has to be asked for, by multicast (RFC 8828)
	nameRate  = 1

	faultPause    = 10 * time.Second // before the next connection to who floods us; then twice as long each time
	maxFaultPause = 10 * time.Minute
	faultMemory   = time.Hour // without another one, until it starts at faultPause again
)

// maxConducts bounds the members whose conduct a room remembers.
const maxConducts = 4096

// conduct is what a room remembers of a member id while links, sessions and
// connections come and go: how much the member may still make us do. Time is
// passed in.
type conduct struct {
	builds  *rate.Limiter
	ofAll   *rate.Limiter // the room's
	births  *rate.Limiter // sessions that it says it has
	work    *rate.Limiter // frames in-band, descriptions and restarts
	byHub   *rate.Limiter // frames by hub, which need not be the member's own
	excess  *rate.Limiter
	repeats *rate.Limiter
	lookups *rate.Limiter
	checks  *rate.Limiter // see checks.go

	mu      sync.Mutex
	faults  int       // in a row
	faulted time.Time // the last of them
}

func newConduct(ofAll *rate.Limiter) *conduct {
	return &conduct{
		ofAll:   ofAll,
		builds:  rate.NewLimiter(rate.Every(buildEvery), buildBurst),
		births:  rate.NewLimiter(rate.Every(buildEvery), buildBurst),
		work:    rate.NewLimiter(workRate, workBurst),
		byHub:   rate.NewLimiter(workRate, workBurst),
		excess:  rate.NewLimiter(excessRate, excessBurst),
		repeats: rate.NewLimiter(repeatRate, repeatBurst),
		lookups: rate.NewLimiter(nameRate, nameBurst),
		checks:  rate.NewLimiter(checkRate, checkBurst),
	}
}

// build asks for one more connection with the member: 0 if it may be built
// now, which counts it, else how long to wait.
func (c *conduct) build(now time.Time) time.Duration {
	wait := c.wait(now)
	if wait == 0 {
		c.builds.AllowN(now, 1)
		c.ofAll.AllowN(now, 1)
	}
	return wait
}

// wait returns how long to wait before one more connection with the member, 0: not at all.
func (c *conduct) wait(now time.Time) time.Duration {
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

// reborn counts a session that the member says it has now, each of which asks
// for a connection; false: it is not to be heeded.
func (c *conduct) reborn(now time.Time) bool {
	return c.barred(now) <= 0 && c.builds.TokensAt(now) >= 1 && c.births.AllowN(now, 1)
}

// barred returns for how long no connection is to be built, for the member has
// flooded us.
func (c *conduct) barred(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults == 0 {
		return 0
	}
	return c.faulted.Add(min(faultPause<<min(c.faults-1, 10), maxFaultPause)).Sub(now)
}

// fault notes that the member has flooded us.
func (c *conduct) fault(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults > 0 && now.Sub(c.faulted) > faultMemory {
		c.faults = 0
	}
	c.faults++
	c.faulted = now
}

// clean reports whether nothing is lost by forgetting the member.
func (c *conduct) clean(now time.Time) bool {
	c.mu.Lock()
	faulty := c.faults > 0 && now.Sub(c.faulted) <= faultMemory
	c.mu.Unlock()
	full := func(l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) }
	return !faulty && full(c.builds) && full(c.births) && full(c.work) && full(c.excess) && full(c.repeats) && full(c.lookups) && full(c.checks)
}

// frameVerdict is what becomes of a frame that came in-band.
type frameVerdict uint8

const (
	frameTaken   frameVerdict = iota
	frameDropped              // the exchange brings it back
	frameFloods               // the link is to fail
)

// frame counts a frame that came in-band.
func (c *conduct) frame(now time.Time) frameVerdict {
	switch {
	case c.work.AllowN(now, 1):
		return frameTaken
	case c.excess.AllowN(now, 1):
		return frameDropped
	}
	return frameFloods
}

// described counts a description; restarts says that it has new ICE credentials.
func (c *conduct) described(now time.Time, restarts bool) bool {
	cost := descriptionCost
	if restarts {
		cost = restartCost
	}
	return c.work.AllowN(now, cost)
}

// conducts are those of a room's members, by id. The room's loop owns them.
type conducts struct {
	known map[string]*conduct
	ofAll *rate.Limiter
}

func newConducts() conducts {
	return conducts{known: make(map[string]*conduct), ofAll: rate.NewLimiter(buildsOfAll, burstOfAll)}
}

// of returns a member's; present says who is in the room, and so must not be forgotten.
func (cs conducts) of(id string, present func(string) bool, now time.Time) *conduct {
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
func (cs conducts) sweep(present func(string) bool, now time.Time) {
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
