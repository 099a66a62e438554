package hub

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"noom/internal/ownership"
)

// A fleet is what a hub has of the other hubs of its cluster. It drives one [ownership.Cluster]; the rooms in which this
// hub has a part are places of the hub, each a [shared].
//
// Order is what everything hangs on. What a room publishes it publishes behind its lock. A view is given to every room,
// behind mu, before settled is published. What the backplane brings comes on one goroutine.
type fleet struct {
	hub    *Hub
	config Cluster
	self   string // its id: new for each process
	prefix string // of subjects

	numbers   atomic.Int64  // of connections
	silent    atomic.Bool   // nothing is published any longer
	questions questions     // guards itself
	done      doneQuestions // of others; owned by the goroutine of the backplane
	guesses   *guesses      // at passwords of rooms that this hub owns; guards itself
	counts    fleetCounts
	heard     heardHubs // guards itself
	notes     chan logNote

	// Behind the hub's lock, as the places are: who makes a place and who gives all places a new view are thus in an order.
	view         *ownership.View
	above        int64 // the highest number of a room that was forgotten
	far          farLists
	ownedChanges int // of the rooms that are owned here, and of their sizes

	mu         sync.Mutex // taken before a room's lock
	machine    *ownership.Cluster
	timer      *time.Timer // calls tick
	subscribed []func()    // their cancels
	over       bool
	told       toldRooms
	clocks     clocks
}

// fleetCounts are counters for [ClusterStats].
type fleetCounts struct {
	published, lost, taken, ignored atomic.Uint64
}

// newFleet joins the other hubs.
func newFleet(h *Hub, config Cluster) (*fleet, error) {
	id := make([]byte, 16)
	rand.Read(id)
	f := &fleet{hub: h, config: config, self: hex.EncodeToString(id), prefix: "noom." + config.Name + ".", far: farLists{}, guesses: newGuesses(), notes: make(chan logNote, mostNotes), clocks: clocks{}}
	f.machine = ownership.NewCluster(f.self)
	f.machine.DeadAfter(int((config.Dead + config.Beat - 1) / config.Beat))
	f.view = f.machine.View()
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.subscribe()
	if err == nil {
		err = f.beat(nil)
	}
	f.viewed() // it has no rooms to give the first view, and is settled
	if err != nil && !config.Optional {
		f.unsubscribe()
		return nil, fmt.Errorf("%w: %w", ErrBackplane, err)
	}
	if err != nil {
		f.note("backplane", "the backplane cannot be reached: this hub is alone until it can", err)
	}
	f.timer = time.AfterFunc(config.Beat, f.tick)
	return f, nil
}

// tick lets one beat pass.
func (f *fleet) tick() {
	defer f.logNotes()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	f.timer.Reset(f.config.Beat)
	if err := f.subscribe(); err != nil {
		f.note("backplane", "cannot subscribe to what other hubs say", err)
	}
	for hub := range f.heard.take() {
		f.machine.Heard(hub)
	}
	changed := f.machine.Tick()
	if changed {
		f.viewed()
	}
	places := f.places()
	for _, p := range places {
		p.tick()
	}
	_ = f.beat(gatherMarks(places))
	for _, wrong := range f.clocks.tick() {
		f.note("clock", "the clock of another hub, or that of this one, is wrong: authorisations end too early or too late", wrong)
	}
	f.tellRooms()
	f.probe()
}

// probe asks whether those hubs still run that do not beat any longer; the caller holds mu.
func (f *fleet) probe() {
	backplane, can := f.config.Backplane.(ProbingBackplane)
	if !can {
		return
	}
	for _, hub := range f.machine.Silent() {
		_ = backplane.Probe(f.prefix+"to."+hub, func() { f.doubt(hub) }) // what cannot be asked is found by silence
	}
}

func (f *fleet) doubt(hub string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over && f.machine.Doubt(hub) {
		f.viewed()
	}
}

// beat says to all hubs that this one lives; the caller holds mu.
func (f *fleet) beat(marks []ownership.Mark) error {
	m, due := f.machine.Beat(marks)
	if !due {
		return nil
	}
	m.Clock = max(0, time.Now().UnixMilli())
	return f.broadcast(&m)
}

// mostMarks is how many marks go with a beat.
const mostMarks = 256

// gatherMarks returns marks of rooms that have said something of late, and of as many others as there is room for: some
// each time, because the places are in no order.
func gatherMarks(places []*shared) []ownership.Mark {
	var marks []ownership.Mark
	for _, recent := range []bool{true, false} {
		for _, p := range places {
			if len(marks) >= mostMarks {
				return marks[:mostMarks]
			}
			marks = append(marks, p.marks(recent)...)
		}
	}
	return marks
}

// places are those of the rooms in which this hub has a part.
func (f *fleet) places() []*shared {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	list := make([]*shared, 0, len(f.hub.places))
	for _, p := range f.hub.places {
		if s, ok := p.(*shared); ok {
			list = append(list, s)
		}
	}
	return list
}

// viewed gives every room the new view, and says settled; the caller holds mu. Others learn at once how many this hub
// hears now, because they need that to agree with it.
func (f *fleet) viewed() {
	for {
		v := f.machine.View()
		f.told.anew = true // there may be hubs that have no list yet
		f.look(v)
		f.clocks.keep(v.Hubs())
		for _, p := range f.places() {
			p.viewed(v)
		}
		m, ok, changed := f.machine.Settle(v)
		if ok {
			_ = f.beat(nil)
			_ = f.broadcast(&m) // its View is in each beat too
		}
		if !changed {
			return
		}
	}
}

// look makes v the view for new places.
func (f *fleet) look(v *ownership.View) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.view = v
	if f.far.keep(v.Hubs(), f.self) {
		f.hub.relist()
	}
}

// place returns the place of a room in which this hub has a part, or nil.
func (f *fleet) place(room string) *shared {
	p, _ := f.hub.place(room).(*shared)
	return p
}

// farRooms is how many times Config.MaxRooms a hub has rooms in which only members of other hubs are: those of hubs that
// have died come to the others.
const farRooms = 16

// host returns the place of a room that another hub attaches here, and nil if there are too many.
func (f *fleet) host(room string) *shared {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	if p, ok := f.hub.places[room].(*shared); ok {
		return p
	}
	if len(f.hub.places) >= farRooms*f.hub.config.MaxRooms {
		return nil
	}
	return f.make(room)
}

// make makes a place; the caller holds the hub's lock.
func (f *fleet) make(room string) *shared {
	p := newShared(f, room, f.above, f.view)
	f.hub.places[room] = p
	return p
}

// forget forgets a place.
func (f *fleet) forget(p *shared) {
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	f.above = max(f.above, p.machine.Number())
	f.hub.recount(&p.listing, 0)
	if f.hub.places[p.name] == p {
		delete(f.hub.places, p.name)
	}
}

// end ends it all. The others are told nothing.
func (f *fleet) end() {
	f.silent.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.over = true
		f.timer.Stop()
		f.unsubscribe()
	}
}

func (f *fleet) stats() (rooms, members int, s *ClusterStats) {
	c := &f.counts
	s = &ClusterStats{
		Hubs: len(f.current().Hubs()), Published: c.published.Load(), Lost: c.lost.Load(), Taken: c.taken.Load(), Ignored: c.ignored.Load(),
	}
	f.mu.Lock()
	s.ClockApart = f.clocks.most()
	f.mu.Unlock()
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	for _, p := range f.hub.places {
		if p, ok := p.(*shared); ok && p.owned && p.count > 0 {
			rooms, members = rooms+1, members+p.count
		}
	}
	return rooms, members, s
}
