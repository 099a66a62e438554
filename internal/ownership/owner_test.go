package ownership

import (
	"slices"
	"strings"
	"testing"
)

// An owner to be waits for the copies of all, three seconds at most.
func TestOwnerGathers(t *testing.T) {
	r := ownerOf(true)
	for tick := 1; !r.Owns(); tick++ {
		opens := slices.Contains(kinds(r.Tick()), Open)
		if opens != (tick == gatherMost) {
			t.Fatalf("tick %d: open %v", tick, opens)
		}
	}
	r = ownerOf(true)
	if got := kinds(r.Viewed(viewOf(hubB, true, hubA))); !slices.Contains(got, Open) {
		t.Errorf("all have settled, and the owner does %v", got)
	}
}

// A locked room to which nobody comes back ends after ten seconds, and its lock with it.
func TestLockedRoomEnds(t *testing.T) {
	v := viewOf(hubB, true, hubA)
	r := New(hubB, ownedBy(v, hubB), 0, v)
	locked := State{Lineage: []string{"a"}, N: 3, Memory: Memory{Locked: true}, Roster: []Person{{ID: "anna"}}}
	opened := r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, Over: true, State: &locked})
	if opened[0].Kind != Open || !opened[0].State.Locked || !slices.Equal(opened[0].State.Away, locked.Roster) {
		t.Fatalf("opened %+v", opened[0])
	}
	for tick := 1; !r.Done(); tick++ {
		ends := slices.Contains(kinds(r.Tick()), Close)
		if ends != (tick == emptyMost) {
			t.Fatalf("tick %d: ends %v", tick, ends)
		}
	}
}

// An edge from which somebody still asks has a copy that is locked. It learns of the end too.
func TestLockEndsAtEdges(t *testing.T) {
	r := ownerOf(false)
	r.Gone(1, "left")
	r.Remember(Memory{Locked: true, Away: []Person{{ID: "bert"}}})
	var last []Action
	for range emptyMost {
		last = r.Tick()
	}
	if !slices.ContainsFunc(last, func(a Action) bool { return a.Kind == Adopt && !a.State.Locked }) {
		t.Errorf("the lock does not end: %v", kinds(last))
	}
	if !slices.ContainsFunc(last, func(a Action) bool {
		return a.Kind == Send && a.To == hubA && a.Message.State != nil && !a.Message.State.Locked
	}) {
		t.Errorf("the edge does not learn that the lock has ended: %v", sent(last))
	}
}

// A request to enter may have waited while its hub died, and its member dialled another: it replaces no connection at another
// hub unless its own hub says, asked then, that it still wants that.
func TestLateEnter(t *testing.T) {
	owner := ownerOf(false)
	bert := Conn{Conn: 7, Person: Person{ID: "bert"}}
	enter := Message{Type: TypeEnter, Hub: hubA, Room: owner.name, N: 1, Seq: 1, Conn: &bert, Body: []byte("please")}
	asked := owner.Take(&enter)
	if !slices.Equal(sent(asked), []Type{TypeDeliver}) || len(asked) != 1 || !asked[0].Message.Again || asked[0].Message.Body != nil {
		t.Fatalf("the owner does %+v", asked)
	}
	again := enter
	again.Seq = 2
	if got := kinds(owner.Take(&again)); !slices.Equal(got, []Kind{Judge}) {
		t.Errorf("asked again, the owner does %v", got)
	}

	for _, gone := range []bool{false, true} {
		edge := edgeOf()
		edge.Enter(Conn{Conn: 7, Person: Person{ID: "bert"}}, []byte("please"))
		if gone {
			edge.Gone(7, ReasonLost)
		}
		got := sent(edge.Take(&Message{Type: TypeDeliver, Hub: hubA, Room: edge.name, N: edge.n, Seq: 2, To: []int64{7}, Again: true}))
		if slices.Contains(got, TypeEnter) == gone {
			t.Errorf("gone %v: the edge says %v", gone, got)
		}
	}
}

// A verdict about a member whose hub has died meanwhile seats nobody.
func TestLateVerdict(t *testing.T) {
	r := ownerOf(false)
	carl := Conn{Conn: 5, Person: Person{ID: "carl"}}
	judged := r.Take(&Message{Type: TypeEnter, Hub: hubA, Room: r.name, N: 1, Seq: 1, Conn: &carl, Body: []byte("please")})
	if !slices.Equal(kinds(judged), []Kind{Judge}) {
		t.Fatalf("%v", kinds(judged))
	}
	r.Viewed(viewOf(hubB, true))
	if got := kinds(r.Entered(judged[0].Seat)); !slices.Equal(got, []Kind{Leave}) || len(r.owned.seats) != 1 {
		t.Errorf("%v, seats %v", got, r.owned.seats)
	}
}

// Foreign messages do not fill a hub that gathers.
func TestQueueIsBounded(t *testing.T) {
	r := ownerOf(true)
	for seq := int64(1); seq <= 2*queuedMost; seq++ {
		r.Take(&Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 1, Seq: seq, From: 1, Gone: "left"})
	}
	if n := len(r.owned.queue); n != queuedMost {
		t.Errorf("%d messages wait, want %d", n, queuedMost)
	}
	for _, hub := range hubIDs(2 * earlyMost) {
		r.Take(&Message{Type: TypeAttach, Hub: hub, Room: r.name, N: 1, State: &State{}})
	}
	if n := len(r.early); n != earlyMost {
		t.Errorf("%d attaches wait, want %d", n, earlyMost)
	}
}

// A copy that comes late counts unless its term is over.
func TestLateCopies(t *testing.T) {
	for name, c := range map[string]struct {
		lineage []string
		locked  bool
	}{"of a term that is over": {[]string{"a"}, false}, "of one that nobody knew": {[]string{"a", "b"}, true}} {
		v := viewOf(hubB, true, hubA)
		r := New(hubB, ownedBy(v, hubB), 0, v)
		attach := Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, State: &State{Lineage: []string{"a"}, N: 1}}
		anna := Conn{Conn: 1, Person: Person{ID: "anna"}}
		attach.Conns = []Conn{anna, {Conn: 2, Person: Person{ID: "mallory"}}}
		r.Take(&attach)
		before := r.owned.state.term()
		attach.N, attach.State = 2, &State{
			Lineage: c.lineage, N: 9, Memory: Memory{Locked: true, Barred: []Person{{ID: "mallory"}}}, Roster: []Person{{ID: "carl"}},
		}
		actions := r.Take(&attach)
		own := strings.HasPrefix(r.owned.state.term(), hubB)
		if r.owned.state.Locked != c.locked || (r.owned.state.term() != before) != c.locked || !own {
			t.Errorf("a copy %s: %+v", name, r.owned.state)
		}
		if awaits := slices.Equal(r.owned.state.Away, []Person{{ID: "carl"}}); awaits != c.locked {
			t.Errorf("a copy %s: away are %v", name, r.owned.state.Away)
		}
		if at := slices.IndexFunc(actions, func(a Action) bool { return a.Kind == Adopt }); at < 0 || actions[at].State.Locked != c.locked {
			t.Errorf("a copy %s: the room step learns %v", name, kinds(actions))
		}
		if len(r.owned.seats) != 1 || r.owned.seats[0].ID != "anna" {
			t.Errorf("a copy %s: who was kicked sits there: %v", name, people(r.owned.seats))
		}
	}
}

// An attach may come before the view by which its receiver owns the room, and nothing follows it: its hub has settled.
func TestEarlyAttach(t *testing.T) {
	alone, both := viewOf(hubB, true), viewOf(hubB, true, hubA)
	r := New(hubB, ownedBy(both, hubB), 0, alone)
	attach := Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, State: &State{}, Conns: []Conn{{Conn: 1, Person: Person{ID: "anna"}}}}
	if got := r.Take(&attach); got != nil || r.Done() {
		t.Fatalf("%v, done %v", kinds(got), r.Done())
	}
	opened := r.Viewed(both)
	if !slices.Contains(kinds(opened), Open) || len(r.owned.seats) != 1 {
		t.Errorf("%v", kinds(opened))
	}
	r = New(hubB, r.name, 0, alone)
	r.Take(&attach)
	for range earlyFor + 1 {
		r.Tick()
	}
	if !r.Done() {
		t.Error("an attach is kept for which its hub has made another")
	}
}

// Of two connections of one member the younger stays, whichever comes first.
func TestCollisions(t *testing.T) {
	older := Conn{Conn: 3, Person: Person{ID: "anna"}, Order: Stamp{2, 1}}
	younger := Conn{Conn: 1, Person: Person{ID: "anna"}, Order: Stamp{2, 2}}
	for _, conns := range [][2]Conn{{older, younger}, {younger, older}} {
		for _, gathering := range []bool{true, false} {
			v := viewOf(hubB, !gathering, hubA)
			r := New(hubB, ownedBy(v, hubB), 0, v)
			attach := Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, State: &State{}, Conns: conns[:1]}
			if gathering {
				attach.Conns = conns[:]
			}
			actions := r.Take(&attach)
			attach.N, attach.Conns = 2, conns[:]
			actions = append(actions, r.Take(&attach)...)
			actions = append(actions, r.Viewed(viewOf(hubB, true, hubA))...)
			if len(r.owned.seats) != 1 || r.owned.seats[0].Conn.Conn != younger.Conn {
				t.Errorf("gathering %v, %v: seats %v", gathering, conns, r.owned.seats)
			}
			if !slices.ContainsFunc(actions, func(a Action) bool {
				return a.Kind == Send && a.Message.Reason == ReasonRestart && slices.Equal(a.Message.To, []int64{older.Conn})
			}) {
				t.Errorf("gathering %v, %v: the older is not told to dial again", gathering, conns)
			}
		}
	}
}

// What an edge knew that dies while the room is gathered is not lost, also if another hub owns the room then.
func TestCopyOfTheDead(t *testing.T) {
	const hubC = "cccccccccccccccccccccccccccccccc"
	dead := viewOf(hubB, false, hubA)
	moved := newView(hubB, map[string]standing{hubB: {hearsUs: true}, hubA: {degree: 2, hearsUs: true}})
	unknown := newView(hubB, map[string]standing{hubB: {hearsUs: true}, hubA: {degree: 2, hearsUs: true}, hubC: {degree: 1}})
	for name, views := range map[string][]*View{
		"before it moves": {dead, moved}, "as it moves": {moved}, "and nobody knows": {unknown},
	} {
		v := viewOf(hubB, false, hubA, hubC)
		r := New(hubB, ownedBy(v, hubB), 0, v)
		locked := State{Lineage: []string{"a"}, N: 1, Memory: Memory{Locked: true}}
		r.Take(&Message{Type: TypeAttach, Hub: hubC, Room: r.name, N: 1, Over: true, State: &locked})
		var actions []Action
		for _, next := range views {
			actions = r.Viewed(next)
		}
		if len(actions) != 1 || actions[0].To != hubA || !actions[0].Message.State.Locked {
			t.Errorf("%s: %+v", name, actions)
		}
	}
}

// A chat that only a late copy knows is said to those who are there.
func TestChatsOfLateCopies(t *testing.T) {
	r := ownerOf(false)
	late := State{Lineage: []string{"a"}, N: 1, Chats: []Chat{{"1", []byte("hello")}}}
	actions := r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 2, State: &late})
	if !slices.ContainsFunc(actions, func(a Action) bool {
		return a.Kind == Deliver && string(a.Body) == "hello" && slices.Equal(a.Conns, []int64{1})
	}) {
		t.Errorf("%v", kinds(actions))
	}
}

// An owner gives what it remembers to the next one, even if no edge has a copy.
func TestHandOver(t *testing.T) {
	v := viewOf(hubB, true, hubA)
	r := New(hubB, ownedBy(v, hubB), 0, v)
	locked := State{Lineage: []string{"a"}, N: 3, Memory: Memory{Locked: true}, Roster: []Person{{ID: "anna"}}}
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, Over: true, State: &locked})
	drains := newView(hubB, map[string]standing{hubB: {degree: 1, draining: true, hearsUs: true}, hubA: {degree: 1, hearsUs: true}})
	actions := r.Viewed(drains)
	if !slices.Equal(kinds(actions), []Kind{Close, Send}) || !actions[1].Message.State.Locked || !actions[1].Message.Over {
		t.Fatalf("%+v", actions)
	}
	if r.Done() {
		t.Error("forgotten before the next owner has it")
	}
	if r.Take(attachedTo(r)); !r.Done() {
		t.Error("remembered although the next owner has it")
	}
}

// An attach says everything anew: who is not in it is no longer there, and what was asked before is over.
func TestAttachReplaces(t *testing.T) {
	r := ownerOf(true)
	carl := Conn{Conn: 5, Person: Person{ID: "carl"}}
	r.Take(&Message{Type: TypeEnter, Hub: hubA, Room: r.name, N: 1, Seq: 1, Conn: &carl, Body: []byte("please")})
	anna := Conn{Conn: 1, Person: Person{ID: "anna"}}
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 2, State: &State{}, Conns: []Conn{anna}})
	opened := r.Viewed(viewOf(hubB, true, hubA))
	for _, a := range opened {
		if a.Kind == Judge && a.Seat.ID == "carl" {
			t.Error("a request is judged that its edge no longer makes")
		}
	}
	if got := people(r.owned.seats); !slices.Equal(got, []Person{{ID: "anna"}}) {
		t.Fatalf("seats %v", got)
	}
	again := r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 3, State: &State{}})
	if !slices.ContainsFunc(again, func(a Action) bool { return a.Kind == Leave && a.Seat.ID == "anna" }) || len(r.owned.seats) != 0 {
		t.Errorf("%v, seats %v", kinds(again), people(r.owned.seats))
	}
}

// With a hub die its members, for the room.
func TestDeadEdge(t *testing.T) {
	r := ownerOf(false)
	anna := Conn{Conn: 5, Person: Person{ID: "anna"}}
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 2, State: &State{}, Conns: []Conn{anna}})
	actions := r.Viewed(viewOf(hubB, true))
	if !slices.Equal(kinds(actions), []Kind{Leave}) || actions[0].Seat.ID != "anna" || len(r.owned.seats) != 1 {
		t.Errorf("%v, seats %v", kinds(actions), people(r.owned.seats))
	}
}

// A room whose last members were at a hub that seems to be dead has not ended: they may be alive, and in it. After ten seconds
// it has.
func TestMembersOfADeadHubMayComeBack(t *testing.T) {
	r := ownerOf(false)
	anna := Conn{Conn: 5, Person: Person{ID: "anna"}}
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 2, State: &State{}, Conns: []Conn{anna}})
	r.Remember(Memory{Locked: true})
	if !r.Ends() {
		t.Error("all hubs live, and the room does not end with its last member")
	}
	r.Viewed(viewOf(hubB, true))
	r.Gone(1, "left")
	if r.Ends() || r.Idle() {
		t.Errorf("ends %v, idle %v", r.Ends(), r.Idle())
	}
	r.Remember(Memory{Locked: true, Away: []Person{anna.Person}})
	r.Viewed(viewOf(hubB, true, hubA))
	state := r.owned.state
	back := r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 3, State: &state, Conns: []Conn{anna}})
	if !slices.Contains(kinds(back), Readmit) || !r.owned.state.Locked {
		t.Errorf("back, %v, locked %v", kinds(back), r.owned.state.Locked)
	}
	for range emptyMost {
		r.Tick()
	}
	v := viewOf(hubB, true, hubA)
	next := New(hubB, ownedBy(v, hubB), 0, v)
	roster := State{Lineage: []string{"a"}, N: 1, Roster: []Person{anna.Person, {ID: "carl"}}}
	if next.Take(&Message{Type: TypeAttach, Hub: hubA, Room: next.name, N: 1, State: &roster, Conns: []Conn{anna}}); !next.Owns() || next.Ends() {
		t.Errorf("owns %v, and the room ends without one who was at the owner before", next.Owns())
	}
	if !r.Ends() {
		t.Error("long after all hubs live the room does not end with its last member")
	}
}

// A connection may end while the room step is asked about it: the verdict seats nobody.
func TestGoneWhileJudged(t *testing.T) {
	r := ownerOf(true)
	carl := Conn{Conn: 5, Person: Person{ID: "carl"}}
	r.Take(&Message{Type: TypeEnter, Hub: hubA, Room: r.name, N: 1, Seq: 1, Conn: &carl, Body: []byte("please")})
	r.Take(&Message{Type: TypeFrame, Hub: hubA, Room: r.name, N: 1, Seq: 2, From: 5, Gone: "left"})
	opened := r.Viewed(viewOf(hubB, true, hubA))
	judged := slices.IndexFunc(opened, func(a Action) bool { return a.Kind == Judge && a.Seat.ID == "carl" })
	left := slices.IndexFunc(opened, func(a Action) bool { return a.Kind == Leave && a.Seat.Conn.Conn == 5 })
	if judged < 0 || left < judged {
		t.Fatalf("%v", kinds(opened))
	}
	r.Entered(opened[judged].Seat)
	if slices.ContainsFunc(r.owned.seats, func(s Seat) bool { return s.ID == "carl" }) || len(r.owned.judged)+len(r.owned.gone) > 1 {
		t.Errorf("seats %v, judged %v, gone %v", people(r.owned.seats), r.owned.judged, r.owned.gone)
	}
}

// Members of the edge that brings a chat have heard it.
func TestLateChatsAreNotSaidTwice(t *testing.T) {
	r := ownerOf(false)
	anna := Conn{Conn: 5, Person: Person{ID: "anna"}}
	attach := Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 2, State: &State{}, Conns: []Conn{anna}}
	r.Take(&attach)
	attach.N, attach.State = 3, &State{Lineage: []string{"a"}, N: 1, Chats: []Chat{{"1", []byte("hello")}}}
	for _, a := range r.Take(&attach) {
		if a.Kind == Send && string(a.Message.Body) == "hello" {
			t.Errorf("said again to %v of %s", a.Message.To, a.To)
		}
	}
}

// What comes after the end of a room is another: copies from before say nothing about it.
func TestFinish(t *testing.T) {
	r := ownerOf(false)
	r.Deliver(Delivery{To: []Address{{hubB, 1}}, Chat: "1", Body: []byte("hello")})
	r.Remember(Memory{Barred: []Person{{ID: "mallory"}}})
	before := r.owned.state
	r.Gone(1, "left")
	told := r.Finish()
	if s := r.owned.state; s.lived() || s.Born != s.term() || !s.outlives(&before) || !slices.Equal(sent(told), []Type{TypeDeliver}) {
		t.Errorf("%+v, and the edge learns %v", s, sent(told))
	}
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 2, State: &before})
	if r.owned.state.lived() {
		t.Errorf("a copy from before brings back %+v", r.owned.state)
	}
}

// What comes behind an attach that waits for a view waits with it. Answered by renew, its hub would attach again at once, and
// so on for as long as the views differ.
func TestBehindEarlyAttach(t *testing.T) {
	alone, both := viewOf(hubB, true), viewOf(hubB, true, hubA)
	r := New(hubB, ownedBy(both, hubB), 0, alone)
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, State: &State{}})
	carl := Conn{Conn: 5, Person: Person{ID: "carl"}}
	enter := Message{Type: TypeEnter, Hub: hubA, Room: r.name, N: 1, Seq: 1, Conn: &carl, Body: []byte("please")}
	if got := append(r.Take(&enter), r.Marked(hubA, Mark{To: hubB, Room: r.name, N: 1, Seq: 1})...); len(got) != 0 {
		t.Errorf("answered by %v", sent(got))
	}
	if got := kinds(r.Viewed(both)); !slices.Equal(got, []Kind{Open, Send, Judge}) {
		t.Errorf("with the view the owner does %v", got)
	}
	r = New(hubB, ownedBy(both, hubB), 0, alone)
	r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: 1, State: &State{}})
	for seq := range int64(2 * behindMost) {
		enter.Seq = seq + 1
		r.Take(&enter)
	}
	if n := len(r.early); n != earlyMost+behindMost {
		t.Errorf("%d messages wait, want %d", n, earlyMost+behindMost)
	}
}

// An owner whose edge seems to be dead may be dead to that: another may own the room there, in a term that follows. What
// happens here meanwhile counts when they meet.
func TestTornTerms(t *testing.T) {
	here, there := ownerOf(false), State{}
	there.Lineage = append(slices.Clone(here.owned.state.Lineage), "there")
	there.N = 1
	here.Viewed(viewOf(hubB, true))
	here.Remember(Memory{Locked: true})
	if m := merge(here.owned.state, there); !m.Locked {
		t.Errorf("the lock of %v is over with %v", here.owned.state.Lineage, there.Lineage)
	}
}
