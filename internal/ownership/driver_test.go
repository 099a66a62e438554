package ownership

import (
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// This file tests what the machines carry for the driver and do not read: what is to be known of a member, and what else
// the room step remembers.

// What the room step says of a member, its edge says to the next owner: also if the message about it was lost.
func TestMemberChanges(t *testing.T) {
	owner, edge := ownerOf(false), edgeOf()
	carl := Conn{Conn: 5, Person: Person{ID: "carl"}, Member: []byte(`"carl"`)}
	owner.Take(&Message{Type: TypeEnter, Hub: hubA, Room: owner.name, N: 1, Seq: 1, Conn: &carl, Body: []byte("please")})
	named := carl
	named.Member = []byte(`"carl 2"`)
	told := func(actions []Action) (member jsontext.Value) {
		for _, a := range actions {
			if a.Kind == Send && a.To == hubA {
				member = a.Message.Member
			}
		}
		return member
	}
	if got := told(owner.Entered(Seat{hubA, named})); string(got) != `"carl 2"` {
		t.Errorf("the edge learns %s of who has entered", got)
	}
	if got := told(owner.Changed(Address{hubA, 5}, []byte(`"carl 3"`))); string(got) != `"carl 3"` {
		t.Errorf("the edge learns %s of who has changed", got)
	}
	if got := owner.Changed(Address{hubA, 5}, []byte(`"carl 3"`)); len(got) != 0 {
		t.Errorf("nothing has changed, and %v is said", sent(got))
	}
	roster := owner.Take(&Message{Type: TypeAttach, Hub: hubA, Room: owner.name, N: 2, Conns: []Conn{carl}, State: &State{}})
	if at := slices.IndexFunc(roster, func(a Action) bool { return a.Kind == Send }); string(roster[at].Message.Roster[1]) != `"carl 3"` {
		t.Errorf("the roster is %s", roster[at].Message.Roster)
	}

	edge.Take(&Message{Type: TypeDeliver, Hub: hubA, Room: edge.name, N: edge.n, Seq: 2, To: []int64{1}, Member: []byte(`"anna 2"`)})
	if got := edge.conns[0].Member; string(got) != `"anna 2"` {
		t.Errorf("the edge knows %s", got)
	}
	edge.attach()
	again := attachedTo(edge)
	again.Roster = []jsontext.Value{[]byte(`"anna 3"`)}
	edge.Take(again)
	if got := edge.conns[0].Member; string(got) != `"anna 3"` {
		t.Errorf("the edge knows %s after a new attachment", got)
	}
}

// A connection that was seated and is attached anew may have missed what the room said, of which the room is told.
func TestRemind(t *testing.T) {
	r := ownerOf(false)
	carl := Conn{Conn: 5, Person: Person{ID: "carl"}}
	attach := func(n int64) []Kind {
		return kinds(r.Take(&Message{Type: TypeAttach, Hub: hubA, Room: r.name, N: n, Conns: []Conn{carl}, State: &State{}}))
	}
	if got := attach(2); !slices.Contains(got, Readmit) || slices.Contains(got, Remind) {
		t.Errorf("to one that was not there the owner does %v", got)
	}
	if got := attach(3); slices.Contains(got, Readmit) || !slices.Contains(got, Remind) {
		t.Errorf("to one that was there the owner does %v", got)
	}
}

// What else a room step remembers is in the copies, and of terms that are united all of it is given back.
func TestRest(t *testing.T) {
	r := ownerOf(false)
	pushes := func(rest ...jsontext.Value) int { return len(sent(r.Remember(Memory{Rest: rest}))) }
	if n := pushes([]byte(`1`)); n != 1 || string(r.copied.Rest[0]) != "1" {
		t.Errorf("%d messages, and the copy has %s", n, r.copied.Rest)
	}
	if n := pushes([]byte(`1`)); n != 0 {
		t.Errorf("%d messages for nothing", n)
	}
	huge := jsontext.Value(make([]byte, maxRest+1))
	if pushes(huge); len(r.copied.Rest) != 0 {
		t.Error("the copy does not fit into a message")
	}
	if n := pushes(huge); n != 0 {
		t.Errorf("%d messages for what does not fit", n)
	}

	with := func(s State, rest ...jsontext.Value) State {
		s.Rest = rest
		return s
	}
	for name, c := range map[string]struct {
		a, b State
		want []jsontext.Value
	}{
		"newer":    {with(term(1, "a"), []byte(`1`)), with(term(2, "a"), []byte(`2`)), []jsontext.Value{[]byte(`2`)}},
		"over":     {with(term(9, "a"), []byte(`1`)), with(term(1, "a", "b")), nil},
		"parallel": {with(term(1, "a", "b"), []byte(`1`)), with(term(1, "a", "c"), []byte(`2`)), []jsontext.Value{[]byte(`1`), []byte(`2`)}},
		"alike":    {with(term(1, "a", "b"), []byte(`1`)), with(term(1, "a", "c"), []byte(`1`)), []jsontext.Value{[]byte(`1`)}},
		"too much": {with(term(1, "a", "b"), []byte(`1`)), with(term(1, "a", "c"), huge[1:]), []jsontext.Value{[]byte(`1`)}},
	} {
		if m := merge(c.a, c.b); !equal(m.Rest, c.want) {
			t.Errorf("%s: %.20s", name, m.Rest)
		}
	}
}
