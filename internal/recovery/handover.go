package recovery

import "time"

// This file is about the connections of earlier epochs, which serve until the
// current one is up.

// lingering returns how long the old connections stay once the new one is up:
// over the new one, video begins with a key frame, which takes a moment. The end
// that began the epoch closes them first, and the other end sees them close.
func (s *step) lingering() time.Duration {
	if s.Ours {
		return time.Second
	}
	return 2 * time.Second
}

// setAside makes the current connection an old one, which serves until the next one is up.
func (s *step) setAside() {
	if s.Old[MaxOld-1].Number != 0 {
		oldest := s.Old[0].Number
		s.forgetOld(oldest)
		s.do(Action{Kind: Close, Conn: oldest})
	}
	for i := range s.Old {
		if s.Old[i].Number == 0 {
			s.Old[i] = s.Current
			break
		}
	}
	s.do(Action{Kind: SetAside, Conn: s.Current.Number})
	s.Current = Conn{}
}

// forgetOld removes a connection from the old ones.
func (s *step) forgetOld(n Number) {
	var kept [MaxOld]Conn
	i := 0
	for _, c := range s.Old {
		if c.Number != 0 && c.Number != n {
			kept[i] = c
			i++
		}
	}
	s.Old = kept
}

// closeOld closes the old connections.
func (s *step) closeOld() {
	old := s.Old
	s.Old = [MaxOld]Conn{}
	for _, c := range old {
		if c.Number != 0 {
			s.do(Action{Kind: Close, Conn: c.Number})
		}
	}
}

// oldPathChanged acts on the path of an old connection, which decides the peer's
// state until the new one is up.
func (s *step) oldPathChanged(n Number) {
	switch {
	case s.conn(n).Path == NoPath:
		s.oldLost(n)
	case s.Current.Up():
	case s.serving():
		s.setState(Connected, NoCause)
	default:
		s.setState(Interrupted, NoCause)
	}
}

// oldLost gives up an old connection.
func (s *step) oldLost(n Number) {
	s.forgetOld(n)
	s.do(Action{Kind: Close, Conn: n})
	switch {
	case s.Current.Up() || s.serving():
	case !s.Broken:
		s.setState(Interrupted, NoCause)
	case s.Lost:
		s.drop()
	default:
		s.setState(Failed, PathLost)
	}
}

// drop asks for the peer to be dropped: the hub has lost it, and no connection serves.
func (s *step) drop() {
	s.stopAwaiting()
	s.do(Action{Kind: Drop})
}
