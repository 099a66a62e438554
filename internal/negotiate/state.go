package negotiate

// State is everything a [Machine] knows, as plain data: for tables of
// transitions that other implementations are tested against, and for searches
// over states.
type State struct {
	Turn    bool  // may offer
	Asked   bool  // an ask is on its way or heard
	Need    bool  // wishes to offer
	Restart bool  // wishes to offer with new ICE credentials
	Local   int64 // offers made
	Open    bool  // the last of them is unanswered
	Remote  int64 // offers received
}

// State returns what m knows.
func (m *Machine) State() State {
	return State{m.turn, m.asked, m.need, m.restart, m.local, m.open, m.remote}
}

// Restore returns the Machine that knows s.
func Restore(s State) Machine {
	return Machine{s.Turn, s.Asked, s.Need, s.Restart, s.Local, s.Open, s.Remote}
}
