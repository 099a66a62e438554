package ownership

import (
	"slices"
	"testing"
)

func locked(s State) State {
	s.Locked = true
	return s
}

func term(n int64, lineage ...string) State { return State{Lineage: lineage, N: n} }

func TestMergeLocks(t *testing.T) {
	for name, c := range map[string]struct {
		copies []State
		locked bool
	}{
		"blank":                       {[]State{{}, {}}, false},
		"a blank copy knows nothing":  {[]State{{}, locked(term(1, "a"))}, true},
		"the newer says locked":       {[]State{term(1, "a"), locked(term(2, "a"))}, true},
		"the newer says unlocked":     {[]State{locked(term(1, "a")), term(2, "a")}, false},
		"a term that is over":         {[]State{locked(term(9, "a")), term(1, "a", "b")}, false},
		"over two terms ago":          {[]State{locked(term(9, "a")), term(1, "a", "b"), term(1, "a", "b", "c")}, false},
		"the term that follows":       {[]State{term(9, "a"), locked(term(1, "a", "b"))}, true},
		"parallel, one is locked":     {[]State{term(9, "a", "b"), locked(term(1, "a", "c"))}, true},
		"parallel, neither is locked": {[]State{term(9, "a", "b"), term(1, "a", "c")}, false},
		"their ancestor is over":      {[]State{term(9, "a", "b"), term(1, "a", "c"), locked(term(1, "a"))}, false},
	} {
		for range c.copies { // in any order
			c.copies = append(c.copies[1:], c.copies[0])
			if got := merge(c.copies...); got.Locked != c.locked {
				t.Errorf("%s: locked %v, want %v", name, got.Locked, c.locked)
			}
		}
	}
}

func TestMergeUnites(t *testing.T) {
	a := State{Lineage: []string{"a", "b"}, Roster: []Person{{ID: "anna"}}, Memory: Memory{Away: []Person{{ID: "bert"}}, Barred: []Person{{ID: "mallory"}}}, Chats: []Chat{{ID: "1"}, {ID: "2"}}}
	b := State{Lineage: []string{"a", "c"}, Roster: []Person{{ID: "carl"}}, Memory: Memory{Away: []Person{{ID: "bert"}}, Barred: []Person{{ID: "oscar"}}}, Chats: []Chat{{ID: "2"}, {ID: "3"}}}
	m := merge(a, b)
	ids := func(list []Person) (ids []string) {
		for _, p := range list {
			ids = append(ids, p.ID)
		}
		return ids
	}
	var chats []string
	for _, c := range m.Chats {
		chats = append(chats, c.ID)
	}
	for name, c := range map[string]struct{ got, want []string }{
		"lineage": {m.Lineage, []string{"a", "b", "c"}},
		"roster":  {ids(m.Roster), []string{"anna", "carl"}},
		"away":    {ids(m.Away), []string{"bert"}},
		"barred":  {ids(m.Barred), []string{"mallory", "oscar"}},
		"chats":   {chats, []string{"1", "2", "3"}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

// A merged copy is of the last of the terms that live, or what comes later of that would not be known as newer.
func TestMergedTerm(t *testing.T) {
	over, alive, other := term(9, "x", "b"), term(2, "a", "b", "c"), term(7, "a", "d")
	for _, copies := range [][]State{{over, alive}, {alive, over}, {other, over, alive}} {
		if m := merge(copies...); m.term() != "c" || m.N != 2 || !m.descends("x") {
			t.Errorf("%v: %+v", copies, m)
		}
	}
}

// Kicks outlive the term in which they were made, but not the room.
func TestMergeOldKicks(t *testing.T) {
	old := State{Lineage: []string{"a"}, N: 4, Memory: Memory{Barred: []Person{{ID: "mallory"}}}, Chats: []Chat{{ID: "1"}}}
	if m := merge(old, term(1, "a", "b")); len(m.Barred) != 1 || len(m.Chats) != 1 {
		t.Errorf("a kick of the term before is forgotten: %+v", m)
	}
	reborn := term(1, "a", "b")
	reborn.Born = "b"
	if m := merge(old, reborn); len(m.Barred) != 0 || len(m.Chats) != 0 || m.Born != "b" {
		t.Errorf("a room that has ended remembers: %+v", m)
	}
	later := term(1, "a", "b", "c")
	later.Born = "b"
	if m := merge(old, reborn, later); len(m.Barred) != 0 || m.Born != "b" {
		t.Errorf("the room after one that has ended remembers: %+v", m)
	}
	apart := State{Lineage: []string{"a", "d"}, N: 1, Memory: Memory{Barred: []Person{{ID: "mallory"}}}}
	if m := merge(reborn, apart); len(m.Barred) != 1 || m.Born != "" {
		t.Errorf("the room went on elsewhere, and its kick is forgotten: %+v", m)
	}
}

func TestMergeIsBounded(t *testing.T) {
	var many State
	for i := range 1000 {
		id := string(rune('0' + i))
		many = merge(many, State{Lineage: []string{id}, N: 1, Memory: Memory{Barred: []Person{{ID: id}}}, Chats: []Chat{{ID: id}}})
	}
	if len(many.Lineage) > keptTerms || len(many.Barred) > keptKicks || len(many.Chats) > keptChats {
		t.Errorf("%d terms, %d kicks, %d chats", len(many.Lineage), len(many.Barred), len(many.Chats))
	}
}
