package hub

import "noom/signal"

// This file is the part of a room that comes from other hubs. Which connections it has, in what order, and which of two
// of one member stays, is decided before (internal/ownership); and their edges send them joined, to which an event here
// only adds. Like the rest of a room it is a pure machine.

// open seats the members that a room had at other hubs, in that order and however many they are, with what it remembers.
// It is the room's first event.
func (r *room[C]) open(m memory, seats []seat[C]) []delivery[C] {
	r.begin()
	for i := range seats {
		r.sit(seats[i])
	}
	r.learn(m)
	for i := range r.seats {
		r.apart(i)
	}
	for i := range r.seats {
		r.catchUp(r.seats[i].conn, 0)
	}
	return r.out
}

// readmit seats a member that an owner before has let in: last, and however many there are.
func (r *room[C]) readmit(s seat[C]) []delivery[C] {
	r.begin()
	r.sit(s)
	r.recall(&s.member)
	r.tellOthers(s.conn, &signal.Message{Type: signal.TypeWelcome, Member: &s.member})
	r.apart(len(r.seats) - 1)
	r.catchUp(s.conn, 0)
	return r.out
}

// adopt remembers something else from now on: what united it with a room of the same name, or, if that is nothing, that
// it has ended.
func (r *room[C]) adopt(m memory) []delivery[C] {
	r.begin()
	was := r.memory
	r.learn(m)
	if was.locked != r.locked {
		r.tellAll(lockNotice("", r.locked))
	}
	for _, e := range r.ends {
		if !was.knows(e) && r.over(e, -1) {
			r.tellAll(e.bye)
		}
	}
	return r.out
}

// remind says to a member again who has gone for good: it may have missed that, and joined names only those who are there.
func (r *room[C]) remind(c C) []delivery[C] {
	r.begin()
	if r.seated(c) >= 0 {
		r.catchUp(c, 0)
	}
	return r.out
}

func (r *room[C]) sit(s seat[C]) {
	r.seats = append(r.seats, s)
	r.news = append(r.news, change[C]{seat: s})
}

// learn takes a memory for the room's own, as much of it as a room may have. Whoever is there is not absent.
func (r *room[C]) learn(m memory) {
	r.memory = m
	for i := range r.seats {
		r.recall(&r.seats[i].member)
	}
	for len(r.ends) > 2*r.limit {
		r.forgetEnd()
	}
	for len(r.absent) > 2*r.limit {
		r.forgetOne()
	}
}

// apart sees to it that members from several hubs are not taken for one another.
func (r *room[C]) apart(at int) {
	s := &r.seats[at]
	if s.named {
		r.reserve(s.member.Name, s.member.ID)
	} else if r.ownedName(s.member.Name, s.member.ID) {
		s.member.Name = r.numbered(s.member.Name, s.member.ID)
		r.tellAll(&signal.Message{Type: signal.TypeRenamed, From: s.member.ID, Name: s.member.Name})
	}
}
