package ownership

import "slices"

// Times in ticks.
const (
	holdMost   = 20   // that members wait for an owner
	gatherMost = 6    // that a new owner waits for all to have settled
	emptyMost  = 20   // that a room without members is remembered
	queuedMost = 1024 // messages that wait for a room to open
	earlyFor   = 2    // that an attach waits for a view, since it was sent last
	earlyMost  = 64   // attaches that do
	behindMost = 256  // messages behind them
)

// A Room is one room as one hub sees it: the edge of the members that are connected there and, if the hub owns the
// room, its owner. Messages to the own hub take no other way than those to others, but at once.
type Room struct {
	self, name string
	view       *View
	number     int64 // of the last attachment or term

	// The edge.
	owner    string // that it is attached to, or asks; empty: none
	n        int64  // number of the attachment
	attached bool   // the owner has answered
	over     bool   // the attachment is made to hand over and to be forgotten
	out      outbound
	in       inbound
	asked    *Message // the attach, until it is answered
	waited   int      // ticks since it asked
	held     int      // ticks for which members wait
	conns    []*client
	copied   State

	owned    *owned     // nil: another hub owns the room, or nobody needs it
	early    []*Message // attaches that came before the view that made this hub the owner, or that knows their hub, each with what came behind it
	earlyAge int        // ticks since the last attach

	loop    []*Message // to itself
	actions []Action
}

// A client is a connection to this edge.
type client struct {
	Conn
	request []byte // that waits for the room's word
	asks    bool
	member  bool
}

// New returns a room without connections. Above is at least the Number of each Room of that name that this hub has
// forgotten.
func New(self, name string, above int64, v *View) *Room {
	return &Room{self: self, name: name, number: above, view: v}
}

// Number is the highest number that r has used.
func (r *Room) Number() int64 { return r.number }

// Done reports whether r may be forgotten: nothing would be lost with it.
func (r *Room) Done() bool { return r.owner == "" && r.owned == nil && len(r.conns)+len(r.early) == 0 }

// Ready reports whether frames of members may be read.
func (r *Room) Ready() bool { return r.attached && !r.over }

// Owns reports whether this hub owns the room, and it is open.
func (r *Room) Owns() bool { return r.owned != nil && !r.owned.gathering }

// Members is how many members the room has, as far as this edge knows.
func (r *Room) Members() int { return len(r.copied.Roster) }

// Locked reports whether the room is locked, as far as this edge knows.
func (r *Room) Locked() bool { return r.copied.Locked }

// Enter asks for a connection of this hub to be let in, once more after an Again.
func (r *Room) Enter(c Conn, request []byte) []Action {
	fresh := &client{Conn: c, request: request, asks: true}
	if at := r.find(c.Conn); at >= 0 {
		r.conns[at] = fresh
	} else {
		r.conns = append(r.conns, fresh)
	}
	if r.owner == "" || r.over || r.owner != r.view.Owner(r.name) {
		r.attach()
	} else {
		r.ask(fresh)
	}
	return r.done()
}

// Frame takes what a member has said. It is false, and nothing happens, if that could not be told to the room: the
// driver has read it too late, or not a member. The body is the caller's again once it has carried out the actions, and
// encoded the messages of each Send.
func (r *Room) Frame(conn int64, body []byte) ([]Action, bool) {
	at := r.find(conn)
	if !r.Ready() || at < 0 || !r.conns[at].member {
		return nil, false
	}
	r.up(&Message{Type: TypeFrame, From: conn, Body: body})
	return r.done(), true
}

// Gone says that a connection has ended, and why the others are told that it has.
func (r *Room) Gone(conn int64, why string) []Action {
	if at := r.find(conn); at >= 0 {
		r.conns = slices.Delete(r.conns, at, at+1)
		if r.owner != "" {
			r.up(&Message{Type: TypeFrame, From: conn, Gone: why})
		}
	}
	return r.done()
}

// Viewed says that the view has changed.
func (r *Room) Viewed(v *View) []Action {
	r.view = v
	owner := v.Owner(r.name)
	if r.owned != nil {
		r.forsake()
		if owner != r.self {
			r.handOver()
		} else if r.owned.gathering && v.Settled() {
			r.open()
		}
	}
	early := r.early
	r.early = nil
	for _, m := range early {
		r.take(m)
	}
	if r.owner != "" && (r.owner != owner || r.attached && !v.HearsUs(owner)) {
		r.attach()
	}
	return r.done()
}

// Idle reports whether a tick changes nothing, until the next event.
func (r *Room) Idle() bool {
	waits := r.owner != "" && !r.attached || len(r.early) > 0 || !r.in.whole() || r.out.kept != nil
	return !waits && (r.owned == nil || r.owned.idle())
}

// Tick lets one tick pass.
func (r *Room) Tick() []Action {
	if r.owned != nil {
		r.ageOwned()
	}
	if r.earlyAge++; r.earlyAge > earlyFor {
		r.early = nil
	}
	if r.owner != "" {
		r.age()
	}
	return r.done()
}

// Take takes a message about this room that another hub has sent to this one.
func (r *Room) Take(m *Message) []Action {
	if m.Hub != r.self && m.Room == r.name {
		r.take(m)
	}
	return r.done()
}

// Marks returns how far the attachments with other hubs have come, for the next beat.
func (r *Room) Marks() []Mark {
	var marks []Mark
	if r.attached && r.owner != r.self {
		marks = append(marks, Mark{To: r.owner, Room: r.name, N: r.n, Seq: r.out.last})
	}
	if r.Owns() {
		for _, e := range r.owned.edges {
			if e.hub != r.self {
				marks = append(marks, Mark{To: e.hub, Room: r.name, N: e.n, Seq: e.out.last, Down: true})
			}
		}
	}
	return marks
}

// Marked takes a mark out of the beat of another hub.
func (r *Room) Marked(from string, k Mark) []Action {
	switch {
	case !k.Down:
		r.heardOf(from, k)
	case r.owner != from:
	case k.N > r.n: // whoever has attached that in this hub's name, the owner takes nothing below it
		r.number = max(r.number, k.N)
		r.attach()
	case !r.attached:
	case k.N != r.n:
		r.attach()
	default:
		r.miss(r.in.expect(k.Seq))
	}
	return r.done()
}

// Unknown is the answer to an enter, a frame or a mark that is not Down, about a room of which this hub knows nothing.
func Unknown(self, room string, n int64) Message {
	return Message{Type: TypeRenew, Hub: self, Room: room, N: n}
}

// NoPart is the answer to a mark that is Down, about a room of which this hub knows nothing: whoever has attached that in this
// hub's name, the owner forgets it.
func NoPart(self, room string, n int64) Message {
	return Message{Type: TypeAttach, Hub: self, Room: room, N: n + 1, Over: true, State: &State{}}
}

func (r *Room) take(m *Message) {
	switch m.Type {
	case TypeAttach:
		r.takeAttach(m)
	case TypeEnter, TypeFrame:
		r.takeNumbered(m)
	case TypeAttached, TypeDeliver:
		r.takeDown(m)
	case TypeMissed:
		if m.Down {
			r.repeatDown(m)
		} else {
			r.takeMissed(m)
		}
	case TypeRenew:
		if r.owner == m.Hub && r.n == m.N {
			r.attach()
		}
	case TypeBeat, TypeSettled: // for the Cluster
	}
}

// done settles what the room has told itself, hands over when the last connection has gone, and returns the actions.
func (r *Room) done() []Action {
	for {
		if len(r.loop) > 0 {
			m := r.loop[0]
			r.loop = r.loop[1:]
			r.take(m)
		} else if len(r.conns) == 0 && r.owner != "" && !r.over {
			r.attach()
		} else {
			break
		}
	}
	actions := r.actions
	r.actions = nil
	return actions
}

func (r *Room) act(a Action) { r.actions = append(r.actions, a) }

func (r *Room) send(to string, m *Message) {
	m.Hub, m.Room = r.self, r.name
	if to == r.self {
		r.loop = append(r.loop, m)
	} else {
		r.act(Action{Kind: Send, To: to, Message: m})
	}
}

func (r *Room) find(conn int64) int {
	return slices.IndexFunc(r.conns, func(c *client) bool { return c.Conn.Conn == conn })
}
