package recovery

import "time"

// State is everything that a [Machine] knows, as plain data that can be
// compared. Searches over states need it, and so do the tables of transitions
// that other implementations are tested against.
type State struct {
	Facts   Facts
	Current Conn
	Old     [MaxOld]Conn // of earlier epochs, oldest first; they serve until Current is up

	Peer     Peer
	Ours     bool // we began this epoch
	Broken   bool // this epoch is given up; the next is due
	WasUp    bool // a connection of this epoch was up
	Calm     bool // and has been for so long that earlier failures do not matter
	EverUp   bool // a connection of this session was up
	Lost     bool // the hub has lost the peer
	Left     bool // the peer has said goodbye
	Asleep   bool
	Over     bool
	Admitted bool // it is our turn to build
	Due      bool // once it is, an epoch of ours begins
	Asked    bool // a restart is wanted even if the path works
	Relayed  bool // the path that was interrupted went by a relay of ours
	Unproven bool // the path is new, and nothing is known to have arrived by it

	Failures int           // epochs given up in a row
	Restarts int           // in a row
	Allowed  int           // restarts before a rebuild
	Looks    int           // in vain, for something that has arrived by the new path
	Patience time.Duration // what is left for a path once ForRelay has run out
	Armed    [Timers]bool
}

// State returns what m knows.
func (m *Machine) State() State { return m.state }

// Restore returns a Machine in state s.
func Restore(o Options, s State) Machine { return Machine{o, s} }

func (s *State) alive() bool { return s.Current.Number != 0 && !s.Broken }

func (s *State) reaches() bool { return s.Facts.Online && !s.Lost }

func (s *State) mustWait() bool { return !s.EverUp && !s.Admitted }

// serving reports whether an old connection works.
func (s *State) serving() bool {
	for i := range s.Old {
		if s.Old[i].Up() {
			return true
		}
	}
	return false
}

// live returns the newest connection that works, or else the current one.
func (s *State) live() *Conn {
	if s.Current.Up() {
		return &s.Current
	}
	for i := MaxOld - 1; i >= 0; i-- {
		if s.Old[i].Up() {
			return &s.Old[i]
		}
	}
	return &s.Current
}

// conn returns a connection by its number, nil if it is no longer there.
func (s *State) conn(n Number) *Conn {
	if n == 0 {
		return nil
	}
	if s.Current.Number == n {
		return &s.Current
	}
	for i := range s.Old {
		if s.Old[i].Number == n {
			return &s.Old[i]
		}
	}
	return nil
}

// free returns a number that no connection has.
func (s *State) free() Number {
	for n := Number(1); ; n++ {
		if s.conn(n) == nil {
			return n
		}
	}
}
