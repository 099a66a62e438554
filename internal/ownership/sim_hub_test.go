package ownership

import (
	"fmt"
	"slices"
)

// A hub is the shipped machines, and around them the driver: what a real one does, without a clock and a network.
type hub struct {
	w        *world
	i        int // its machine's name; id is that of the process
	id       string
	alive    bool
	draining int // ticks
	cluster  *Cluster
	room     *Room // nil: forgotten
	above    int64
	step     *roomStep // nil: not the owner
	conns    map[int64]*socket
	paused   bool
	held     []spoken // frames that nobody has read, because the room had no owner
	queue    []Action
	running  bool
	stopped  int      // ticks for which it stands still
	missed   []func() // what its members did meanwhile
}

// stop lets the hub stand still. Its sockets and what comes over the bus wait.
func (h *hub) stop(ticks int) {
	if h.alive && h.stopped == 0 {
		h.w.say("%v stops for %d", h, ticks)
		h.stopped = ticks
	}
}

// goOn lets one tick pass of those for which the hub stands still.
func (h *hub) goOn() {
	if h.stopped--; h.stopped > 0 {
		return
	}
	h.w.say("%v goes on", h)
	missed := h.missed
	h.missed = nil
	for _, f := range missed {
		f()
	}
}

// waits reports whether something has to wait until the hub goes on.
func (h *hub) waits(f func()) bool {
	if h.stopped > 0 {
		h.missed = append(h.missed, f)
	}
	return h.stopped > 0
}

// A socket is a connection at its hub. The member may not be at its other end any longer.
type socket struct {
	conn   int64
	member *member
}

type spoken struct {
	conn  int64
	frame string
}

func (h *hub) place() *Room {
	if h.room == nil {
		h.room = New(h.id, h.w.name, h.above, h.view())
		h.paused = true
	}
	return h.room
}

// view is the cluster's, with what a broken rule makes of it.
func (h *hub) view() *View {
	v := h.cluster.View()
	if h.w.breaks(ruleDegree) {
		flat := map[string]standing{}
		for id, s := range v.hubs {
			s.degree = 0
			flat[id] = s
		}
		settled := v.settled
		v = newView(h.id, flat)
		v.settled = settled
	}
	if h.w.breaks(ruleBarrier) {
		c := *v
		c.settled = true
		v = &c
	}
	return v
}

// viewed gives the room the new view, and says settled.
func (h *hub) viewed() {
	for {
		v := h.cluster.View()
		if h.room != nil {
			h.run(h.room.Viewed(h.view()))
		}
		m, ok, changed := h.cluster.Settle(v)
		if ok {
			h.w.broadcast(h, &m)
		}
		if !changed {
			return
		}
	}
}

func (h *hub) tick() {
	if h.cluster.Tick() {
		h.viewed()
	}
	var marks []Mark
	if h.room != nil {
		if !h.room.Idle() {
			h.run(h.room.Tick())
		}
		if !h.w.breaks(ruleMarks) && h.room != nil {
			marks = h.room.Marks()
		}
	}
	if beat, due := h.cluster.Beat(marks); due {
		h.w.broadcast(h, &beat)
	}
	if h.draining > 0 {
		if h.draining++; h.draining > 6 {
			h.restartMembers()
		}
	}
}

// restartMembers sends away those who are connected to a hub that drains.
func (h *hub) restartMembers() {
	for _, conn := range h.sorted() {
		s := h.conns[conn]
		delete(h.conns, conn)
		s.hear("end restart")
		h.run(h.place().Gone(conn, ReasonLost))
	}
}

func (h *hub) sorted() []int64 {
	var conns []int64
	for c := range h.conns {
		conns = append(conns, c)
	}
	slices.Sort(conns)
	return conns
}

// take takes a message off the bus.
func (h *hub) take(m *Message) {
	if h.waits(func() { h.take(m) }) {
		return
	}
	switch m.Type {
	case TypeBeat, TypeSettled:
		if h.cluster.Take(m) {
			h.viewed()
		}
		for _, k := range m.Marks {
			switch {
			case k.To != h.id:
			case h.room != nil:
				h.run(h.room.Marked(m.Hub, k))
			case !k.Down:
				renew := Unknown(h.id, k.Room, k.N)
				h.w.send(h, m.Hub, &renew)
			}
		}
	case TypeAttach:
		h.run(h.place().Take(m))
	default:
		if h.room != nil {
			h.run(h.room.Take(m))
		} else if m.Type == TypeEnter || m.Type == TypeFrame {
			renew := Unknown(h.id, m.Room, m.N)
			h.w.send(h, m.Hub, &renew)
		}
	}
}

func (h *hub) dial(m *member, conn int64, proven bool) {
	if h.waits(func() { h.dial(m, conn, proven) }) {
		return
	}
	h.conns[conn] = &socket{conn, m}
	request := "hearsay"
	if proven {
		request = "proven"
	}
	h.run(h.place().Enter(Conn{Conn: conn, Person: Person{ID: m.id}, Member: []byte(`"` + m.id + `"`)}, []byte(request)))
}

// hear reads what a member says, or leaves it in the socket.
func (h *hub) hear(conn int64, frame string) {
	if h.waits(func() { h.hear(conn, frame) }) {
		return
	}
	if h.paused || h.room == nil {
		h.held = append(h.held, spoken{conn, frame})
		return
	}
	actions, ok := h.room.Frame(conn, []byte(frame))
	if s := h.conns[conn]; !ok && s != nil && s.live() && s.member.in && h.room.find(conn) >= 0 { // or it ends with the next action
		h.w.fail("%s was read from a member when its room had no owner", frame)
	}
	h.run(actions)
}

func (h *hub) lose(conn int64, why string) {
	if h.waits(func() { h.lose(conn, why) }) {
		return
	}
	delete(h.conns, conn)
	h.run(h.place().Gone(conn, why))
}

// run carries out actions, and those that follow behind them.
func (h *hub) run(actions []Action) {
	h.queue = append(h.queue, actions...)
	if h.running {
		return
	}
	h.running = true
	for len(h.queue) > 0 {
		a := h.queue[0]
		h.queue = h.queue[1:]
		if a.Kind >= Open {
			h.runOwner(a)
		} else {
			h.runEdge(a)
		}
	}
	h.running = false
	if o := h.room.owned; o != nil && !o.gathering {
		same := slices.EqualFunc(o.seats, h.step.seats, func(a, b Seat) bool { return a.Address() == b.Address() })
		if !same {
			h.w.fail("%v: the machine seats %v, the room %v", h, people(o.seats), people(h.step.seats))
		}
	}
	done := h.room.Done() || h.w.breaks(ruleForget) && len(h.room.conns) == 0 && h.room.owned == nil
	if done {
		h.above, h.room, h.held = h.room.Number(), nil, nil
	}
}

func (h *hub) runEdge(a Action) {
	switch a.Kind {
	case Send:
		h.w.send(h, a.To, a.Message)
	case Join:
		roster := make([]string, len(a.Roster))
		for i, v := range a.Roster {
			roster[i] = string(v[1 : len(v)-1])
		}
		h.conns[a.Conns[0]].member.joined(h, a.Conns[0], roster, a.Place)
	case Again:
		if s := h.conns[a.Conns[0]]; s.live() {
			h.dial(s.member, s.conn, true)
		} else {
			h.lose(s.conn, ReasonLost)
		}
	case Deliver, End:
		for _, conn := range a.Conns {
			s := h.conns[conn]
			if a.Last || a.Kind == End {
				delete(h.conns, conn)
			}
			if a.Kind == End {
				s.hear("end " + h.w.reason(a.Reason))
			} else {
				s.hear(string(a.Body))
			}
		}
	case Pause:
		h.paused = true
	case Resume:
		h.paused = false
		held := h.held
		h.held = nil
		for _, f := range held {
			h.hear(f.conn, f.frame)
		}
	default: // Enter: the room step says joined to it
	}
}

func (h *hub) runOwner(a Action) {
	if h.step == nil && a.Kind != Open {
		h.w.fail("%v: action %d for a room step that does not exist", h, a.Kind)
		return
	}
	var t told
	switch a.Kind {
	case Open:
		h.w.say("%v opens %s with %v of %v, locked %v, away %v", h, a.State.term(), people(a.Seats), a.State.Lineage, a.State.Locked, a.State.Away)
		h.step = &roomStep{seats: slices.Clone(a.Seats), memory: a.State.Memory, limit: h.w.limit}
		if h.w.breaks(ruleAway) {
			h.step.memory.Away = nil
		}
		return
	case Close:
		if len(h.step.seats) == 0 {
			h.w.over(h.step)
		}
		h.w.say("%v closes", h)
		h.step = nil
		return
	case Adopt:
		h.w.say("%v adopts locked %v, away %v", h, a.State.Locked, a.State.Away)
		if len(h.step.seats) == 0 {
			h.w.over(h.step)
		}
		t = h.step.adopt(a.State.Memory)
	case Judge:
		t = h.judge(a)
	case Readmit:
		if h.w.breaks(ruleLimit) && len(h.step.seats) >= h.step.limit {
			h.w.fail("%s was in the room, and is refused for the limit", a.Seat.ID)
		}
		t = h.step.readmit(a.Seat)
	case Remind: // members here learn all from joined
	case Step:
		t = h.step.step(string(a.Body))
		h.w.stepped(h, a.Seat.ID, string(a.Body))
	case Leave:
		t = h.step.leave(a.Seat.Address(), a.Reason)
	default:
		h.w.fail("%v: action %d at an owner", h, a.Kind)
	}
	h.tell(t)
}

func (h *hub) judge(a Action) told {
	t := h.step.judge(a.Seat, string(a.Body))
	if t.undecided {
		h.run(h.room.Undecided(a.Seat.Address(), []byte("prove")))
	}
	if t.entered != nil {
		h.w.say("%v lets %s in at %.4s", h, a.Seat.ID, a.Seat.Hub)
		h.w.entered(h, a.Seat)
		h.run(h.room.Entered(a.Seat))
	}
	return t
}

func (h *hub) tell(t told) {
	if t.over && h.room.Ends() {
		h.w.over(h.step)
		h.step.memory = Memory{}
		h.run(h.room.Finish())
	} else {
		h.run(h.room.Remember(h.step.memory))
	}
	for _, d := range t.deliveries {
		h.run(h.room.Deliver(d))
	}
}

func (h *hub) String() string { return fmt.Sprintf("hub %d (%.4s)", h.i, h.id) }
