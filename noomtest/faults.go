package noomtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"noom/signal"
)

// Frames says which signaling frames a fault is about. A field left empty
// matches all.
//
// Frames between members ([signal.Type.Pair]) are From and To hosts, and are
// looked at when they are sent; all others are from or to [HubName]. Frames
// that travel inside the connection between two members are out of reach, as
// they are for everybody else on the way.
type Frames struct {
	From, To string // names of hosts, or HubName
	Type     signal.Type
	Nth      int // 1 is the first that fits, 2 the second, …; 0: every one
}

// HubName is what hubs are called in [Frames].
const HubName = "hub"

func (f Frames) String() string {
	or := func(s, otherwise string) string {
		if s == "" {
			return otherwise
		}
		return s
	}
	which := "every"
	if f.Nth > 0 {
		which = fmt.Sprint("number ", f.Nth, " of")
	}
	return fmt.Sprintf("%s %s from %s to %s", which, or(string(f.Type), "frame"), or(f.From, "anybody"), or(f.To, "anybody"))
}

// Fault is something that goes wrong on the way to or from the hub. One that
// has hit nothing by the end of the test fails it, unless it is Optional.
type Fault struct {
	world  *World
	verb   string
	frames Frames
	do     func(f *Fault, m signal.Message, put func(m signal.Message, extra time.Duration))

	// Guarded by world.faults.mu.
	fits, hits int
	optional   bool
	stopped    bool
	held       []func()
	released   bool
}

// Drop loses frames. Members repeat frames to each other until they have arrived. A frame between a
// member and a hub is sent once, because a connection to the hub loses nothing while it lasts: a
// dropped welcome makes a member that others never see.
func (w *World) Drop(f Frames) *Fault {
	w.t.Helper()
	return w.addFault("drop", f, func(*Fault, signal.Message, func(signal.Message, time.Duration)) {})
}

// Delay holds frames back for d; others overtake them.
func (w *World) Delay(f Frames, d time.Duration) *Fault {
	w.t.Helper()
	return w.addFault(fmt.Sprintf("delay by %v", d), f, func(_ *Fault, m signal.Message, put func(signal.Message, time.Duration)) {
		put(m, d)
	})
}

// Repeat delivers frames times more than once.
func (w *World) Repeat(f Frames, times int) *Fault {
	w.t.Helper()
	return w.addFault("repeat", f, func(_ *Fault, m signal.Message, put func(signal.Message, time.Duration)) {
		for range times + 1 {
			put(m, 0)
		}
	})
}

// Hold keeps frames until [Fault.Release].
func (w *World) Hold(f Frames) *Fault {
	w.t.Helper()
	return w.addFault("hold", f, func(f *Fault, m signal.Message, put func(signal.Message, time.Duration)) {
		if f.released {
			put(m, 0)
			return
		}
		f.held = append(f.held, func() { put(m, 0) })
	})
}

// Release lets the frames go that a Hold keeps, in their order, and keeps no more.
func (f *Fault) Release() {
	f.world.faults.mu.Lock()
	defer f.world.faults.mu.Unlock()
	f.world.note("fault: %d held frames released", len(f.held))
	for _, put := range f.held {
		put()
	}
	f.held, f.released = nil, true
}

// Stop ends the fault. What a Hold has kept is lost, as if dropped.
func (f *Fault) Stop() {
	f.world.faults.mu.Lock()
	defer f.world.faults.mu.Unlock()
	f.stopped, f.held = true, nil
}

// Hits returns how many frames the fault has hit.
func (f *Fault) Hits() int {
	f.world.faults.mu.Lock()
	defer f.world.faults.mu.Unlock()
	return f.hits
}

// Optional says that the fault need not hit anything, as one drawn at random
// may not. It returns the fault.
func (f *Fault) Optional() *Fault {
	f.world.faults.mu.Lock()
	defer f.world.faults.mu.Unlock()
	f.optional = true
	return f
}

// faults is what goes wrong in signaling.
type faults struct {
	world *World

	mu   sync.Mutex
	list []*Fault
	seen []Frames // each kind of frame once
}

func (w *World) addFault(verb string, frames Frames, do func(*Fault, signal.Message, func(signal.Message, time.Duration))) *Fault {
	w.t.Helper()
	w.alive(verb)
	if frames.Type != "" && !slices.Contains(allTypes, frames.Type) {
		w.t.Fatalf("noomtest: %s: there are no frames of type %q; use a constant of package signal, such as signal.TypeAnswer", verb, frames.Type)
	}
	f := &Fault{world: w, verb: verb, frames: frames, do: do}
	w.faults.mu.Lock()
	defer w.faults.mu.Unlock()
	w.faults.list = append(w.faults.list, f)
	w.note("fault: %s %s", verb, frames)
	return f
}

var allTypes = []signal.Type{
	signal.TypeJoin, signal.TypeProof, signal.TypeRename, signal.TypeChallenge, signal.TypeJoined, signal.TypeWelcome,
	signal.TypeRenamed, signal.TypeChat, signal.TypeSaid, signal.TypeBye, signal.TypeServers, signal.TypeError, signal.TypePing, signal.TypePong,
	signal.TypeOffer, signal.TypeAnswer, signal.TypeCandidates, signal.TypeAsk, signal.TypeGrant, signal.TypeTable,
	signal.TypeWants, signal.TypeAck, signal.TypeStale, signal.TypeLeft,
}

// up takes a frame that l's host sends.
func (s *faults) up(l *line, m signal.Message) {
	to := HubName
	if m.Pair() {
		to = l.world.hostOf(m.To)
	}
	s.pass(l.up, m, Frames{From: l.host.name, To: to, Type: m.Type})
}

// down takes a frame that a hub sends to l's host.
func (s *faults) down(l *line, m signal.Message) {
	if m.Pair() {
		l.down.put(m, 0) // was looked at on its way up
		return
	}
	s.pass(l.down, m, Frames{From: HubName, To: l.host.name, Type: m.Type})
}

func (s *faults) pass(way *lane, m signal.Message, what Frames) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.seen, what) {
		s.seen = append(s.seen, what)
	}
	for _, f := range s.list {
		if f.stopped || !f.frames.covers(what) {
			continue
		}
		if f.fits++; f.frames.Nth != 0 && f.fits != f.frames.Nth {
			continue
		}
		f.hits++
		s.world.note("fault: %s %s from %s to %s", f.verb, m.Type, what.From, what.To)
		f.do(f, m, way.put)
		return
	}
	way.put(m, 0)
}

func (f Frames) covers(what Frames) bool {
	fits := func(want, is string) bool { return want == "" || want == is }
	return fits(f.From, what.From) && fits(f.To, what.To) && fits(string(f.Type), string(what.Type))
}

// holding lists the faults that hold frames back now.
func (s *faults) holding() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, f := range s.list {
		if n := len(f.held); n > 0 {
			list = append(list, fmt.Sprintf("%d frames are held by hold %s: call Release", n, f.frames))
		}
	}
	return list
}

// missed says of each fault that hit nothing what to change.
func (s *faults) missed() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, f := range s.list {
		if f.hits > 0 || f.optional {
			continue
		}
		line := fmt.Sprintf("the fault %q hit nothing", f.verb+" "+f.frames.String())
		switch near := s.near(f.frames); {
		case f.fits > 0:
			line += fmt.Sprintf(": only %d such frames went by; lower Nth", f.fits)
		case len(near) > 0:
			line += ": what went by was " + strings.Join(near, "; ")
		default:
			line += ": nothing was sent between hosts of these names; the hosts are " + strings.Join(s.world.hostNames(), ", ")
		}
		list = append(list, line+". Set a fault before the frames are sent, and mind that frames between connected members do not go by hub; or call Optional")
	}
	return list
}

// near lists what went the way that f speaks of.
func (s *faults) near(f Frames) []string {
	f.Type = ""
	var list []string
	for _, what := range s.seen {
		if f.covers(what) && what.Type != signal.TypePing && what.Type != signal.TypePong {
			list = append(list, fmt.Sprintf("%s from %s to %s", what.Type, what.From, what.To))
		}
	}
	return list
}
