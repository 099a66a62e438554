package ownership

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// This file is the owner: the attachments to it, and what it says over them.

// An owned is what the owner of a room knows.
type owned struct {
	gathering bool // until all copies are there; the room step does not exist yet
	since     int  // ticks: gathering, or without members
	forsaken  int  // ticks for which members may come back whose hub seems to be dead
	state     State
	stamp     Stamp     // the last
	edges     []*edge   // in the order in which they have come
	seats     []Seat    // in the order of entry; the room step has the same
	judged    []Address // that the room step has been asked about
	gone      []Address // of these, those that have ended meanwhile: a Leave follows the Judge
	queue     []*Message
}

// An edge is an attachment, at the owner.
type edge struct {
	hub     string
	n       int64
	in      inbound
	out     outbound
	over    bool       // forgotten once it was answered
	renewed bool       // was asked to attach anew
	known   bool       // was answered
	early   []*Message // that wait for the answer, because it comes first
	pool    []Conn
	state   State   // until the room opens
	doubted []int64 // connections that were asked whether they still want to replace another
}

func (o *owned) edge(hub string) *edge {
	if at := slices.IndexFunc(o.edges, func(e *edge) bool { return e.hub == hub }); at >= 0 {
		return o.edges[at]
	}
	return nil
}

func (o *owned) seated(a Address) int {
	return slices.IndexFunc(o.seats, func(s Seat) bool { return s.Address() == a })
}

// next is the stamp of the next entry.
func (o *owned) next() Stamp {
	o.stamp.N++
	return o.stamp
}

// Entered says that the room step has let a connection in, which sits last. Its Member is what is to be known of it, which
// may be something else than its edge knew.
func (r *Room) Entered(s Seat) []Action {
	o := r.owned
	if !r.Owns() || o.seated(s.Address()) >= 0 || o.decided(s.Address()) {
		return r.done()
	}
	s.Order = o.next()
	o.seats = append(o.seats, s)
	o.since = 0
	if e := o.edge(s.Hub); e != nil {
		r.down(e, &Message{Type: TypeDeliver, To: []int64{s.Conn.Conn}, Entered: &s.Order, Member: s.Member})
	} else {
		r.leave(s.Address(), ReasonLost) // its edge has died meanwhile
	}
	return r.done()
}

// Changed says that the room step knows something else of a member now, such as its name. The next owner learns it from the
// member's edge.
func (r *Room) Changed(a Address, member jsontext.Value) []Action {
	if !r.Owns() {
		return r.done()
	}
	e, at := r.owned.edge(a.Hub), r.owned.seated(a)
	if e != nil && at >= 0 && !bytes.Equal(r.owned.seats[at].Member, member) {
		r.owned.seats[at].Member = member
		r.down(e, &Message{Type: TypeDeliver, To: []int64{a.Conn}, Member: member})
	}
	return r.done()
}

// Undecided says that the room step wants something else first: it will be asked again.
func (r *Room) Undecided(a Address, body []byte) []Action {
	if r.Owns() {
		r.owned.decided(a)
		if e := r.owned.edge(a.Hub); e != nil {
			r.down(e, &Message{Type: TypeDeliver, To: []int64{a.Conn}, Again: true, Body: body})
		}
	}
	return r.done()
}

// decided notes that the room step has answered. It reports whether one of those has ended meanwhile.
func (o *owned) decided(addresses ...Address) (gone bool) {
	among := func(a Address) bool { return slices.Contains(addresses, a) }
	gone = slices.ContainsFunc(o.gone, among)
	o.judged, o.gone = slices.DeleteFunc(o.judged, among), slices.DeleteFunc(o.gone, among)
	return gone
}

// Remember says what the room step remembers. It is called after each event of the room step that may change that, or
// who is there, before what the event delivers is delivered: nobody learns of a lock whose edge has no copy of it.
func (r *Room) Remember(m Memory) []Action {
	if o := r.owned; r.Owns() {
		roster, rest := people(o.seats), collect(nil, m.Rest)
		if m.Locked != o.state.Locked || !slices.Equal(m.Away, o.state.Away) || !slices.Equal(m.Barred, o.state.Barred) ||
			!slices.Equal(roster, o.state.Roster) || !equal(rest, o.state.Rest) {
			o.state.Memory = Memory{m.Locked, slices.Clone(m.Away), slices.Clone(last(m.Barred, keptKicks)), rest}
			o.state.Roster = roster
			r.push()
		}
	}
	return r.done()
}

// Ends reports whether the room ends with its last member. It does not while members may come back whose hub only seems to
// be dead: for them nothing has happened, and a lock or a kick holds.
func (r *Room) Ends() bool { return r.owned == nil || r.owned.forsaken == 0 }

// Finish says that the last member has left the room step, and that it remembers nothing. It is called in place of
// Remember, if the room Ends.
func (r *Room) Finish() []Action {
	if r.Owns() && r.owned.state.lived() {
		r.finish()
	}
	return r.Remember(Memory{})
}

// lived reports whether a room has something to forget when it ends.
func (s *State) lived() bool { return s.Locked || len(s.Barred)+len(s.Chats) > 0 }

// finish ends the room for good: what comes next is another of that name, of which copies from before know nothing.
func (r *Room) finish() {
	o := r.owned
	o.state = State{Lineage: o.state.Lineage}
	r.beginTerm()
	o.state.Born = o.state.term()
	o.state.Roster = people(o.seats)
	r.push()
}

// push gives each edge the copy, without the chats, which it has.
func (r *Room) push() {
	o := r.owned
	o.state.N++
	for _, e := range o.edges {
		state := o.state
		state.Chats = nil
		r.down(e, &Message{Type: TypeDeliver, State: &state})
	}
}

// A Delivery is a frame of the room step for connections.
type Delivery struct {
	To   []Address
	Last bool   // they end after it
	Chat string // its id, if it is a chat
	Body []byte
}

// Deliver sends what the room step delivers: one message to each edge.
func (r *Room) Deliver(d Delivery) []Action {
	if !r.Owns() {
		return r.done()
	}
	if d.Chat != "" {
		r.owned.state.Chats = converse(r.owned.state.Chats, []Chat{{d.Chat, d.Body}})
	}
	r.spread(d)
	if d.Last {
		r.owned.decided(d.To...)
		r.owned.seats = slices.DeleteFunc(r.owned.seats, func(s Seat) bool { return slices.Contains(d.To, s.Address()) })
	}
	return r.done()
}

func (r *Room) spread(d Delivery) {
	for _, e := range r.owned.edges {
		var to []int64
		for _, a := range d.To {
			if a.Hub == e.hub {
				to = append(to, a.Conn)
			}
		}
		if len(to) > 0 {
			r.down(e, &Message{Type: TypeDeliver, To: to, Last: d.Last, Chat: d.Chat, Body: d.Body})
		}
	}
}

// down sends the next message of an attachment, behind the answer to it.
func (r *Room) down(e *edge, m *Message) {
	if !e.known {
		e.early = append(e.early, m)
		return
	}
	m.N, m.Seq = e.n, e.out.next()
	if e.hub != r.self {
		e.out.keep(m)
	}
	r.send(e.hub, m)
}

// repeatDown sends an edge again what has not come there.
func (r *Room) repeatDown(m *Message) {
	if r.owned == nil {
		return
	}
	if e := r.owned.edge(m.Hub); e != nil && e.n == m.N && !r.repeat(e.hub, &e.out, m.Missed) {
		r.renew(e)
	}
}

// takeNumbered takes the next message of an edge, or finds that there was one before it that has not come.
func (r *Room) takeNumbered(m *Message) {
	var e *edge
	if r.owned != nil {
		e = r.owned.edge(m.Hub)
	}
	switch {
	case r.isEarly(m.Hub, m.N):
		r.follow(m)
	case e == nil || e.n < m.N:
		r.send(m.Hub, &Message{Type: TypeRenew, N: m.N})
	case e.n == m.N:
		r.takeUp(e, m)
	}
}

// takeUp takes what an edge says over its attachment.
func (r *Room) takeUp(e *edge, m *Message) {
	missing, ok := e.in.take(m)
	if !ok {
		r.renew(e)
		return
	}
	r.missUp(e, missing)
	for r.owned != nil && r.owned.edge(m.Hub) == e {
		if r.owned.gathering && len(r.owned.queue) >= queuedMost {
			r.renew(e)
			return
		}
		switch next := e.in.next(); {
		case next == nil:
			return
		case r.owned.gathering:
			r.owned.queue = append(r.owned.queue, next)
		default:
			r.step(next)
		}
	}
}

// missUp asks an edge for messages that have not come.
func (r *Room) missUp(e *edge, missing []int64) {
	if len(missing) > 0 && !e.renewed {
		r.send(e.hub, &Message{Type: TypeMissed, N: e.n, Missed: missing})
	}
}

// renew asks an edge to attach anew: now, and with each tick until it does.
func (r *Room) renew(e *edge) {
	if !e.renewed {
		e.renewed = true
		r.send(e.hub, &Message{Type: TypeRenew, N: e.n})
	}
}

// ageEdge lets one tick pass for an attachment.
func (r *Room) ageEdge(e *edge) {
	e.out.tick()
	missing, ok := e.in.tick()
	switch {
	case e.renewed:
		r.send(e.hub, &Message{Type: TypeRenew, N: e.n})
	case !ok:
		r.renew(e)
	default:
		for range urgency(e.in.since) {
			r.missUp(e, missing)
		}
	}
}

// idle reports whether a tick changes nothing.
func (o *owned) idle() bool {
	return !o.gathering && len(o.seats) > 0 && o.forsaken == 0 && !slices.ContainsFunc(o.edges, func(e *edge) bool {
		return e.renewed || e.out.kept != nil || !e.in.whole()
	})
}

// step hands an event to the room step.
func (r *Room) step(m *Message) {
	switch {
	case m.Type == TypeEnter:
		seat := Seat{m.Hub, *m.Conn}
		if a := seat.Address(); r.owned.seated(a) < 0 && !slices.Contains(r.owned.judged, a) && !r.doubts(&seat) {
			r.owned.judged = append(r.owned.judged, a)
			r.act(Action{Kind: Judge, Seat: seat, Body: m.Body})
		}
	case m.Gone != "":
		r.leave(Address{m.Hub, m.From}, m.Gone)
	default:
		if at := r.owned.seated(Address{m.Hub, m.From}); at >= 0 {
			r.act(Action{Kind: Step, Seat: r.owned.seats[at], Body: m.Body})
		}
	}
}

// doubts reports whether a request may be older than the member's connection at another hub, that it would replace for good:
// its own hub may have died since, or this one have stood still. That hub is asked once whether it still wants that.
func (r *Room) doubts(s *Seat) bool {
	o := r.owned
	e := o.edge(s.Hub)
	if e == nil {
		return true // it has died, and its members with it
	}
	was := len(e.doubted)
	e.doubted = slices.DeleteFunc(e.doubted, func(conn int64) bool { return conn == s.Conn.Conn })
	elsewhere := slices.ContainsFunc(o.seats, func(other Seat) bool { return other.ID == s.ID && other.Hub != s.Hub })
	if !elsewhere || len(e.doubted) < was {
		return false
	}
	e.doubted = append(e.doubted, s.Conn.Conn)
	r.down(e, &Message{Type: TypeDeliver, To: []int64{s.Conn.Conn}, Again: true})
	return true
}

// leave lets the room step know that a member is gone. One that only asked to enter may still be asked for there.
func (r *Room) leave(a Address, why string) {
	seat := Seat{Hub: a.Hub, Conn: Conn{Conn: a.Conn}}
	if at := r.owned.seated(a); at >= 0 {
		seat = r.owned.seats[at]
		r.owned.seats = slices.Delete(r.owned.seats, at, at+1)
	}
	if slices.Contains(r.owned.judged, a) {
		r.owned.gone = append(r.owned.gone, a)
	}
	if e := r.owned.edge(a.Hub); e != nil {
		e.doubted = slices.DeleteFunc(e.doubted, func(conn int64) bool { return conn == a.Conn })
	}
	r.act(Action{Kind: Leave, Seat: seat, Reason: why})
}

// heardOf compares how far an edge has come with what has come here.
func (r *Room) heardOf(from string, k Mark) {
	var e *edge
	if r.owned != nil {
		e = r.owned.edge(from)
	}
	switch {
	case r.isEarly(from, k.N): // it waits, and its messages behind it
	case e == nil || e.n < k.N:
		r.send(from, &Message{Type: TypeRenew, N: k.N})
	case e.n == k.N:
		r.missUp(e, e.in.expect(k.Seq))
	}
}

// forsake lets go of the edges that are dead, and of their members. A hub that only seems to be dead may own the room from
// now on, in a term that descends from this one; so another term begins here, or what happens here would be over when the
// two meet.
func (r *Room) forsake() {
	o := r.owned
	if !o.gathering && slices.ContainsFunc(o.edges, func(e *edge) bool { return !r.view.Has(e.hub) }) {
		defer r.push()
		r.beginTerm()
	}
	for _, e := range slices.Clone(o.edges) {
		if r.view.Has(e.hub) {
			continue
		}
		o.edges = slices.DeleteFunc(o.edges, func(other *edge) bool { return other == e })
		o.queue = slices.DeleteFunc(o.queue, func(m *Message) bool { return m.Hub == e.hub })
		if o.gathering {
			o.state = merge(o.state, e.state) // what it knew counts
		}
		if slices.ContainsFunc(o.seats, func(s Seat) bool { return s.Hub == e.hub }) {
			o.forsaken = emptyMost
		}
		r.losing(e.hub, nil)
	}
}

// losing lets the members of an edge leave, except for those connections.
func (r *Room) losing(hub string, except []Conn) {
	for _, s := range slices.Clone(r.owned.seats) {
		if s.Hub == hub && !slices.ContainsFunc(except, func(c Conn) bool { return c.Conn == s.Conn.Conn }) {
			r.leave(s.Address(), ReasonLost)
		}
	}
}

// ageOwned lets one tick pass for what is owned here.
func (r *Room) ageOwned() {
	o := r.owned
	for _, e := range o.edges {
		r.ageEdge(e)
	}
	o.forsaken = max(0, o.forsaken-1)
	switch {
	case o.gathering:
		if o.since++; o.since >= gatherMost {
			r.open()
		}
	case len(o.seats) > 0:
		o.since = 0
	default:
		if o.since++; o.since >= emptyMost {
			r.expire()
		}
	}
}

// expire ends a room to which nobody has come back, and its lock with it. Edges from which somebody still asks learn of
// it, because their copy would lock the room anew.
func (r *Room) expire() {
	o := r.owned
	if len(o.edges) == 0 {
		r.owned = nil
		r.act(Action{Kind: Close})
		return
	}
	o.since = 0
	if !o.state.lived() {
		return
	}
	r.finish()
	r.act(Action{Kind: Adopt, State: o.state})
}

func addresses(seats []Seat) []Address {
	list := make([]Address, len(seats))
	for i := range seats {
		list[i] = seats[i].Address()
	}
	return list
}

func people(seats []Seat) []Person {
	list := make([]Person, len(seats))
	for i, s := range seats {
		list[i] = s.Person
	}
	return list
}
