package ownership

import (
	"slices"
	"testing"
)

// viewOf is the view of a hub that hears others and is heard by them.
func viewOf(self string, settled bool, others ...string) *View {
	hubs := map[string]standing{self: {degree: len(others), hearsUs: true}}
	for _, hub := range others {
		hubs[hub] = standing{degree: len(others), hearsUs: true}
	}
	v := newView(self, hubs)
	v.settled = settled
	return v
}

// ownedBy is a room that the hub owns, of those in the view.
func ownedBy(v *View, hub string) string {
	room := "a"
	for v.Owner(room) != hub {
		room += "a"
	}
	return room
}

// edgeOf is a room at hubB, which has members there, and another owner: hubA.
func edgeOf() *Room {
	v := viewOf(hubB, true, hubA)
	r := New(hubB, ownedBy(v, hubA), 0, v)
	r.Enter(Conn{Conn: 1, Person: Person{ID: "anna"}}, []byte("please"))
	r.Take(attachedTo(r))
	entered := Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: 1, To: []int64{1}, Entered: &Stamp{1, 1}}
	r.Take(&entered)
	return r
}

func attachedTo(r *Room) *Message {
	m := &Message{Type: TypeAttached, Hub: hubA, Room: r.name, N: r.n, State: &State{Lineage: []string{"a"}, N: 1}}
	for i, c := range r.conns {
		m.Roster = append(m.Roster, []byte(`"`+c.ID+`"`))
		if c.member {
			m.Places = append(m.Places, Place{c.Conn.Conn, i, c.Order})
		}
	}
	return m
}

// ownerOf is a room at hubB, its owner, in which bert is connected there, and hubA has attached.
func ownerOf(gathering bool) *Room {
	v := viewOf(hubB, !gathering, hubA)
	r := New(hubB, ownedBy(v, hubB), 0, v)
	bert := Conn{Conn: 1, Person: Person{ID: "bert"}}
	r.Enter(bert, []byte("please"))
	r.Entered(Seat{hubB, bert})
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, State: &State{}})
	return r
}

func kinds(actions []Action) (list []Kind) {
	for _, a := range actions {
		list = append(list, a.Kind)
	}
	return list
}

func sent(actions []Action) (list []Type) {
	for _, a := range actions {
		if a.Kind == Send {
			list = append(list, a.Message.Type)
		}
	}
	return list
}

// While a room has no owner its members wait, five seconds at most.
func TestMembersWaitForAnOwner(t *testing.T) {
	r := edgeOf()
	if _, ok := r.Frame(1, []byte("hello")); !ok {
		t.Fatal("a member cannot speak")
	}
	if got := kinds(r.Take(&Message{Type: TypeRenew, Hub: hubA, Room: r.name, N: r.n})); !slices.Contains(got, Pause) {
		t.Fatalf("an owner that has missed something is spoken to: %v", got)
	}
	if _, ok := r.Frame(1, []byte("hello")); ok {
		t.Fatal("a frame was read that nobody takes")
	}
	if got := kinds(r.Take(attachedTo(r))); !slices.Contains(got, Resume) || !slices.Contains(got, Join) {
		t.Fatalf("the members do not learn of the owner: %v", got)
	}
	r.Take(&Message{Type: TypeRenew, Hub: hubA, Room: r.name, N: r.n})
	for tick := 1; ; tick++ {
		ended := slices.IndexFunc(r.Tick(), func(a Action) bool { return a.Kind == End && a.Reason == ReasonFailed })
		if ended >= 0 && tick == holdMost {
			break
		} else if ended >= 0 || tick > holdMost {
			t.Fatalf("members waited for %d ticks, want %d", tick, holdMost)
		}
	}
	if r.Done() {
		t.Error("the copy was forgotten before anybody has it")
	}
	if r.Take(attachedTo(r)); !r.Done() {
		t.Error("the room is remembered although it was handed over")
	}
}

// A room that is forgotten and needed again attaches with a higher number, or its owner would take it for an old one.
func TestNumbersGrow(t *testing.T) {
	r := edgeOf()
	r.Gone(1, "left")
	r.Take(attachedTo(r))
	if !r.Done() {
		t.Fatal("not done")
	}
	next := New(hubB, r.name, r.Number(), r.view)
	actions := next.Enter(Conn{Conn: 2, Person: Person{ID: "anna"}}, []byte("please"))
	if actions[0].Message.N <= r.n {
		t.Errorf("attachment %d follows %d", actions[0].Message.N, r.n)
	}
}

// A gap means to attach anew: at the owner it asks for that, at the edge it does so.
func TestGaps(t *testing.T) {
	r := ownerOf(false)
	frame := Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 1, Seq: 2, From: 4, Gone: "left"}
	if got := sent(r.Take(&frame)); !slices.Equal(got, []Type{TypeRenew}) {
		t.Errorf("the owner says %v", got)
	}
	if got := sent(r.Take(&frame)); got != nil {
		t.Errorf("the owner says again %v", got)
	}
	late := Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 9, Seq: 1, From: 4, Gone: "left"}
	if got := sent(r.Take(&late)); !slices.Equal(got, []Type{TypeRenew}) {
		t.Errorf("to a message of an attachment that never came the owner says %v", got)
	}
	e := edgeOf()
	gap := Message{Type: TypeDeliver, Hub: hubA, Room: e.name, N: e.n, Seq: 3, To: []int64{1}, Body: []byte("hi")}
	if got := sent(e.Take(&gap)); !slices.Equal(got, []Type{TypeAttach}) {
		t.Errorf("the edge says %v", got)
	}
}

// A gap behind which nothing follows is found by marks.
func TestMarksFindGaps(t *testing.T) {
	r := ownerOf(false)
	up := Mark{To: hubB, Room: r.name, N: 1, Seq: 1}
	if got := sent(r.Marked(hubA, up)); !slices.Equal(got, []Type{TypeRenew}) {
		t.Errorf("of a message that did not come the owner says %v", got)
	}
	up.Seq = 0
	if got := sent(r.Marked(hubA, up)); got != nil {
		t.Errorf("of nothing the owner says %v", got)
	}
	e := edgeOf()
	for _, k := range []Mark{{N: e.n, Seq: 2, Down: true}, {N: e.n - 1, Seq: 0, Down: true}} {
		k.To, k.Room = hubB, e.name
		if got := sent(edgeOf().Marked(hubA, k)); !slices.Equal(got, []Type{TypeAttach}) {
			t.Errorf("of %+v the edge says %v", k, got)
		}
	}
}

// An owner that no longer hears an edge has let go of its members. The edge learns it from the beats.
func TestOwnerDoesNotHear(t *testing.T) {
	r := edgeOf()
	deaf := newView(hubB, map[string]standing{hubB: {degree: 1, hearsUs: true}, hubA: {degree: 1}})
	if deaf.Owner(r.name) != hubA {
		t.Fatal("another owner")
	}
	if got := kinds(r.Viewed(deaf)); !slices.Equal(got, []Kind{Pause, Send}) {
		t.Errorf("%v", got)
	}
}

// A connection that ends before its edge learns that it is a member is taken out of the room.
func TestGoneMeanwhile(t *testing.T) {
	r := edgeOf()
	r.Enter(Conn{Conn: 2, Person: Person{ID: "bert"}}, []byte("please"))
	gone := func(actions []Action, conn int64) bool {
		return slices.ContainsFunc(actions, func(a Action) bool { return a.Kind == Send && a.Message.From == conn && a.Message.Gone != "" })
	}
	if !gone(r.Gone(2, "left"), 2) {
		t.Error("the owner does not learn that a request is over")
	}
	entered := Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: 2, To: []int64{2}, Entered: &Stamp{1, 2}}
	if !gone(r.Take(&entered), 2) {
		t.Error("the owner seats one that is gone")
	}
	r.Take(&Message{Type: TypeRenew, Hub: hubA, Room: r.name, N: r.n})
	answer := attachedTo(r)
	answer.Places = append(answer.Places, Place{Conn: 9})
	if !gone(r.Take(answer), 9) {
		t.Error("the owner seats one that is gone, after an attach")
	}
}

// A copy is pushed without the chats, which the edge has. It forgets them when the room has ended, and only then.
func TestPushedCopies(t *testing.T) {
	r := edgeOf()
	chat := Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: 2, To: []int64{1}, Chat: "1", Body: []byte("hello")}
	r.Take(&chat)
	for i, c := range []struct {
		state State
		chats int
	}{
		{State{Lineage: []string{"a"}, N: 2}, 1},
		{State{Lineage: []string{"a", "b"}, Born: "a", N: 1}, 1}, // united with another life of the room
		{State{Lineage: []string{"a", "b", "c"}, Born: "c", N: 1}, 0},
	} {
		r.Take(&Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: int64(3 + i), State: &c.state})
		if len(r.copied.Chats) != c.chats || r.copied.term() != c.state.term() {
			t.Errorf("%+v makes %+v", c.state, r.copied)
		}
	}
}

// The answer to an attach comes before all else, or it is lost.
func TestAnswerComesFirst(t *testing.T) {
	r := edgeOf()
	r.Take(&Message{Type: TypeRenew, Hub: hubA, Room: r.name, N: r.n})
	chat := Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: 1, To: []int64{1}, Body: []byte("hello")}
	if got := kinds(r.Take(&chat)); !slices.Equal(got, []Kind{Send}) || r.n == chat.N {
		t.Errorf("the edge does %v", got)
	}
	o := ownerOf(false)
	late := State{Lineage: []string{"a"}, N: 1, Memory: Memory{Locked: true}}
	said := sent(o.Take(&Message{Type: TypeAttach, Hub: hubA, Room: o.name, N: 2, State: &late}))
	if !slices.Equal(said, []Type{TypeAttached, TypeDeliver}) {
		t.Errorf("the owner says %v", said)
	}
}

// Ticks are for those who wait for something.
func TestIdle(t *testing.T) {
	member, asks := edgeOf(), edgeOf()
	asks.Take(&Message{Type: TypeRenew, Hub: hubA, Room: asks.name, N: asks.n})
	owner, gathers, empty, early := ownerOf(false), ownerOf(true), ownerOf(false), edgeOf()
	empty.Gone(1, "left")
	early.Take(&Message{Type: TypeAttach, Hub: hubA, Room: early.name, N: 1, State: &State{}})
	for name, c := range map[string]struct {
		room *Room
		idle bool
	}{
		"an edge": {member, true}, "an edge that asks": {asks, false}, "an owner": {owner, true}, "one that gathers": {gathers, false},
		"one without members": {empty, false}, "one that may be the next": {early, false},
	} {
		if c.room.Idle() != c.idle {
			t.Errorf("%s: idle %v", name, c.room.Idle())
		}
	}
}

// Who asks hears nothing of the room before it is let in, though the owner may have seated it once.
func TestAskingHearsNothing(t *testing.T) {
	r := edgeOf()
	r.Enter(Conn{Conn: 2, Person: Person{ID: "carl"}}, []byte("please"))
	heard := func(seq int64, last bool) []int64 {
		for _, a := range r.Take(&Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: seq, To: []int64{1, 2}, Last: last, Body: []byte("bye")}) {
			if a.Kind == Deliver {
				return a.Conns
			}
		}
		return nil
	}
	if got := heard(2, false); !slices.Equal(got, []int64{1}) {
		t.Errorf("%v hear it", got)
	}
	if got := heard(3, true); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("%v hear the last", got)
	}
}
