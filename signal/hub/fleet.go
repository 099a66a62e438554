package hub

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"runtime/debug"
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

	numbers   atomic.Int64 // of connections
	silent    atomic.Bool  // nothing is published any longer
	questions questions    // guards itself
	guesses   *guesses     // at passwords of rooms that this hub owns; guards itself
	counts    fleetCounts
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
}

// fleetCounts are counters for [ClusterStats].
type fleetCounts struct {
	published, lost, taken, ignored atomic.Uint64
}

// newFleet joins the other hubs.
func newFleet(h *Hub, config Cluster) (*fleet, error) {
	id := make([]byte, 16)
	rand.Read(id)
	f := &fleet{hub: h, config: config, self: hex.EncodeToString(id), prefix: "noom." + config.Name + ".", far: farLists{}, guesses: newGuesses(), notes: make(chan logNote, mostNotes)}
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

// subscribe subscribes to what is not subscribed to yet; the caller holds mu.
func (f *fleet) subscribe() error {
	all := []struct {
		subject string
		take    func(data []byte)
	}{
		{f.prefix + "beat", f.takeBeat},
		{f.prefix + "to." + f.self, f.takeOwn},
		{f.prefix + "ask." + f.self, f.takeQuestion},
		{f.prefix + "rooms", f.takeRooms},
	}
	for _, s := range all[len(f.subscribed):] {
		cancel, err := f.config.Backplane.Subscribe(s.subject, f.guarded(s.take))
		if err != nil {
			return err
		}
		f.subscribed = append(f.subscribed, cancel)
	}
	return nil
}

func (f *fleet) unsubscribe() {
	for _, cancel := range f.subscribed {
		cancel()
	}
	f.subscribed = nil
}

// guarded makes a panic the end of what was to be done about one message.
func (f *fleet) guarded(take func(data []byte)) func(data []byte) {
	return func(data []byte) {
		defer func() {
			if p := recover(); p != nil {
				f.hub.logbook.write("panic", slog.LevelError, "panic", slog.Any("why", p), slog.String("stack", string(debug.Stack())))
			}
		}()
		if !f.silent.Load() {
			take(data)
		}
	}
}

// publish sends what has been encoded.
func (f *fleet) publish(subject string, data []byte, err error) error {
	switch {
	case f.silent.Load():
		return nil
	case err == nil:
		err = f.config.Backplane.Publish(f.prefix+subject, data)
	}
	if err != nil {
		f.counts.lost.Add(1)
		f.note("backplane", "a message to other hubs is lost", err)
		return err
	}
	f.counts.published.Add(1)
	return nil
}

// send publishes a message for one hub; one that is lost is found to be, by what follows.
func (f *fleet) send(to string, m *ownership.Message) {
	data, err := m.Encode()
	_ = f.publish("to."+to, data, err)
}

func (f *fleet) broadcast(m *ownership.Message) error {
	data, err := m.Encode()
	return f.publish("beat", data, err)
}

// A logNote is a line for the log.
type logNote struct {
	kind, text string
	err        error
}

// mostNotes is how many wait for the next tick.
const mostNotes = 64

// note logs a warning at the next tick, because locks are held now, and a handler of logs is the application's.
func (f *fleet) note(kind, text string, err error) {
	select {
	case f.notes <- logNote{kind, text, err}:
	default: // what is warned of is counted too
	}
}

func (f *fleet) logNotes() {
	for {
		select {
		case n := <-f.notes:
			f.hub.logbook.write(n.kind, slog.LevelWarn, n.text, slog.Any("err", n.err))
		default:
			return
		}
	}
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
	changed := f.machine.Tick()
	if changed {
		f.viewed()
	}
	places := f.places()
	for _, p := range places {
		p.tick()
	}
	_ = f.beat(gatherMarks(places))
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

// takeBeat takes what a hub says to all.
func (f *fleet) takeBeat(data []byte) {
	m, err := ownership.Decode(data)
	if err != nil || m.Type != ownership.TypeBeat && m.Type != ownership.TypeSettled {
		f.ignore(err)
		return
	}
	if m.Hub == f.self {
		return
	}
	f.counts.taken.Add(1)
	f.mu.Lock()
	if !f.over && f.machine.Take(m) {
		f.viewed()
	}
	f.mu.Unlock()
	for _, k := range m.Marks {
		if k.To == f.self {
			f.marked(m.Hub, k)
		}
	}
}

func (f *fleet) marked(from string, k ownership.Mark) {
	if p := f.place(k.Room); p != nil {
		p.do(func() { p.run(p.machine.Marked(from, k)) })
	} else if !k.Down {
		renew := ownership.Unknown(f.self, k.Room, k.N)
		f.send(from, &renew)
	}
}

// takeOwn takes what a hub says to this one.
func (f *fleet) takeOwn(data []byte) {
	m, err := ownership.Decode(data)
	if err != nil || m.Type == ownership.TypeBeat || m.Type == ownership.TypeSettled || m.Hub == f.self {
		f.ignore(err)
		return
	}
	f.counts.taken.Add(1)
	p := f.place(m.Room)
	if p == nil && m.Type == ownership.TypeAttach {
		if p = f.host(m.Room); p == nil {
			f.ignore(fmt.Errorf("%d rooms of other hubs, the most", farRooms*f.hub.config.MaxRooms))
			return
		}
	}
	switch {
	case p != nil && p.do(func() { p.run(p.machine.Take(m)) }):
	case p != nil && m.Type == ownership.TypeAttach: // it was forgotten just now
		f.takeOwn(data)
	case m.Type == ownership.TypeEnter || m.Type == ownership.TypeFrame:
		renew := ownership.Unknown(f.self, m.Room, m.N)
		f.send(m.Hub, &renew)
	}
}

// ignore counts what is no message of a hub.
func (f *fleet) ignore(why error) {
	f.counts.ignored.Add(1)
	f.note("foreign", "what came over the backplane is not from a hub of this version", why)
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
	f.hub.mu.Lock()
	defer f.hub.mu.Unlock()
	for _, p := range f.hub.places {
		if p, ok := p.(*shared); ok && p.owned && p.count > 0 {
			rooms, members = rooms+1, members+p.count
		}
	}
	return rooms, members, s
}
