package ownership

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// This file is how a room comes to an owner and goes from it.

// takeAttach takes an edge in. One that comes before the view by which this hub is the owner waits for that, because
// its hub may have settled already. If the views do not agree soon, the edge asks again.
func (r *Room) takeAttach(m *Message) {
	if r.view.Owner(r.name) != r.self || !r.view.Has(m.Hub) {
		if r.earlyAge = 0; r.isEarly(m.Hub, m.N) {
			return // it was sent again
		}
		r.early = slices.DeleteFunc(r.early, func(e *Message) bool { return e.Hub == m.Hub })
		if r.countEarly(func(e *Message) bool { return e.Type == TypeAttach }) < earlyMost {
			r.early = append(r.early, m)
		}
		return
	}
	if r.owned == nil {
		r.owned = &owned{gathering: true}
	}
	o := r.owned
	e := o.edge(m.Hub)
	if e == nil {
		e = &edge{hub: m.Hub}
		o.edges = append(o.edges, e)
	}
	if e.n >= m.N {
		if e.n == m.N && e.known && !r.repeat(e.hub, &e.out, []int64{0}) {
			r.renew(e) // the answer was lost, and is no longer kept
		}
		return
	}
	*e = edge{hub: m.Hub, n: m.N, over: m.Over}
	if !o.gathering {
		r.takeBack(e, m)
		return
	}
	e.pool, e.state = m.Conns, *m.State
	o.queue = slices.DeleteFunc(o.queue, func(q *Message) bool { return q.Hub == m.Hub })
	if r.view.Settled() {
		r.open()
	}
}

func (r *Room) countEarly(which func(*Message) bool) (n int) {
	for _, m := range r.early {
		if which(m) {
			n++
		}
	}
	return n
}

// isEarly reports whether an attachment waits for a view.
func (r *Room) isEarly(hub string, n int64) bool {
	return r.countEarly(func(m *Message) bool { return m.Type == TypeAttach && m.Hub == hub && m.N == n }) > 0
}

// follow keeps what comes behind an attach that waits. If that were answered by renew, its hub would attach anew, to the
// same end, as fast as messages can go. One that is too much is lost, which a mark finds.
func (r *Room) follow(m *Message) {
	if len(r.early) < earlyMost+behindMost {
		r.early = append(r.early, m)
	}
}

// takeBack takes an edge into an open room: it has lost a message, or comes late.
func (r *Room) takeBack(e *edge, m *Message) {
	r.adopt(m.Hub, m.State)
	r.losing(e.hub, m.Conns)
	for _, c := range m.Conns {
		r.readmit(Seat{e.hub, c})
	}
	r.answer(e)
}

// adopt merges a copy into the state of the open room, unless the copy is of a term that is over. Another term begins
// then, so that no two owners go on with one. Members elsewhere hear the chats that only that edge knew.
func (r *Room) adopt(from string, s *State) {
	o := r.owned
	was, seated := o.state, people(o.seats)
	o.state = merge(was, *s)
	if s.term() == "" || was.descends(s.term()) {
		o.state.Lineage, o.state.N, o.state.Away, o.state.Born = was.Lineage, was.N, was.Away, was.Born
	} else {
		r.beginTerm()
		o.state.Away = without(unite(o.state.Away, o.state.Roster), slices.Concat(seated, o.state.Barred))
	}
	if !o.state.Locked {
		o.state.Away = nil
	}
	o.state.Roster = seated
	others := slices.DeleteFunc(addresses(o.seats), func(a Address) bool { return a.Hub == from })
	for _, c := range unheard(o.state.Chats, was.Chats) {
		r.spread(Delivery{To: others, Chat: c.ID, Body: c.Body})
	}
	if o.state.term() == was.term() && slices.Equal(o.state.Barred, was.Barred) && slices.Equal(o.state.Away, was.Away) {
		return
	}
	r.push()
	r.act(Action{Kind: Adopt, State: o.state})
	for _, seat := range slices.Clone(o.seats) {
		if r.bars(seat.Person) {
			r.part(seat, ReasonKicked)
			r.leave(seat.Address(), ReasonKicked)
		}
	}
}

// readmit seats a connection that an owner before has let in. One that was seated is there still; of two of one member
// the younger stays.
func (r *Room) readmit(s Seat) {
	o := r.owned
	if at := o.seated(s.Address()); at >= 0 {
		r.act(Action{Kind: Remind, Seat: o.seats[at]})
		return
	}
	if r.bars(s.Person) {
		r.part(s, ReasonKicked)
		return
	}
	if at := slices.IndexFunc(o.seats, func(other Seat) bool { return other.ID == s.ID }); at >= 0 {
		other := o.seats[at]
		if s.before(&other) {
			r.part(s, ReasonRestart)
			return
		}
		r.part(other, ReasonRestart)
		r.leave(other.Address(), ReasonLost)
	}
	s.Order = o.next()
	o.seats = append(o.seats, s)
	o.since = 0
	r.act(Action{Kind: Readmit, Seat: s})
}

func (r *Room) bars(p Person) bool { return slices.ContainsFunc(r.owned.state.Barred, p.is) }

// before orders seats by entry.
func (s *Seat) before(o *Seat) bool {
	if s.Order != o.Order {
		return s.Order.less(o.Order)
	}
	return cmp.Or(cmp.Compare(s.Hub, o.Hub), cmp.Compare(s.Conn.Conn, o.Conn.Conn)) < 0
}

// part ends a connection at its edge.
func (r *Room) part(s Seat, why string) {
	if e := r.owned.edge(s.Hub); e != nil {
		r.down(e, &Message{Type: TypeDeliver, To: []int64{s.Conn.Conn}, Reason: why})
	}
}

// open ends the gathering: out of all copies and connections comes one room, in one step.
func (r *Room) open() {
	o := r.owned
	o.gathering, o.since = false, 0
	copies := []State{o.state}
	for _, e := range o.edges {
		copies = append(copies, e.state)
		e.state = State{}
	}
	o.state = merge(copies...)
	parted := r.gather()
	r.beginTerm()
	if !o.state.Locked {
		o.state.Away = nil
	} else {
		o.state.Away = without(unite(o.state.Away, o.state.Roster), slices.Concat(people(o.seats), o.state.Barred))
	}
	if len(without(o.state.Roster, slices.Concat(people(o.seats), o.state.Barred))) > 0 {
		o.forsaken = emptyMost // their hub may live, and come with them
	}
	o.state.Roster = people(o.seats)
	r.act(Action{Kind: Open, State: o.state, Seats: slices.Clone(o.seats)})
	for _, e := range slices.Clone(o.edges) {
		r.answer(e)
	}
	for _, p := range parted {
		r.part(p.Seat, p.why)
	}
	queue := o.queue
	o.queue = nil
	for _, m := range queue {
		r.step(m)
	}
}

// A parting is a connection that was gathered and not seated.
type parting struct {
	Seat
	why string
}

// gather seats all that edges have brought, in the order of entry.
func (r *Room) gather() (parted []parting) {
	o := r.owned
	var pool []Seat
	for _, e := range o.edges {
		for _, c := range e.pool {
			pool = append(pool, Seat{e.hub, c})
		}
		e.pool = nil
	}
	slices.SortFunc(pool, func(a, b Seat) int {
		switch {
		case a.before(&b):
			return -1
		case b.before(&a):
			return 1
		}
		return 0
	})
	for _, s := range pool {
		o.stamp.Term = max(o.stamp.Term, s.Order.Term)
		if r.bars(s.Person) {
			parted = append(parted, parting{s, ReasonKicked})
			continue
		}
		if at := slices.IndexFunc(o.seats, func(other Seat) bool { return other.ID == s.ID }); at >= 0 {
			parted = append(parted, parting{o.seats[at], ReasonRestart})
			o.seats = slices.Delete(o.seats, at, at+1)
		}
		o.seats = append(o.seats, s)
	}
	o.stamp = Stamp{Term: min(o.stamp.Term+1, maxNumber)}
	return parted
}

// beginTerm begins a term of this owner.
func (r *Room) beginTerm() {
	o := r.owned
	r.number++
	o.state.Lineage = trace(o.state.Lineage, []string{fmt.Sprintf("%s/%d", r.self, r.number)})
	o.state.N = 1
}

// answer tells an edge of the room and of its places in it.
func (r *Room) answer(e *edge) {
	o := r.owned
	state := o.state
	m := &Message{Type: TypeAttached, N: e.n, State: &state}
	if e.over {
		o.edges = slices.DeleteFunc(o.edges, func(other *edge) bool { return other == e })
		r.send(e.hub, m)
		return
	}
	m.Roster = make([]jsontext.Value, len(o.seats))
	for i, s := range o.seats {
		m.Roster[i] = s.Member
		if s.Hub == e.hub {
			m.Places = append(m.Places, Place{s.Conn.Conn, i, s.Order})
		}
	}
	if e.hub != r.self {
		e.out.keep(m)
	}
	r.send(e.hub, m)
	early := e.early
	e.known, e.early = true, nil
	for _, m := range early {
		r.down(e, m)
	}
}

// handOver gives the room up. What was gathered goes along: whoever has brought it may be dead before anybody knows.
func (r *Room) handOver() {
	o := r.owned
	copies := []State{o.state}
	if o.gathering {
		copies = append(copies, r.copied)
		for _, e := range o.edges {
			copies = append(copies, e.state)
		}
	} else {
		r.act(Action{Kind: Close})
	}
	merged := merge(copies...)
	var members []int64
	for _, c := range r.conns {
		if c.member {
			members = append(members, c.Conn.Conn)
		}
	}
	r.hear(merged.Chats, members)
	r.copied, r.owned = merged, nil
	r.attach()
}
