package recovery

// This file watches whether a new path carries anything. ICE says that a path is
// found when its own checks were answered, and two implementations that disagree
// about a restart may both say so while one of them gets nothing. So the first
// frame over a new path is one that SCTP acknowledges: whatever the other end
// sends or mutes, something has to arrive.

// watchNew begins to watch a path that is new, unless it is being watched.
func (s *step) watchNew() {
	if s.Unproven && !s.Armed[Settle] && !s.Armed[Proof] {
		s.watch()
	}
}

func (s *step) watch() {
	if s.alive() && s.Current.Up() {
		s.Looks = 0
		s.do(Action{Kind: Probe})
		s.arm(Proof, proofEvery)
	}
}

func (s *step) watched() bool { return s.alive() && s.Current.Up() && s.Unproven }

// Answered reports that something has arrived by the path since Probe.
func (m *Machine) Answered() []Action {
	s := m.step()
	if !s.watched() {
		return nil
	}
	s.Unproven = false
	if !s.Armed[Linger] {
		s.closeOld()
	}
	return s.actions
}

// Unanswered reports that nothing has. If that is so for some seconds, the epoch is
// given up: what ICE says of the path is not true, and another restart may end the same way.
// But if nothing else is left to reach the peer by, the watch begins again: a machine that
// was too busy to receive anything must not give up its last connection.
func (m *Machine) Unanswered() []Action {
	s := m.step()
	if !s.watched() {
		return nil
	}
	s.Looks++
	switch {
	case s.Looks < maxLooks:
		s.arm(Proof, proofEvery)
	case !s.reaches() && !s.serving():
		s.watch()
	default:
		s.Current.Path = Disconnected // no more frames go over it
		s.fail(0, PathLost)
	}
	return s.actions
}
