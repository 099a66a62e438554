package ownership

import (
	"bytes"
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

// While a room has no owner its members wait, ten seconds at most.
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

// A frame is sent again as it was, though the buffer that it was read into has another one since.
func TestFramesOutliveTheirBuffer(t *testing.T) {
	r := edgeOf()
	encoded := func(actions []Action) []byte {
		t.Helper()
		if len(actions) != 1 || actions[0].Kind != Send {
			t.Fatalf("%v", kinds(actions))
		}
		data, err := actions[0].Message.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	buffer := []byte("hello")
	actions, _ := r.Frame(1, buffer)
	first, seq := encoded(actions), actions[0].Message.Seq
	copy(buffer, "OTHER")
	again := encoded(r.Take(&Message{Type: TypeMissed, Hub: hubA, Room: r.name, N: r.n, Missed: []int64{seq}}))
	if !bytes.Equal(again, first) {
		t.Errorf("%s, and then %s", first, again)
	}
}

// missedIn returns what is asked for again.
func missedIn(actions []Action) (missed []int64) {
	for _, a := range actions {
		if a.Kind == Send && a.Message.Type == TypeMissed {
			missed = append(missed, a.Message.Missed...)
		}
	}
	return missed
}

// What is missing is asked for, once and then with each tick; what has come before it waits, and has its turn then.
func TestGaps(t *testing.T) {
	r := ownerOf(false)
	frame := func(seq int64) *Message {
		return &Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 1, Seq: seq, From: seq, Gone: "left"}
	}
	steps := func(actions []Action) (conns []int64) {
		for _, a := range actions {
			if a.Kind == Leave {
				conns = append(conns, a.Seat.Conn.Conn)
			}
		}
		return conns
	}
	for _, c := range []struct {
		seq           int64
		missed, steps []int64
	}{{3, []int64{1, 2}, nil}, {3, nil, nil}, {5, []int64{4}, nil}, {2, nil, nil}, {1, nil, []int64{1, 2, 3}}, {1, nil, nil}, {6, nil, nil}} {
		got := r.Take(frame(c.seq))
		if missed := missedIn(got); !slices.Equal(missed, c.missed) || !slices.Equal(steps(got), c.steps) {
			t.Errorf("with %d come %v, and %v is asked for; want %v, %v", c.seq, steps(got), missed, c.steps, c.missed)
		}
	}
	if got := r.Tick(); !slices.Equal(missedIn(got), []int64{4}) {
		t.Errorf("with a tick the owner says %v", sent(got))
	}
	if got := steps(r.Take(frame(4))); !slices.Equal(got, []int64{4, 5, 6}) {
		t.Errorf("with the last that was missing come %v", got)
	}
	if got := missedIn(r.Tick()); got != nil {
		t.Errorf("nothing is missing, and %v is asked for", got)
	}
	late := Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 9, Seq: 1, From: 4, Gone: "left"}
	if got := sent(r.Take(&late)); !slices.Equal(got, []Type{TypeRenew}) {
		t.Errorf("to a message of an attachment that never came the owner says %v", got)
	}
	e := edgeOf()
	gap := Message{Type: TypeDeliver, Hub: hubA, Room: e.name, N: e.n, Seq: 3, To: []int64{1}, Body: []byte("hi")}
	if got := e.Take(&gap); !slices.Equal(missedIn(got), []int64{2}) || !e.Ready() {
		t.Errorf("the edge says %v", sent(got))
	}
}

// What was sent is sent again if it is asked for, and kept for a while and within bounds. Then the edge attaches anew.
func TestSentAgain(t *testing.T) {
	missed := func(r *Room, down bool, numbers ...int64) []Action {
		return r.Take(&Message{Type: TypeMissed, Hub: hubA, Room: r.name, N: 1, Missed: numbers, Down: down})
	}
	e := edgeOf() // 1 was its enter
	e.Frame(1, []byte("hello"))
	if got := missed(e, false, 1, 2); !slices.Equal(sent(got), []Type{TypeEnter, TypeFrame}) || string(got[1].Message.Body) != "hello" {
		t.Errorf("the edge says again %v", sent(got))
	}
	for range keptFor {
		e.Tick()
	}
	if got := sent(missed(e, false, 2)); !slices.Equal(got, []Type{TypeAttach}) {
		t.Errorf("the edge, which does not keep it, says %v", got)
	}
	o := ownerOf(false)
	for range 2 * keptMost {
		o.Deliver(Delivery{To: []Address{{hubA, 1}}, Body: []byte("hello")})
	}
	if n := len(o.owned.edge(hubA).out.kept); n != keptMost {
		t.Errorf("the owner keeps %d", n)
	}
	if got := sent(missed(o, true, 2*keptMost-1, 2*keptMost)); !slices.Equal(got, []Type{TypeDeliver, TypeDeliver}) {
		t.Errorf("the owner says again %v", got)
	}
	if got := sent(missed(o, true, 1)); !slices.Equal(got, []Type{TypeRenew}) {
		t.Errorf("the owner, which does not keep it, says %v", got)
	}
	if got := sent(o.Tick()); !slices.Equal(got, []Type{TypeRenew}) {
		t.Errorf("with a tick the owner says %v", got)
	}
	big := ownerOf(false)
	for range 8 {
		big.Deliver(Delivery{To: []Address{{hubA, 1}}, Body: make([]byte, keptBytes/4)})
	}
	if n := len(big.owned.edge(hubA).out.kept); n != 3 {
		t.Errorf("of large ones the owner keeps %d", n)
	}
}

// What is missing for too long, and what is too much to wait for, needs the next attachment.
func TestMissedForTooLong(t *testing.T) {
	for name, c := range map[string]struct {
		room *Room
		want Type
		take func(r *Room, seq int64) []Action
	}{
		"owner": {ownerOf(false), TypeRenew, func(r *Room, seq int64) []Action {
			return r.Take(&Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 1, Seq: seq, From: 1, Gone: "left"})
		}},
		"edge": {edgeOf(), TypeAttach, func(r *Room, seq int64) []Action {
			return r.Take(&Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: seq, To: []int64{1}, Body: []byte("hi")})
		}},
	} {
		c.take(c.room, 3)
		for tick := 1; tick <= missedFor; tick++ {
			if anew := slices.Contains(sent(c.room.Tick()), c.want); anew != (tick == missedFor) {
				t.Errorf("%s, tick %d: anew %v", name, tick, anew)
			}
		}
	}
	flooded, first := ownerOf(false), 0
	for seq := int64(2); seq <= 2*keptMost; seq++ {
		got := flooded.Take(&Message{Type: TypeFrame, Hub: hubA, Room: flooded.name, N: 1, Seq: seq, From: 1, Gone: "left"})
		if first == 0 && slices.Contains(sent(got), TypeRenew) {
			first = int(seq)
		}
	}
	if n := len(flooded.owned.edge(hubA).in.ahead); n != keptMost || first != keptMost+2 {
		t.Errorf("%d wait, and the owner gives up at %d", n, first)
	}
}

// A gap behind which nothing follows is found by marks.
func TestMarksFindGaps(t *testing.T) {
	r := ownerOf(false)
	up := Mark{To: hubB, Room: r.name, N: 1, Seq: 1}
	if got := r.Marked(hubA, up); !slices.Equal(missedIn(got), []int64{1}) {
		t.Errorf("of a message that did not come the owner says %v", sent(got))
	}
	up.Seq = 0
	if got := sent(r.Marked(hubA, up)); got != nil {
		t.Errorf("of nothing the owner says %v", got)
	}
	e := edgeOf()
	down := Mark{To: hubB, Room: e.name, N: e.n, Seq: 3, Down: true}
	if got := e.Marked(hubA, down); !slices.Equal(missedIn(got), []int64{2, 3}) {
		t.Errorf("of %+v the edge says %v", down, sent(got))
	}
	down.N--
	if got := sent(e.Marked(hubA, down)); !slices.Equal(got, []Type{TypeAttach}) {
		t.Errorf("of %+v the edge says %v", down, got)
	}
}

// Somebody has attached in the name of a hub, with a number that it would never have come to. It attaches above that as soon as
// it learns of it, whether it was answered before or not; or, if it has no part in the room, lets go of it.
func TestAttachedByAnother(t *testing.T) {
	const far = 1 << 40
	waiting := edgeOf()
	waiting.Viewed(viewOf(hubB, true))
	waiting.Viewed(viewOf(hubB, true, hubA))
	for _, r := range []*Room{edgeOf(), waiting} {
		actions := r.Marked(hubA, Mark{To: hubB, Room: r.name, N: far, Down: true})
		if last := actions[len(actions)-1]; last.Kind != Send || last.Message.Type != TypeAttach || last.Message.N != far+1 {
			t.Errorf("attached before %v: %v, %d", r == waiting, sent(actions), r.n)
		}
	}
	owner := ownerOf(false)
	owner.Take(&Message{Type: TypeAttach, Hub: hubA, Room: owner.name, N: far, State: &State{}, Conns: []Conn{{Conn: 1, Person: Person{ID: "ghost"}}}})
	if len(owner.owned.seats) != 2 {
		t.Fatalf("seats %v", owner.owned.seats)
	}
	noPart := NoPart(hubA, owner.name, far)
	owner.Take(&noPart)
	if seats := owner.owned.seats; len(seats) != 1 || owner.owned.edge(hubA) != nil {
		t.Errorf("of who has no part the owner keeps %v", seats)
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

// The answer to an attach comes before all else. If it was lost, what follows waits for it.
func TestAnswerComesFirst(t *testing.T) {
	r := edgeOf()
	r.Take(&Message{Type: TypeRenew, Hub: hubA, Room: r.name, N: r.n})
	chat := Message{Type: TypeDeliver, Hub: hubA, Room: r.name, N: r.n, Seq: 1, To: []int64{1}, Body: []byte("hello")}
	if got := r.Take(&chat); !slices.Equal(kinds(got), []Kind{Send}) || !slices.Equal(missedIn(got), []int64{0}) {
		t.Errorf("the edge does %v", kinds(got))
	}
	if got := kinds(r.Take(attachedTo(r))); !slices.Equal(got, []Kind{Join, Resume, Deliver}) {
		t.Errorf("with the answer the edge does %v", got)
	}
	o := ownerOf(false)
	late := Message{Type: TypeAttach, Hub: hubA, Room: o.name, N: 2, State: &State{Lineage: []string{"a"}, N: 1, Memory: Memory{Locked: true}}}
	if said := sent(o.Take(&late)); !slices.Equal(said, []Type{TypeAttached, TypeDeliver}) {
		t.Errorf("the owner says %v", said)
	}
	if said := sent(o.Take(&late)); !slices.Equal(said, []Type{TypeAttached}) {
		t.Errorf("to the same attach the owner says %v", said)
	}
}

// Ticks are for those who wait for something.
func TestIdle(t *testing.T) {
	member, asks := edgeOf(), edgeOf()
	asks.Take(&Message{Type: TypeRenew, Hub: hubA, Room: asks.name, N: asks.n})
	owner, gathers, empty, early := ownerOf(false), ownerOf(true), ownerOf(false), edgeOf()
	empty.Gone(1, "left")
	for _, r := range []*Room{member, asks, owner, gathers, empty, early} {
		for range keptFor { // until nothing that was sent is kept any longer
			r.Tick()
		}
	}
	gathers = ownerOf(true)
	early.Take(&Message{Type: TypeAttach, Hub: hubA, Room: early.name, N: 1, State: &State{}})
	misses := edgeOf()
	misses.out = outbound{}
	misses.Marked(hubA, Mark{To: hubB, Room: misses.name, N: misses.n, Seq: 9, Down: true})
	for name, c := range map[string]struct {
		room *Room
		idle bool
	}{
		"an edge": {member, true}, "an edge that asks": {asks, false}, "an owner": {owner, true}, "one that gathers": {gathers, false},
		"one without members": {empty, false}, "one that may be the next": {early, false},
		"an edge that misses something": {misses, false}, "one that has sent something": {edgeOf(), false},
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
