package recovery

// This file is about what the hub and the room say of the peer.

// Welcome says that the member has entered, or come back to, the hub while we
// were there: without a living connection, we begin.
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

// Expect says that the member is there and that we are the newcomer, at first or
// after our return to a hub: without a connection, the member begins.
func (m *Machine) Expect() []Action {
	s := m.step()
	s.Lost = false
	switch {
	case s.Broken: // a pause was running while no hub could have helped
		s.Failures = 0
		s.begin(false)
	case s.Current.Number == 0:
		s.await(ToConnect, s.options.Connect)
	default:
		s.hubBack()
	}
	return s.actions
}

// hubBack acts on the hub reaching the peer again.
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

// HubLost says that the hub has lost the member. Its connection may live, or come
// to life yet; if it does neither, the peer is dropped.
func (m *Machine) HubLost() []Action {
	s := m.step()
	s.Lost = true
	switch {
	case !s.alive() && !s.serving():
		s.drop()
	case s.options.Lost > 0 && s.alive() && !s.Current.Up():
		if !s.EverUp {
			s.yield() // it comes up by itself or not at all, and holds nobody up
		}
		s.await(ToReturn, s.options.Lost)
	}
	return s.actions
}

// Goodbye says that the peer leaves for good. That may have overtaken what the
// peer sent before: until the connection ends, or for a moment, it is still
// taken. The peer closes the connection, as soon as it knows that it was
// heard: were both to do so at once, each would wait for the other.
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

// Close says that the link is to end.
func (m *Machine) Close() { m.state.Over = true }

// Ended says that the link, which is over, has nothing more to act on.
func (m *Machine) Ended() []Action {
	s := m.step()
	s.end()
	return s.actions
}

// Sleep says that the peer is dropped. What a return needs is kept.
func (m *Machine) Sleep() []Action {
	s := m.step()
	s.Asleep, s.WasUp = true, false
	s.end()
	return s.actions
}

// Wake says that the member of a link that is asleep is there again.
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

// Newcomers: the first connections are built a few at a time.

// PeerBegins says that the peer has begun an epoch before it was our turn to build.
func (m *Machine) PeerBegins() []Action { return []Action{{Kind: Queue}} }

// Admitted says that it is our turn to build.
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

// Released says that the frames held back were taken: the peer may have begun,
// which is as good.
func (m *Machine) Released() []Action {
	s := m.step()
	due := s.Due
	s.Due = false
	if due && !s.alive() {
		s.begin(false)
	}
	return s.actions
}
