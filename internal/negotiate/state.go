package negotiate

// State is everything that a [Machine] knows, as plain data. Searches over
// states need it, and so do the tables of transitions that other
// implementations are tested against.
type State struct {
	Turn    bool  // may offer
	Asked   bool  // an ask of ours is on its way, or has arrived
	Need    bool  // wants to offer
	Restart bool  // wants to offer with new ICE credentials
	Local   int64 // offers made
	Open    bool  // the last of them is unanswered
	Remote  int64 // offers received
}

// State returns what m knows.
func (m *Machine) State() State {
	return State{m.turn, m.asked, m.need, m.restart, m.local, m.open, m.remote}
}

// Restore returns a Machine in state s.
func Restore(s State) Machine {
	return Machine{s.Turn, s.Asked, s.Need, s.Restart, s.Local, s.Open, s.Remote}
}
