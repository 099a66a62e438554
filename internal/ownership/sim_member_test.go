package ownership

import (
	"slices"
	"strings"
)

// A member dials hubs, one after the other.
type member struct {
	w        *world
	id       string
	hub      *hub
	conn     int64 // 0: none
	in       bool
	inSince  int
	stranger bool // it came after the lock
	kicked   bool
	locked   bool // it was in the room when that was locked
	redial   int
	roster   []string
	links    map[string]bool
	waiting  []string // chats that were not confirmed
	got      map[string]int
}

func (s *socket) live() bool { return s.member.conn == s.conn }

// hear takes a frame, if the member is still there.
func (s *socket) hear(frame string) {
	if s.live() {
		s.member.hear(frame)
	}
}

func (m *member) hear(frame string) {
	words := strings.Split(frame, " ")
	m.w.say("%s hears %s", m.id, frame)
	switch words[0] {
	case "joined":
		m.joined(m.hub, m.conn, strings.Split(words[1], ","), strings.Count(words[1], ","))
	case "welcome":
		if !slices.Contains(m.roster, words[1]) {
			m.roster = append(m.roster, words[1])
		}
		m.begin(words[1])
	case "locked":
		if words[1] == "true" && m.w.lock.on && !m.hub.has(func(s *State) bool { return s.Locked }) {
			m.w.fail("%s learns of the lock before %v has a copy of it", m.id, m.hub)
		}
	case "bye":
		if words[2] == ReasonKicked && m.w.kicks[words[1]].on && !m.hub.has(func(s *State) bool { return s.bars(words[1]) }) {
			m.w.fail("%s learns of the kick of %s before %v has a copy of it", m.id, words[1], m.hub)
		}
		if words[1] == m.id {
			m.leave(6)
			return
		}
		m.roster = slices.DeleteFunc(m.roster, func(id string) bool { return id == words[1] })
		if words[2] != ReasonLost {
			delete(m.links, words[1])
		}
	case "chat":
		m.got[words[1]]++
		m.waiting = slices.DeleteFunc(m.waiting, func(id string) bool { return id == words[1] })
	case "replaced":
		m.w.fail("%s was told on its living connection that it is replaced", m.id)
	case "refused":
		m.leave(3)
	case "end":
		if words[1] == "replaced" {
			m.w.fail("%s was told on its living connection that it is replaced", m.id)
		}
		m.leave(1)
	}
}

// leave ends the connection; the member dials again after some ticks.
func (m *member) leave(pause int) {
	m.conn, m.in, m.redial = 0, false, m.w.now+pause
}

// joined takes the list of members. Those behind its own place have come after it.
func (m *member) joined(h *hub, conn int64, roster []string, place int) {
	if m.conn != conn {
		return // half-open
	}
	m.w.say("%s joined %v at %v", m.id, roster, h)
	if !m.in {
		m.in, m.inSince = true, m.w.now
	}
	if roster[place] != m.id {
		m.w.fail("%s is at place %d of %v", m.id, place, roster)
	}
	m.roster = nil
	for i, id := range roster {
		if id == m.id {
			continue
		}
		m.roster = append(m.roster, id)
		if i > place {
			m.begin(id)
		}
	}
	for _, chat := range m.waiting {
		h.hear(conn, "chat "+chat)
	}
}

// begin makes a link to a member that was not here before.
func (m *member) begin(id string) {
	other := m.w.member(id)
	m.links[id], other.links[m.id] = true, true
}
