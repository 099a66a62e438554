package recovery

import "time"

// This file keeps the current connection on a living path.

// PathChanged says what ICE says of a connection. relayed says that the path goes,
// or went last, by a relay of ours; it is read when that path is interrupted.
func (m *Machine) PathChanged(n Number, p Path, relayed bool) []Action {
	s := m.step()
	c := s.conn(n)
	if c == nil {
		return nil
	}
	c.Path = p
	switch {
	case n != s.Current.Number:
		s.oldPathChanged(n)
	case s.Broken || s.Left:
	case p == NoPath:
		s.pathFailed()
	case p == Disconnected && s.Peer == Connected:
		s.setState(Interrupted, NoCause)
		s.Relayed = relayed
		s.do(Action{Kind: AskHub}) // which has to carry the restart
		if s.Lost && s.options.Lost > 0 {
			s.await(ToReturn, s.options.Lost)
		} else {
			s.await(ToRestart, restartAfter)
		}
	default:
		s.openedOrFound()
	}
	return s.actions
}

// ControlOpened says that the control channel of a connection is open.
func (m *Machine) ControlOpened(n Number) []Action { return m.opened(n, false) }

// DataOpened says that the data channel of a connection is open. Its control
// channel was made before, and opens no later.
func (m *Machine) DataOpened(n Number) []Action { return m.opened(n, true) }

func (m *Machine) opened(n Number, data bool) []Action {
	s := m.step()
	c := s.conn(n)
	if c == nil {
		return nil
	}
	c.Control, c.Data = true, c.Data || data
	if n == s.Current.Number {
		s.openedOrFound()
	}
	return s.actions
}

// openedOrFound makes the peer connected once everything is.
func (s *step) openedOrFound() {
	if s.Broken || s.Left || !s.Current.Up() || !s.Current.Data {
		return
	}
	if s.WasUp && s.Peer == Connected {
		s.disarm(ToRestart, ForPath, ForRelay, ServersToRestart)
		return
	}
	if s.Old[0].Number != 0 {
		s.arm(Linger, s.lingering())
	}
	s.WasUp, s.EverUp, s.Calm, s.Restarts = true, true, false, 0
	s.arm(Calm, calmAfter)
	s.yield()
	s.stopAwaiting()
	s.do(Action{Kind: Forget})
	s.setState(Connected, NoCause)
	s.do(Action{Kind: Resend}) // what hangs at a dead hub can go in-band now
}

// pathFailed is no reason to give up the connection: a restart may find a path.
func (s *step) pathFailed() {
	if s.Lost || s.Old[0].Number != 0 {
		s.fail(0, PathLost) // which drops the peer, or moves again
		return
	}
	s.do(Action{Kind: Note, Cause: PathLost})
	s.setState(Failed, PathLost)
	s.retry()
}

// retry restarts again or, when that has not helped so often, rebuilds.
func (s *step) retry() {
	if s.Restarts++; s.Restarts > s.Allowed {
		s.Allowed = min(2*s.Allowed, maxRestarts)
		s.fail(0, PathLost)
		return
	}
	s.restart(false)
}

// restart looks for a new path, which only the hub may carry. Without a hub
// nothing is done; its return calls here again. asked says that new ICE
// servers were asked for.
func (s *step) restart(asked bool) {
	if !s.alive() || s.Current.Up() || !s.Facts.Online || !asked && s.awaitServers(ServersToRestart) {
		return
	}
	s.lookForPath(s.options.Connect)
	s.do(Action{Kind: RestartICE})
}

// lookForPath waits for the path that a restart is to find; if the last went by
// a relay of ours, with a look at whether there is one again.
func (s *step) lookForPath(patience time.Duration) {
	if !s.Relayed || patience <= relayPatience {
		s.Patience = 0
		s.await(ForPath, patience)
		return
	}
	s.Patience = patience - relayPatience
	s.await(ForRelay, relayPatience)
}

func (s *step) lookAgain() {
	if s.alive() && !s.Current.Up() && s.Facts.Online {
		s.lookForPath(s.Patience)
		s.do(Action{Kind: RestartICE, UnlessRelayed: true})
	}
}

// Restarted says that ICE is being restarted, by whichever end: the path that frames would
// take in-band is given up.
func (m *Machine) Restarted() {
	m.state.Asked = false
	if !m.options.KeepsPath {
		m.state.Current.Path = Checking
	}
}

// Refusal is why a restart that was asked for is not made.
type Refusal uint8

// The refusals.
const (
	NotRefused   Refusal = iota
	IsClosed             // the peer is gone
	NotConnected         // there is no connection
	NoHub                // and no hub, nor a connection that works
)

// Restart says that the user wants a new path. Where no hub reaches the peer, that is
// a new connection over the one there is.
func (m *Machine) Restart() ([]Action, Refusal) {
	s := m.step()
	switch {
	case s.Asleep:
		return nil, IsClosed
	case !s.alive():
		return nil, NotConnected
	case s.reaches():
		s.Asked = true
		s.do(Action{Kind: RestartICE})
	case s.Current.Up():
		s.begin(false)
	case !s.serving(): // else one is being looked for
		return nil, NoHub
	}
	return s.actions, NotRefused
}

// Doubted says that the network may have changed: the path has to show life.
func (m *Machine) Doubted() []Action {
	s := m.step()
	if s.alive() && s.Current.Up() {
		s.do(Action{Kind: SamplePath})
		s.arm(Doubt, pathAnswers)
	}
	return s.actions
}

// Silent says that nothing has come by the path since SamplePath.
func (m *Machine) Silent() []Action {
	s := m.step()
	if s.alive() && s.Current.Up() {
		s.giveUpPath()
	}
	return s.actions
}

// NetworkChanged says that this machine has other addresses, and whether that at
// which the path begins is gone. A path that is being mended is looked for at once.
func (m *Machine) NetworkChanged(gone bool) []Action {
	s := m.step()
	switch {
	case !s.alive() || !s.WasUp:
	case !s.Current.Up():
		s.restart(false)
	case gone:
		s.giveUpPath()
	}
	return s.actions
}

// giveUpPath restarts ICE before ICE itself notices; without a hub that is for
// its return to do.
func (s *step) giveUpPath() {
	s.Current.Path = Disconnected // nothing is said over it any longer
	s.setState(Interrupted, NoCause)
	s.restart(false)
}

// CredentialsLast says after which time the credentials of the relays that the current connection
// has gathered are about to expire.
func (m *Machine) CredentialsLast(d time.Duration) []Action {
	s := m.step()
	if s.Current.Number != 0 {
		s.arm(Credentials, d)
	}
	return s.actions
}

// RelayEnds says that the path goes by a relay that is about to end. ICE restarts while it works.
func (m *Machine) RelayEnds() []Action {
	s := m.step()
	if s.alive() && s.Current.Up() && s.Facts.Online {
		s.Asked = true
		s.do(Action{Kind: RestartICE})
	}
	return s.actions
}
