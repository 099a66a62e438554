package ownership

import (
	"bytes"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	keptTerms = 32 // in a lineage
	keptChats = 16
	keptKicks = 256
)

// term is the one in which s was made; empty: s is blank.
func (s *State) term() string {
	if len(s.Lineage) == 0 {
		return ""
	}
	return s.Lineage[len(s.Lineage)-1]
}

// descends reports whether s knows of a term.
func (s *State) descends(term string) bool { return slices.Contains(s.Lineage, term) }

// merge makes one state of copies. Of one term the newest counts, and a term of which another copy descends is over.
// Terms that knew nothing of each other are united: the room is locked if one of them is. Whoever was kicked in any of
// them stays out, and no chat is forgotten, unless the room has ended since. The lineage is that of all; who opens a
// room with it adds a term.
func merge(copies ...State) State {
	var merged State
	var lives []State
	for i := range copies {
		c := &copies[i]
		switch outlived := slices.ContainsFunc(copies, func(o State) bool { return o.outlives(c) }); {
		case c.term() == "":
			continue
		case !outlived:
			merged.Barred = unite(merged.Barred, c.Barred)
			merged.Chats = converse(merged.Chats, c.Chats)
		}
		if slices.ContainsFunc(copies, func(o State) bool { return o.supersedes(c) }) {
			merged.Lineage = trace(merged.Lineage, c.Lineage)
			continue
		}
		lives = append(lives, *c)
		merged.Locked = merged.Locked || c.Locked
		merged.Away = unite(merged.Away, c.Away)
		merged.Roster = unite(merged.Roster, c.Roster)
		merged.Rest = collect(merged.Rest, c.Rest)
	}
	for _, c := range lives { // their terms come last
		merged.Lineage, merged.N = trace(merged.Lineage, c.Lineage), c.N
	}
	merged.Barred = last(merged.Barred, keptKicks)
	merged.Born = birth(lives)
	return merged
}

// birth is the term in which the room began of which all are copies; empty if there is none: nothing is too old then.
func birth(copies []State) string {
	for _, c := range copies {
		if !slices.ContainsFunc(copies, func(o State) bool { return !o.descends(c.Born) }) {
			return c.Born
		}
	}
	return ""
}

// outlives reports whether the room of which c is a copy has ended, and s knows it.
func (s *State) outlives(c *State) bool {
	return s.Born != "" && s.descends(c.term()) && !c.descends(s.Born)
}

// supersedes reports whether c is over because there is s.
func (s *State) supersedes(c *State) bool {
	if s.term() == c.term() {
		return s.N > c.N
	}
	return s.descends(c.term())
}

// unite returns all of a, and those of b who are not among them.
func unite(a, b []Person) []Person {
	all := slices.Clone(a)
	for _, p := range b {
		if !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all
}

// collect returns all of a, and those of b that are not among them, as far as there is room.
func collect(a, b []jsontext.Value) []jsontext.Value {
	all := slices.Clone(a)
	for _, v := range b {
		known := slices.ContainsFunc(all, func(o jsontext.Value) bool { return bytes.Equal(o, v) })
		if !known && size(all)+len(v) <= maxRest {
			all = append(all, v)
		}
	}
	return all
}

func equal(a, b []jsontext.Value) bool {
	return slices.EqualFunc(a, b, func(v, o jsontext.Value) bool { return bytes.Equal(v, o) })
}

func size(values []jsontext.Value) (n int) {
	for _, v := range values {
		n += len(v)
	}
	return n
}

// without returns those of a who are not in b.
func without(a, b []Person) []Person {
	return slices.DeleteFunc(slices.Clone(a), func(p Person) bool {
		return slices.ContainsFunc(b, func(o Person) bool { return o.ID == p.ID })
	})
}

// converse returns the last chats of both.
func converse(a, b []Chat) []Chat {
	return last(slices.Concat(a, unheard(b, a)), keptChats)
}

// unheard returns the chats of a that are not in b.
func unheard(a, b []Chat) []Chat {
	return slices.DeleteFunc(slices.Clone(a), func(c Chat) bool {
		return slices.ContainsFunc(b, func(o Chat) bool { return o.ID == c.ID })
	})
}

// trace returns the terms of both.
func trace(a, b []string) []string {
	all := slices.Clone(a)
	for _, term := range b {
		if !slices.Contains(all, term) {
			all = append(all, term)
		}
	}
	return last(all, keptTerms)
}

func last[T any](list []T, most int) []T { return list[max(0, len(list)-most):] }
