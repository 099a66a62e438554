package ownership

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"noom/internal/rendezvous"
)

// A rule of the design that a world may break, to see that it is needed.
type rule int

const (
	noRule rule = iota
	ruleBarrier
	ruleDegree
	ruleMarks
	ruleAway
	ruleBarred
	ruleChats
	ruleRestart
	ruleForget
	ruleLimit
)

// A weather says what goes wrong in a world.
type weather struct {
	hubs    int
	deaths  bool // and drains
	cuts    bool // also in one direction
	loss    bool
	stops   bool // some hubs stand still for a while, as processes that are stopped
	partial bool // some hubs stay cut off from some for a while
	broken  rule
	codec   bool // messages travel as bytes
	traced  bool
}

// A world is some hubs, one room, and members. One seed is one course of events.
type world struct {
	weather
	*rand.Rand
	name    string
	limit   int
	now     int // ticks
	hubs    []*hub
	members []*member
	cut     map[[2]int]bool
	flying  map[[2]int][]*Message
	conn    int64
	process int
	chats   []*chat
	lockSet bool // it was asked for
	lock    memoryOf
	kicks   map[string]*memoryOf
	faults  []string
	lines   []string
	healed  int
	well    bool // nothing is lost any longer
	quiet   bool // nobody dials
}

// A chat was asked for by a member, and said once an owner took it.
type chat struct {
	id   string
	said int // ticks; 0: not yet
	says int // how often: members say again what was not confirmed
	memoryOf
}

// A memoryOf is who knows of a lock or a kick. It must not vanish while a hub lives that knew.
type memoryOf struct {
	on    bool
	known []string
}

func newWorld(seed uint64, weather weather) *world {
	w := &world{
		weather: weather, Rand: rand.New(rand.NewPCG(seed, 1)), name: fmt.Sprintf("room %d", seed),
		cut: map[[2]int]bool{}, flying: map[[2]int][]*Message{}, kicks: map[string]*memoryOf{},
	}
	w.limit = 4 + w.IntN(3)
	for i := range weather.hubs {
		w.hubs = append(w.hubs, nil)
		w.start(i)
	}
	w.ticks(6)
	for range 4 {
		w.arrive()
	}
	w.ticks(6)
	return w
}

func (w *world) breaks(r rule) bool { return w.broken == r }

func (w *world) say(format string, args ...any) {
	if w.traced {
		w.lines = append(w.lines, fmt.Sprintf("%4d ", w.now)+fmt.Sprintf(format, args...))
	}
}

func (w *world) fail(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
	w.say("BAD: "+format, args...)
}

func (w *world) start(i int) {
	w.process++
	id := fmt.Sprintf("%016x%016x", rendezvous.Mix(w.Uint64()), w.process)
	w.hubs[i] = &hub{w: w, i: i, id: id, alive: true, cluster: NewCluster(id), conns: map[int64]*socket{}}
	w.say("%v starts", w.hubs[i])
	w.hubs[i].viewed()
}

func (w *world) kill(i int) {
	h := w.hubs[i]
	h.alive, h.stopped, h.missed = false, 0, nil
	w.say("%v is killed", h)
	for _, conn := range h.sorted() {
		if s := h.conns[conn]; s.live() {
			s.member.leave(1 + w.IntN(3))
		}
	}
	dead := []string{h.id}
	for _, o := range w.hubs { // one without members may forget, because it has handed over to h
		if o != nil && o.room != nil && o.room.owner == h.id && !slices.ContainsFunc(o.room.conns, func(c *client) bool { return c.member }) {
			dead = append(dead, o.id)
		}
	}
	for _, k := range w.memories() {
		k.known = slices.DeleteFunc(k.known, func(id string) bool { return slices.Contains(dead, id) })
		k.on = k.on && len(k.known) > 0
	}
}

func (w *world) memories() []*memoryOf {
	all := []*memoryOf{&w.lock}
	for _, k := range w.kicks {
		all = append(all, k)
	}
	for _, c := range w.chats {
		all = append(all, &c.memoryOf)
	}
	return all
}

func (w *world) arrive() {
	w.members = append(w.members, &member{w: w, id: fmt.Sprintf("m%d", len(w.members)), links: map[string]bool{}, got: map[string]int{}, redial: w.now + w.IntN(3), stranger: w.lock.on})
}

func (w *world) member(id string) *member {
	return w.members[slices.IndexFunc(w.members, func(m *member) bool { return m.id == id })]
}

// The bus.

func (w *world) broadcast(h *hub, m *Message) {
	for _, o := range w.hubs {
		if o != nil && o != h && o.alive {
			w.put(h, o, m)
		}
	}
}

func (w *world) send(h *hub, to string, m *Message) {
	if m.State != nil && m.Type == TypeAttach {
		c := *m
		c.State = w.spoiled(*m.State)
		m = &c
	}
	for _, o := range w.hubs {
		if o.id == to && o.alive {
			w.put(h, o, m)
		}
	}
}

// spoiled is a copy without what a broken rule does not pass on.
func (w *world) spoiled(s State) *State {
	switch w.broken {
	case ruleBarred:
		s.Barred = nil
	case ruleChats:
		s.Chats = nil
	default:
	}
	return &s
}

func (w *world) reason(r string) string {
	if w.breaks(ruleRestart) && r == ReasonRestart {
		return "replaced"
	}
	return r
}

func (w *world) put(from, to *hub, m *Message) {
	if w.cut[[2]int{from.i, to.i}] {
		return
	}
	if w.loss && !w.well && w.IntN(25) == 0 {
		w.say("lost: %s from %v to %v", m.Type, from, to)
		return
	}
	if w.codec {
		data, err := m.Encode()
		if err == nil {
			m, err = Decode(data)
		}
		if err != nil {
			w.fail("%v: %v", from, err)
			return
		}
	}
	key := [2]int{from.i, to.i}
	w.flying[key] = append(w.flying[key], m)
}

// pump delivers some of what is under way: in order between two hubs, in any order otherwise.
func (w *world) pump(rounds int) {
	for range rounds {
		for _, k := range w.Perm(len(w.hubs) * len(w.hubs)) {
			key := [2]int{k / len(w.hubs), k % len(w.hubs)}
			for range w.IntN(len(w.flying[key]) + 1) {
				if len(w.flying[key]) == 0 {
					break
				}
				m := w.flying[key][0]
				w.flying[key] = w.flying[key][1:]
				if h := w.hubs[key[1]]; h.alive {
					h.take(m)
				}
			}
		}
	}
}

func (w *world) ticks(n int) {
	for range n {
		w.now++
		for _, i := range w.Perm(len(w.hubs)) {
			if h := w.hubs[i]; h.stopped > 0 {
				h.goOn()
			} else if h.alive {
				h.tick()
				w.pump(w.IntN(2))
			}
		}
		w.pump(6)
		for _, m := range w.members {
			w.redial(m)
		}
		w.pump(3)
		w.remember()
	}
}

// torn reports whether hubs may have known nothing of each other.
func (w *world) torn() bool { return w.cuts || w.loss || w.stops }

func (w *world) redial(m *member) {
	if m.conn != 0 || w.now < m.redial || w.quiet {
		return
	}
	var up []*hub
	for _, h := range w.hubs {
		if h.alive && h.draining == 0 && h.stopped == 0 {
			up = append(up, h)
		}
	}
	if len(up) == 0 {
		return
	}
	w.conn++
	m.hub, m.conn, m.in = up[w.IntN(len(up))], w.conn, false
	w.say("%s dials %v as %d", m.id, m.hub, m.conn)
	m.hub.dial(m, m.conn, w.IntN(2) == 0)
}

// What is to be known of the room.

// stepped notes what the owner has carried out.
func (w *world) stepped(h *hub, by, frame string) {
	w.say("%v: %s from %s", h, frame, by)
	verb, argument, _ := strings.Cut(frame, " ")
	switch verb {
	case "chat":
		c := w.chats[slices.IndexFunc(w.chats, func(c *chat) bool { return c.id == argument })]
		if c.says++; c.said == 0 {
			c.said, c.memoryOf = w.now, memoryOf{true, []string{h.id}}
		}
	case "unlock":
		w.lock.on = false
	case "lock":
		w.lock = memoryOf{true, []string{h.id}}
		for _, s := range h.step.seats {
			m := w.member(s.ID)
			m.locked = m.in && m.conn == s.Conn.Conn
		}
	case "kick":
		if h.step.has(h.step.memory.Barred, argument) {
			w.kicks[argument] = &memoryOf{true, []string{h.id}}
			w.member(argument).kicked = true
		}
	}
}

// over notes that a room has ended for good, and with it what it remembered.
func (w *world) over(s *roomStep) {
	w.say("the room is over, locked %v", s.memory.Locked)
	if s.memory.Locked {
		w.lock.on = false
	}
	for _, p := range s.memory.Barred {
		w.kicks[p.ID].on = false
	}
	for _, c := range w.chats {
		c.on = false
	}
	if !w.torn() {
		return
	}
	for _, k := range w.kicks { // the room may have gone on elsewhere; it is over for those who come from there
		k.on = false
	}
}

// entered checks whom an owner has let in.
func (w *world) entered(h *hub, s Seat) {
	if m := w.member(s.ID); m.stranger && w.lock.on && !w.torn() {
		w.fail("%v lets the stranger %s in, though %v know of the lock", h, s.ID, w.lock.known)
	}
}

// remember notes who knows what, and that nobody who lives has forgotten.
func (w *world) remember() {
	w.knows(&w.lock, "the lock", func(s *State) bool { return s.Locked }, !w.torn())
	for _, id := range w.ids() {
		w.knows(w.kicks[id], "the kick of "+id, func(s *State) bool { return s.bars(id) }, true)
	}
	for _, c := range w.chats {
		w.knows(&c.memoryOf, "chat "+c.id, func(s *State) bool {
			return slices.ContainsFunc(s.Chats, func(kept Chat) bool { return kept.ID == c.id })
		}, true)
	}
}

func (w *world) ids() []string {
	var ids []string
	for _, m := range w.members {
		if w.kicks[m.id] != nil {
			ids = append(ids, m.id)
		}
	}
	return ids
}

func (w *world) knows(k *memoryOf, what string, has func(*State) bool, strict bool) {
	if !k.on {
		return
	}
	var now []string
	for _, h := range w.hubs {
		if h.alive && h.has(has) {
			now = append(now, h.id)
		}
	}
	if len(now) == 0 {
		k.on = false
		if strict {
			w.fail("%s is forgotten: %.4s knew of it", what, k.known)
		}
	}
	k.known = now
}

// has reports whether a hub has something as an edge, as the owner, or in a copy that waits for the room to open.
func (h *hub) has(what func(*State) bool) bool {
	if h.room == nil {
		return false
	}
	o := h.room.owned
	return what(&h.room.copied) || o != nil && (what(&o.state) || slices.ContainsFunc(o.edges, func(e *edge) bool { return what(&e.state) }))
}

func (s *State) bars(id string) bool {
	return slices.ContainsFunc(s.Barred, func(p Person) bool { return p.ID == id })
}
