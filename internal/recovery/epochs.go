package recovery

import "time"

// This file begins epochs and gives them up.

// Begun reports that the epoch of BeginEpoch has begun.
func (m *Machine) Begun() []Action {
	s := m.step()
	s.rebuild(true)
	return s.actions
}

// Exhausted reports that the numbers of epochs are used up.
func (m *Machine) Exhausted() []Action {
	s := m.step()
	s.setState(Failed, EpochsUsedUp)
	return s.actions
}

// Renewed reports that the peer has begun an epoch, by a frame that came over
// connection via, or by hub if via is 0.
func (m *Machine) Renewed(via Number) []Action {
	s := m.step()
	if via != 0 && via == s.Current.Number {
		s.setAside() // as the peer has done, or the frame would not have come this way
	}
	s.rebuild(false)
	return s.actions
}

// Unbuilt reports that the connection of Build cannot be made.
func (m *Machine) Unbuilt() []Action {
	s := m.step()
	s.Current = Conn{}
	s.fail(0, Told)
	return s.actions
}

// Fail reports that this epoch is beyond repair: a description cannot be
// applied, or the peer breaks the rules.
func (m *Machine) Fail() []Action {
	s := m.step()
	s.fail(0, Told)
	return s.actions
}

// Spoiled reports that connection n, the current or an old one, has to end at
// once, for example because the peer floods us over it.
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

// ChannelClosed reports that a channel of connection n has closed, and that it was not us who
// closed it. Most likely the peer has begun the next epoch, and its first frame follows in a
// moment. data says that it was the data channel.
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

// begin begins the next epoch. asked says that we have already asked the hub for new ICE servers.
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
		s.stopAwaiting() // the epoch begins when the hub is back
		return
	}
	if !s.reaches() && s.Current.Up() || s.moves() {
		s.setAside() // without a hub, the next epoch has no other way
	}
	s.do(Action{Kind: BeginEpoch})
}

// moves reports whether the next epoch is begun only to have another path.
func (s *step) moves() bool {
	return s.options.Moves && s.alive() && s.WasUp && s.Current.Path != NoPath
}

// awaitServers asks the hub for ICE servers and waits a moment for them, if the
// known ones have expired and we are at a hub. It reports whether it does.
func (s *step) awaitServers(t Timer) bool {
	if !s.Facts.Expired || !s.Facts.Online {
		return false
	}
	s.do(Action{Kind: AskServers})
	s.await(t, serversWait)
	return true
}

// rebuild replaces the current connection.
func (s *step) rebuild(ours bool) {
	s.closeCurrent()
	s.disarm(Linger, Settle, Proof, InFlight, Doubt, Credentials, Calm) // without Linger the old ones stay until this one is up
	s.Ours, s.Broken, s.WasUp, s.Calm, s.Asked, s.Restarts = ours, false, false, false, false, 0
	s.Unproven = s.EverUp
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

// fail gives this epoch up. The next one begins after a pause: the one given
// after a first failure, growing ones after further failures.
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
