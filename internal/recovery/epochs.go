package recovery

import "time"

// This file begins epochs and gives them up.

// Begun says that the epoch that BeginEpoch asked for has begun.
func (m *Machine) Begun() []Action {
	s := m.step()
	s.rebuild(true)
	return s.actions
}

// Exhausted says that there is no epoch to begin.
func (m *Machine) Exhausted() []Action {
	s := m.step()
	s.setState(Failed, EpochsUsedUp)
	return s.actions
}

// Renewed says that the peer has begun an epoch, by a frame that came over
// connection via, 0 if by hub.
func (m *Machine) Renewed(via Number) []Action {
	s := m.step()
	if via != 0 && via == s.Current.Number {
		s.setAside() // as the peer does, or this would not have come
	}
	s.rebuild(false)
	return s.actions
}

// Unbuilt says that the connection that Build asked for cannot be made.
func (m *Machine) Unbuilt() []Action {
	s := m.step()
	s.Current = Conn{}
	s.fail(0, Told)
	return s.actions
}

// Fail says that something went wrong in this epoch beyond repair: a
// description that cannot be applied, a peer that breaks the rules.
func (m *Machine) Fail() []Action {
	s := m.step()
	s.fail(0, Told)
	return s.actions
}

// Spoiled says that something went wrong over a connection, the current or an old one, that
// ends it at once, as when the peer floods us over it.
func (m *Machine) Spoiled(n Number) []Action {
	s := m.step()
	switch {
	case s.Over || s.conn(n) == nil:
	case n != s.Current.Number:
		s.oldLost(n)
	default:
		s.fail(0, Told)
		s.closeCurrent()
	}
	return s.actions
}

// ChannelClosed says that a channel of a connection has closed that we did not
// close: most likely the peer has begun the next epoch, and says so in a
// moment. data says that it was the data channel, so that nothing more can come by it.
func (m *Machine) ChannelClosed(n Number, data bool) []Action {
	s := m.step()
	c := s.conn(n)
	if c == nil {
		return nil
	}
	if data {
		c.Data = false
	} else {
		c.Control = false
	}
	switch {
	case n != s.Current.Number:
		s.oldLost(n)
	case !s.Left:
		s.fail(closedGrace, PathLost)
	case data:
		s.Over = true
	}
	return s.actions
}

// begin makes the next epoch ours. asked says that new ICE servers were asked for.
func (s *step) begin(asked bool) {
	if s.Over || s.Asleep || !asked && s.awaitServers(ServersToBegin) {
		return
	}
	if s.mustWait() {
		s.Due = true
		s.do(Action{Kind: Queue})
		return
	}
	if s.Facts.Wait > 0 {
		s.await(Budget, s.Facts.Wait)
		return
	}
	if s.options.Sparing && !s.reaches() && !s.live().Up() {
		s.stopAwaiting() // the hub's return begins it
		return
	}
	if !s.reaches() && s.Current.Up() {
		s.setAside() // the next epoch has no other way
	}
	s.do(Action{Kind: BeginEpoch})
}

// awaitServers makes what needs ICE servers wait a moment for them, if those
// there are have expired and the hub can be asked.
func (s *step) awaitServers(t Timer) bool {
	if !s.Facts.Expired || !s.Facts.Online {
		return false
	}
	s.do(Action{Kind: AskServers})
	s.await(t, serversWait)
	return true
}

// rebuild puts a fresh connection in the place of the one there was.
func (s *step) rebuild(ours bool) {
	s.closeCurrent()
	s.disarm(Linger, Doubt, Credentials, Calm) // the old ones stay until this one is up
	s.Ours, s.Broken, s.WasUp, s.Calm, s.Asked, s.Restarts = ours, false, false, false, false, 0
	switch {
	case s.serving():
		s.setState(Connected, NoCause)
	case s.Peer == Connected: // the peer began this epoch
		s.setState(Interrupted, NoCause)
	}
	s.Current = Conn{Number: s.free()}
	s.await(ToConnect, s.options.Connect)
	s.do(Action{Kind: Build, Conn: s.Current.Number, Ours: ours})
}

func (s *step) closeCurrent() {
	if n := s.Current.Number; n != 0 {
		s.Current = Conn{}
		s.do(Action{Kind: Close, Conn: n})
	}
}

// fail gives this epoch up: the next begins after a pause, which grows.
func (s *step) fail(pause time.Duration, c Cause) {
	if s.Left {
		s.Over = true
	}
	if s.Broken || s.Over || s.Asleep {
		return
	}
	s.Broken = true
	s.do(Action{Kind: GiveUp, Cause: c})
	if !s.EverUp {
		s.yield()
	}
	serving := s.serving()
	if s.Lost && !serving {
		s.drop()
		return
	}
	if s.WasUp && s.Calm {
		s.Failures, s.Allowed = 0, s.options.Restarts
	}
	if s.Failures > 0 {
		pause = min(time.Second<<min(s.Failures-1, 10), maxBackOff)
	}
	s.Failures++
	if !serving {
		s.do(Action{Kind: Note, Cause: c})
		s.setState(Failed, c)
	}
	s.await(Pause, pause)
}
