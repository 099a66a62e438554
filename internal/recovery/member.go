package recovery

// This file is about what the hub and the room report about the peer.

// Welcome reports that the member has joined, or come back to, the hub while we
// were there. If there is no living connection, we begin.
func (m *Machine) Welcome() []Action {
	s := m.step()
	s.Lost = false
	if s.alive() {
		s.hubBack()
	} else {
		s.begin(false)
	}
	return s.actions
}

// Expect reports that the member was there when we joined, or came back to, the
// hub. If there is no connection, the member begins.
func (m *Machine) Expect() []Action {
	s := m.step()
	s.Lost = false
	switch {
	case s.Broken: // we paused while there was no hub; there is no reason to pause longer
		s.Failures = 0
		s.begin(false)
	case s.Current.Number == 0:
		s.await(ToConnect, s.options.Connect)
	default:
		s.hubBack()
	}
	return s.actions
}

// hubBack is called when the hub reaches the peer again.
func (s *step) hubBack() {
	s.do(Action{Kind: Resend})
	switch {
	case s.Armed[ToReturn] && !s.WasUp:
		s.await(ToConnect, s.options.Connect)
	case !s.WasUp || s.Current.Up():
	case s.Peer == Failed:
		s.Failures = 0
		s.begin(false)
	default:
		s.restart(false)
	}
}

// HubLost reports that the hub has lost the member. If its connection neither
// works nor comes up, the peer is dropped.
func (m *Machine) HubLost() []Action {
	s := m.step()
	s.Lost = true
	gaveUp := s.options.Lost == 0 && s.Current.Path == NoPath // which ICE reports only once
	switch {
	case (!s.alive() || gaveUp) && !s.serving():
		s.drop()
	case s.options.Lost > 0 && s.alive() && !s.Current.Up():
		if !s.EverUp {
			s.yield() // it comes up without the hub or not at all; others need not wait for it
		}
		s.await(ToReturn, s.options.Lost)
	}
	return s.actions
}

// Goodbye reports that the peer leaves for good. The goodbye may have overtaken
// what the peer sent before it, which is still taken until the connection
// closes, or for a moment. The peer closes the connection, once its goodbye is
// acknowledged: if both ends closed at once, each would wait for the other.
func (m *Machine) Goodbye() []Action {
	s := m.step()
	s.Left = true
	if s.Broken || !s.live().Up() {
		s.Over = true
		return nil
	}
	s.await(Farewell, closedGrace)
	return s.actions
}

// Close ends the link.
func (m *Machine) Close() { m.state.Over = true }

// Ended reports that the link, which is over, has nothing more to do.
func (m *Machine) Ended() []Action {
	s := m.step()
	s.end()
	return s.actions
}

// Sleep drops the peer. What it needs to come back is kept.
func (m *Machine) Sleep() []Action {
	s := m.step()
	s.Asleep, s.WasUp = true, false
	s.end()
	return s.actions
}

// Wake reports that the member of a link that is asleep is back.
func (m *Machine) Wake() []Action {
	s := m.step()
	s.Asleep, s.Lost, s.Broken, s.Failures = false, false, false, 0
	s.setState(Connecting, NoCause)
	return s.actions
}

// ServersTold says that the hub has told ICE servers.
func (m *Machine) ServersTold() []Action {
	s := m.step()
	switch {
	case s.Armed[ServersToBegin]:
		s.disarm(ServersToBegin)
		s.begin(true)
	case s.Armed[ServersToRestart]:
		s.disarm(ServersToRestart)
		s.restart(true)
	}
	return s.actions
}

func (s *step) end() {
	s.Current, s.Old, s.Armed = Conn{}, [MaxOld]Conn{}, [Timers]bool{}
	s.do(Action{Kind: End})
	s.yield()
	s.setState(Closed, NoCause)
}

// A room builds the first connections to its members a few at a time.

// PeerBegins reports that the peer has begun an epoch before it was our turn to build.
func (m *Machine) PeerBegins() []Action { return []Action{{Kind: Queue}} }

// Admitted reports that it is our turn to build.
func (m *Machine) Admitted() []Action {
	s := m.step()
	if s.Over || s.Asleep {
		s.yield()
	} else {
		s.Admitted = true
		s.do(Action{Kind: Release})
	}
	return s.actions
}

// Released reports that the frames held back were taken. If the peer has begun
// an epoch with them, ours is not needed.
func (m *Machine) Released() []Action {
	s := m.step()
	due := s.Due
	s.Due = false
	if due && !s.alive() {
		s.begin(false)
	}
	return s.actions
}
