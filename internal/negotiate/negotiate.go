package negotiate

// Kind is what an [Action] does.
type Kind uint8

// The actions. The driver carries out those of one call in order.
const (
	// Offer: create an offer, with new ICE credentials if Restart, make it
	// the local description and send it with ID.
	Offer Kind = iota + 1
	// Answer: make the offer just received the remote description, answer it
	// and send the answer with its ID.
	Answer
	// Apply: make the answer just received the remote description.
	Apply
	// Ask and Grant: send that message.
	Ask
	Grant
	// Rebuild: the other end broke the rules; begin a new epoch.
	Rebuild
)

// Action is something the driver has to do.
type Action struct {
	Kind    Kind
	ID      int64 // of Offer, Answer
	Restart bool  // of Offer
}

// Machine is one end within one epoch. It is a plain value; the zero value is the end
// that did not begin the epoch.
type Machine struct {
	turn    bool  // may offer
	asked   bool  // an ask of ours is on its way, or has arrived
	need    bool  // wants to offer
	restart bool  // wants to offer with new ICE credentials
	local   int64 // offers made
	open    bool  // the last of them is unanswered
	remote  int64 // offers received
}

// Begin returns the end that began the epoch, which holds the turn.
func Begin() Machine { return Machine{turn: true} }

// Turn reports whether m may offer.
func (m *Machine) Turn() bool { return m.turn }

// Rest reports whether m is stable and has no wish.
func (m *Machine) Rest() bool { return !m.open && !m.need && !m.restart }

// Need says that there is something to negotiate.
func (m *Machine) Need() []Action {
	m.need = true
	return m.move(nil)
}

// Restart says that ICE is to be restarted.
func (m *Machine) Restart() []Action {
	m.restart = true
	return m.move(nil)
}

// Offered takes an offer. restarts says that it carries new ICE credentials,
// which also meets a wish of ours for a restart.
func (m *Machine) Offered(id int64, restarts bool) []Action {
	if m.turn || m.open || id != m.remote+1 {
		return []Action{{Kind: Rebuild}}
	}
	m.remote = id
	m.turn, m.asked = true, false
	if restarts {
		m.restart = false
	}
	return m.move([]Action{{Kind: Answer, ID: id}})
}

// Answered takes an answer. An answer to anything but the outstanding offer is dropped.
func (m *Machine) Answered(id int64) []Action {
	if !m.open || id != m.local {
		return nil
	}
	m.open = false
	return m.move([]Action{{Kind: Apply, ID: id}})
}

// Asked takes an ask.
func (m *Machine) Asked() []Action {
	if !m.turn {
		return nil
	}
	// A holder is stable and has no wish, or it would have offered already.
	m.turn = false
	return m.move([]Action{{Kind: Grant}})
}

// Granted takes a grant. One that breaks the rules is dropped.
func (m *Machine) Granted() []Action {
	if m.turn || m.open {
		return nil
	}
	m.turn, m.asked = true, false
	return m.move(nil)
}

// move meets m's wishes, or asks for the turn.
func (m *Machine) move(actions []Action) []Action {
	if !m.need && !m.restart {
		return actions
	}
	if m.turn {
		m.local++
		actions = append(actions, Action{Kind: Offer, ID: m.local, Restart: m.restart})
		m.turn, m.need, m.restart, m.open = false, false, false, true
		return actions
	}
	if !m.asked {
		m.asked = true
		actions = append(actions, Action{Kind: Ask})
	}
	return actions
}
