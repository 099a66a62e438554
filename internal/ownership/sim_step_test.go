package ownership

import (
	"fmt"
	"slices"
	"strings"
)

// A roomStep is a room at its owner, as small as can be: members, a lock, kicks, chats. What it says is text.
type roomStep struct {
	seats  []Seat
	memory Memory
	limit  int
}

// told is what an event of the room step gives its driver.
type told struct {
	entered    *Seat
	undecided  bool
	over       bool // the last member has gone
	deliveries []Delivery
}

func (s *roomStep) find(id string) int {
	return slices.IndexFunc(s.seats, func(o Seat) bool { return o.ID == id })
}

func (s *roomStep) seated(a Address) int {
	return slices.IndexFunc(s.seats, func(o Seat) bool { return o.Address() == a })
}

func (s *roomStep) has(list []Person, id string) bool {
	return slices.ContainsFunc(list, func(p Person) bool { return p.ID == id })
}

func (t *told) tell(to []Address, last bool, format string, args ...any) {
	if len(to) > 0 {
		t.deliveries = append(t.deliveries, Delivery{To: to, Last: last, Body: fmt.Appendf(nil, format, args...)})
	}
}

func (s *roomStep) all(except string) []Address {
	var list []Address
	for i := range s.seats {
		if s.seats[i].ID != except {
			list = append(list, s.seats[i].Address())
		}
	}
	return list
}

func (s *roomStep) roster() string {
	ids := make([]string, len(s.seats))
	for i := range s.seats {
		ids[i] = s.seats[i].ID
	}
	return strings.Join(ids, ",")
}

func (s *roomStep) judge(seat Seat, request string) (t told) {
	at, to := s.find(seat.ID), []Address{seat.Address()}
	known := at >= 0 || s.has(s.memory.Away, seat.ID)
	switch {
	case s.has(s.memory.Barred, seat.ID):
		t.tell(to, true, "refused kicked")
		return t
	case known && request != "proven":
		t.undecided = true
		return t
	case s.memory.Locked && !known:
		t.tell(to, true, "refused locked")
		return t
	case at < 0 && len(s.seats) >= s.limit:
		t.tell(to, true, "refused full")
		return t
	}
	if at >= 0 {
		t.tell([]Address{s.seats[at].Address()}, true, "replaced")
		s.seats = slices.Delete(s.seats, at, at+1)
	}
	s.seats = append(s.seats, seat)
	s.memory.Away = without(s.memory.Away, []Person{seat.Person})
	t.entered = &seat
	t.tell(to, false, "joined %s", s.roster())
	t.tell(s.all(seat.ID), false, "welcome %s", seat.ID)
	return t
}

func (s *roomStep) readmit(seat Seat) (t told) {
	s.seats = append(s.seats, seat)
	s.memory.Away = without(s.memory.Away, []Person{seat.Person})
	t.tell(s.all(seat.ID), false, "welcome %s", seat.ID)
	return t
}

func (s *roomStep) leave(a Address, why string) (t told) {
	at := s.seated(a)
	if at < 0 {
		return t
	}
	gone := s.seats[at]
	s.seats = slices.Delete(s.seats, at, at+1)
	if s.memory.Locked && why == ReasonLost {
		s.memory.Away = append(slices.Clone(s.memory.Away), gone.Person)
	}
	t.tell(s.all(""), false, "bye %s %s", gone.ID, why)
	t.over = len(s.seats) == 0
	return t
}

func (s *roomStep) adopt(m Memory) (t told) {
	was := s.memory.Locked
	s.memory = m
	if was != m.Locked {
		t.tell(s.all(""), false, "locked %v", m.Locked)
	}
	return t
}

// step takes what a member has said.
func (s *roomStep) step(frame string) (t told) {
	verb, argument, _ := strings.Cut(frame, " ")
	switch verb {
	case "chat":
		t.deliveries = append(t.deliveries, Delivery{To: s.all(""), Chat: argument, Body: []byte(frame)})
	case "lock", "unlock":
		s.memory.Locked, s.memory.Away = verb == "lock", nil
		t.tell(s.all(""), false, "locked %v", s.memory.Locked)
	case "kick":
		at := s.find(argument)
		if at < 0 {
			return t
		}
		out := s.seats[at]
		s.seats = slices.Delete(s.seats, at, at+1)
		s.memory.Barred = append(slices.Clone(s.memory.Barred), out.Person)
		t.tell([]Address{out.Address()}, true, "bye %s kicked", out.ID)
		t.tell(s.all(""), false, "bye %s kicked", out.ID)
	}
	return t
}
