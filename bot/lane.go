package bot

import (
	"slices"

	"noom"
)

// laneKind says which handlers' calls wait for each other.
type laneKind int

const (
	lanePresence laneKind = iota // Joined and Left
	laneChat
	laneData
	laneEvent
)

// laneKey names a lane: of one member, or of all.
type laneKey struct {
	kind   laneKind
	member string
}

// lane is what waits for the handlers of one kind and member. It is there, and so is its goroutine, while one is busy.
type lane struct {
	waiting []job
	dropped int // since the last call
}

// job is a call of a handler.
type job struct {
	joins bool // it is that of a member that has come
	do    func()
}

// put adds a job to a lane. What comes from members at will is bounded: the oldest makes room. Data is bounded by credit,
// and what happens to members by how many there are.
func (s *stage) put(k laneKey, j job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[k]
	if l == nil {
		l = &lane{}
		s.lanes[k] = l
		s.calls.Go(func() { s.serve(k, l) })
	}
	l.waiting = append(l.waiting, j)
	if bounded := k.kind == laneChat || k.kind == laneEvent; bounded && len(l.waiting) > s.backlog {
		l.waiting = slices.Delete(l.waiting, 0, 1)
		l.dropped++
	}
}

// forgetJoin takes back the job of a member that has come, and has gone before a handler has seen it.
func (s *stage) forgetJoin(k laneKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[k]
	if l == nil {
		return false
	}
	before := len(l.waiting)
	l.waiting = slices.DeleteFunc(l.waiting, func(j job) bool { return j.joins })
	return len(l.waiting) < before
}

// serve does the jobs of a lane, until there is none or the stage ends.
func (s *stage) serve(k laneKey, l *lane) {
	for {
		s.mu.Lock()
		if len(l.waiting) == 0 || s.ctx.Err() != nil {
			delete(s.lanes, k)
			s.mu.Unlock()
			return
		}
		j, dropped := l.waiting[0], l.dropped
		l.waiting, l.dropped = slices.Delete(l.waiting, 0, 1), 0
		s.mu.Unlock()
		if dropped > 0 {
			s.lagged(k, dropped)
		}
		j.do()
	}
}

// lagged reports what a lane has dropped. It is called by that lane.
func (s *stage) lagged(k laneKey, dropped int) {
	e := noom.Lagged{Dropped: dropped}
	switch {
	case s.handlers.Event == nil:
		s.log.Warn("bot: a handler is too slow; the oldest chat was dropped", "member", k.member, "dropped", dropped)
	case k.kind == laneEvent:
		s.handlers.Event(s.ctx, s.room, e)
	default:
		s.other(e)
	}
}
