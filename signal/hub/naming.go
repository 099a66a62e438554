package hub

import (
	"fmt"
	"slices"
	"strings"

	"noom/signal"
)

// This file is the part of a room that reserves a name for the member to which the authorisation
// gave it. Like the rest of a room it is a pure machine.

// nameApart sees to it that a newcomer is not taken for a member that the authorisation named, nor
// another member for the newcomer.
func (r *room[C]) nameApart(q *request) {
	if !q.named {
		if r.ownedName(q.member.Name, q.member.ID) {
			q.member.Name = r.numbered(q.member.Name, q.member.ID)
		}
		return
	}
	r.reserve(q.member.Name, q.member.ID)
}

// reserve gives other members that have a name like that one another.
func (r *room[C]) reserve(name, id string) {
	like := signal.Likeness(name)
	for i := range r.seats {
		s := &r.seats[i]
		if s.named || s.member.ID == id || signal.Likeness(s.member.Name) != like {
			continue
		}
		s.member.Name = r.numbered(s.member.Name, s.member.ID)
		r.tellAll(&signal.Message{Type: signal.TypeRenamed, From: s.member.ID, Name: s.member.Name})
	}
}

// ownedName reports whether name looks like one that the authorisation gave to another member,
// which is here or has only lost the hub.
func (r *room[C]) ownedName(name, id string) bool {
	var like string
	same := func(named bool, m *signal.Member) bool {
		if !named || m.ID == id {
			return false
		}
		if like == "" {
			like = signal.Likeness(name)
		}
		return signal.Likeness(m.Name) == like
	}
	return slices.ContainsFunc(r.seats, func(s seat[C]) bool { return same(s.named, &s.member) }) ||
		slices.ContainsFunc(r.absent, func(a absence) bool { return same(a.named && a.lost, &a.member) })
}

// numbered is a name with the lowest free number from 2 on, cut if it must be.
func (r *room[C]) numbered(name, id string) string {
	for n := 2; ; n++ {
		numbered := withSuffix(name, fmt.Sprintf(" (%d)", n))
		taken := slices.ContainsFunc(r.seats, func(s seat[C]) bool { return s.member.ID != id && s.member.Name == numbered })
		if !taken && !r.ownedName(numbered, id) {
			return numbered
		}
	}
}

func withSuffix(name, suffix string) string {
	for runes := []rune(name); len(runes) > 0; runes = runes[:len(runes)-1] {
		if s := strings.TrimSpace(string(runes)) + suffix; signal.CheckName(s) == nil {
			return s
		}
	}
	return "guest" + suffix
}
