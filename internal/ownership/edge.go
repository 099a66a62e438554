package ownership

import "slices"

// This file is the edge: its attachment to the owner, and what comes over it.

// attach begins the next attachment, to whoever owns the room now. Everything that is known here goes with it, so loss
// is the same as death and return.
func (r *Room) attach() {
	if r.Ready() {
		r.act(Action{Kind: Pause})
	}
	r.number++
	r.owner, r.n, r.attached, r.over = r.view.Owner(r.name), r.number, false, len(r.conns) == 0
	r.out, r.in, r.waited = outbound{}, inbound{last: -1, known: -1}, 0
	var conns []Conn
	for _, c := range r.conns {
		if c.member {
			conns = append(conns, c.Conn)
		}
	}
	state := r.copied
	r.asked = &Message{Type: TypeAttach, N: r.n, Conns: conns, Over: r.over, State: &state}
	r.send(r.owner, r.asked)
	for _, c := range r.conns {
		if c.asks {
			r.ask(c)
		}
	}
}

// ask sends a request to enter. It is sent again with each attachment until the room has decided.
func (r *Room) ask(c *client) {
	conn := c.Conn
	r.up(&Message{Type: TypeEnter, Conn: &conn, Body: c.request})
}

// up sends the next message of the attachment.
func (r *Room) up(m *Message) {
	m.N, m.Seq = r.n, r.out.next()
	if r.owner != r.self {
		r.out.keep(m)
	}
	r.send(r.owner, m)
}

// takeDown takes what the owner says over the attachment: the answer to that, and what comes behind it.
func (r *Room) takeDown(m *Message) {
	if m.Hub != r.owner || m.N != r.n {
		return
	}
	missing, ok := r.in.take(m)
	if !ok {
		r.attach()
		return
	}
	r.miss(missing)
	for n := r.n; r.owner != "" && r.n == n; {
		next := r.in.next()
		if next == nil {
			return
		}
		if next.Type == TypeAttached {
			r.takeAttached(next)
		} else {
			r.takeDeliver(next)
		}
	}
}

// miss asks the owner for messages that have not come.
func (r *Room) miss(missing []int64) {
	if len(missing) > 0 {
		r.send(r.owner, &Message{Type: TypeMissed, N: r.n, Missed: missing, Down: true})
	}
}

// takeMissed sends the owner again what has not come there.
func (r *Room) takeMissed(m *Message) {
	if m.Hub != r.owner || m.N != r.n {
		return
	}
	if !r.repeat(m.Hub, &r.out, m.Missed) {
		r.attach()
	}
}

// repeat sends messages again. It reports false if they are no longer kept.
func (r *Room) repeat(to string, o *outbound, missed []int64) bool {
	for _, seq := range missed {
		kept := o.find(seq)
		if kept == nil {
			return false
		}
		r.send(to, kept)
	}
	return true
}

// age lets one tick pass for the attachment.
func (r *Room) age() {
	r.out.tick()
	if r.attached {
		missing, ok := r.in.tick()
		for range urgency(r.in.since) {
			r.miss(missing)
		}
		if !ok {
			r.attach()
		}
		return
	}
	if len(r.conns) > 0 {
		r.held++
	}
	if r.held >= holdMost {
		r.held = 0
		r.end(ReasonFailed, slices.Clone(r.conns)...)
	}
	r.waited++
	for range urgency(r.waited) {
		r.send(r.owner, r.asked)
	}
}

// takeAttached takes the answer to an attach. All members learn of the room as it is now, and of chats that were said
// where this edge did not hear.
func (r *Room) takeAttached(m *Message) {
	r.asked = nil
	if r.over {
		r.owner, r.over, r.copied = "", false, State{}
		r.out, r.in = outbound{}, inbound{}
		return
	}
	r.attached, r.held = true, 0
	var in []int64
	for _, p := range m.Places {
		at := r.find(p.Conn)
		if at < 0 {
			r.up(&Message{Type: TypeFrame, From: p.Conn, Gone: ReasonLost}) // it has ended meanwhile
			continue
		}
		c := r.conns[at]
		c.Order, c.Member, c.member, c.asks, c.request = p.Order, m.Roster[p.Place], true, false, nil
		in = append(in, p.Conn)
		r.act(Action{Kind: Join, Conns: []int64{p.Conn}, Roster: m.Roster, Place: p.Place})
	}
	r.hear(m.State.Chats, in)
	r.copied = *m.State
	r.act(Action{Kind: Resume})
}

// hear gives members the chats of which their edge has no copy: those of which it has one they have heard.
func (r *Room) hear(chats []Chat, members []int64) {
	for _, c := range unheard(chats, r.copied.Chats) {
		if len(members) > 0 {
			r.act(Action{Kind: Deliver, Conns: members, Body: c.Body})
		}
	}
}

// takeDeliver takes the next message of the owner.
func (r *Room) takeDeliver(m *Message) {
	if m.State != nil {
		was := r.copied
		r.copied = *m.State
		if !r.copied.outlives(&was) {
			r.copied.Chats = was.Chats
		}
	}
	if m.Chat != "" {
		r.copied.Chats = converse(r.copied.Chats, []Chat{{m.Chat, m.Body}})
	}
	if m.Entered != nil {
		r.entered(m)
		return
	}
	to := r.clients(m.To)
	if !m.Last && !m.Again { // one that was a member may be asking again, because that it was has been lost
		to = slices.DeleteFunc(to, func(c *client) bool { return !c.member })
	}
	switch {
	case m.Member != nil:
		for _, c := range to {
			c.Member = m.Member
		}
	case m.Again && m.Body == nil: // it is still wanted
		for _, c := range to {
			if c.asks {
				r.ask(c)
			}
		}
	case m.Again:
		for _, c := range to {
			c.asks, c.request = false, nil
			r.act(Action{Kind: Again, Conns: []int64{c.Conn.Conn}, Body: m.Body})
		}
	case m.Reason != "":
		r.end(m.Reason, to...)
	case m.Body != nil && len(to) > 0:
		r.act(Action{Kind: Deliver, Conns: numbers(to), Body: m.Body, Last: m.Last})
		if m.Last {
			r.drop(to)
		}
	}
}

// entered notes that a connection of this edge was let in.
func (r *Room) entered(m *Message) {
	for _, conn := range m.To {
		at := r.find(conn)
		if at < 0 {
			r.up(&Message{Type: TypeFrame, From: conn, Gone: ReasonLost}) // it has ended meanwhile
			continue
		}
		c := r.conns[at]
		c.Order, c.member, c.asks, c.request = *m.Entered, true, false, nil
		if m.Member != nil {
			c.Member = m.Member
		}
		r.act(Action{Kind: Enter, Conns: []int64{conn}})
	}
}

// end ends connections of this edge.
func (r *Room) end(why string, clients ...*client) {
	if len(clients) > 0 {
		r.act(Action{Kind: End, Conns: numbers(clients), Reason: why})
		r.drop(clients)
	}
}

func (r *Room) drop(clients []*client) {
	r.conns = slices.DeleteFunc(r.conns, func(c *client) bool { return slices.Contains(clients, c) })
}

func (r *Room) clients(conns []int64) []*client {
	var list []*client
	for _, conn := range conns {
		if at := r.find(conn); at >= 0 {
			list = append(list, r.conns[at])
		}
	}
	return list
}

func numbers(clients []*client) []int64 {
	list := make([]int64, len(clients))
	for i, c := range clients {
		list[i] = c.Conn.Conn
	}
	return list
}
