package recovery

import "time"

// This file keeps the current connection on a working path.

// PathChanged reports the ICE state of connection n. relayed says that the path
// goes, or last went, by a relay of ours; it is read when the path is interrupted.
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
		s.do(Action{Kind: AskHub}) // because it has to carry the restart
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

// ControlOpened reports that the control channel of a connection is open.
func (m *Machine) ControlOpened(n Number) []Action { return m.opened(n, false) }

// DataOpened reports that the data channel of a connection is open. So is its
// control channel, which was made first.
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

// openedOrFound makes the peer connected once there are a path and both channels.
func (s *step) openedOrFound() {
	if s.Broken || s.Left || !s.Current.Up() || !s.Current.Data {
		return
	}
	if s.WasUp && s.Peer == Connected {
		s.disarm(ToRestart, ForPath, ForRelay, ServersToRestart)
		s.watchNew()
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
	s.do(Action{Kind: Resend, Late: true}) // what was sent by a dead hub can now go in-band
	s.watchNew()
}

// pathFailed restarts ICE, because a failed path is no reason to give up the connection.
func (s *step) pathFailed() {
	if s.Lost || s.Old[0].Number != 0 {
		s.fail(0, PathLost) // drops the peer, or moves to another connection again
		return
	}
	s.do(Action{Kind: Note, Cause: PathLost})
	s.setState(Failed, PathLost)
	s.retry()
}

// retry restarts again or, after the allowed number of restarts, rebuilds.
func (s *step) retry() {
	if s.Restarts++; s.Restarts > s.Allowed {
		s.Allowed = min(2*s.Allowed, maxRestarts)
		s.fail(0, PathLost)
		return
	}
	s.restart(false)
}

// restart looks for a new path. Only the hub can carry the offer of a restart, or
// that of a new connection while the old one does not work. Without a hub nothing
// is done; its return leads here again. asked says that we have already asked the
// hub for new ICE servers.
func (s *step) restart(asked bool) {
	switch {
	case !s.alive() || s.Current.Up() || !s.Facts.Online:
		return
	case s.options.Moves:
		s.begin(asked)
		return
	case !asked && s.awaitServers(ServersToRestart):
		return
	}
	s.lookForPath(s.options.Connect)
	s.do(Action{Kind: RestartICE})
}

// lookForPath waits for the path that a restart is to find. If the last one went
// by a relay of ours, it checks in between whether there is a relay again.
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

// Restarted reports that ICE is being restarted, by either end. The path that
// in-band frames would take is given up.
func (m *Machine) Restarted() []Action {
	s := m.step()
	s.Asked, s.Unproven = false, true
	s.disarm(Proof)
	if s.options.KeepsPath {
		s.arm(Settle, settleAfter) // perhaps the path is never reported as found
	} else {
		s.Current.Path = Checking
	}
	return s.actions
}

// Refusal is why [Machine.Restart] does nothing.
type Refusal uint8

// The refusals.
const (
	NotRefused   Refusal = iota
	IsClosed             // the peer is gone
	NotConnected         // there is no connection
	NoHub                // there is neither a hub nor a connection that works
)

// Restart looks for a new path because the user wants one. If no hub reaches the
// peer, or an end never restarts, that is a new connection, negotiated over the
// one there is.
func (m *Machine) Restart() ([]Action, Refusal) {
	s := m.step()
	switch {
	case s.Asleep:
		return nil, IsClosed
	case !s.alive():
		return nil, NotConnected
	case s.options.Moves && (s.reaches() || s.Current.Up()):
		if s.WasUp || !s.serving() { // else a path is being looked for already
			s.begin(false)
		}
	case s.reaches():
		s.Asked = true
		s.do(Action{Kind: RestartICE})
	case s.Current.Up():
		s.begin(false)
	case !s.serving(): // if an old one serves, a new path is being looked for already
		return nil, NoHub
	}
	return s.actions, NotRefused
}

// Doubted reports that the network may have changed: the path has to show life. What
// arrives at once may have been sent before the change, and shows none.
func (m *Machine) Doubted() []Action {
	s := m.step()
	if s.alive() && s.Current.Up() {
		s.disarm(Doubt)
		s.arm(InFlight, stillArrives)
	}
	return s.actions
}

// Silent reports that nothing has arrived by the path since SamplePath.
func (m *Machine) Silent() []Action {
	s := m.step()
	if s.alive() && s.Current.Up() {
		s.giveUpPath()
	}
	return s.actions
}

// NetworkChanged reports that the addresses of this machine have changed. gone
// says that the path's own address is gone. If a path is being looked for, ICE
// restarts at once.
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

// giveUpPath restarts ICE before ICE itself notices. Without a hub, the restart
// waits for its return.
func (s *step) giveUpPath() {
	s.Current.Path = Disconnected // no more frames go over it
	s.setState(Interrupted, NoCause)
	s.restart(false)
}

// CredentialsLast reports after what time the credentials of the relays that the
// current connection has gathered are about to expire.
func (m *Machine) CredentialsLast(d time.Duration) []Action {
	s := m.step()
	if s.Current.Number != 0 {
		s.arm(Credentials, d)
	}
	return s.actions
}

// RelayEnds reports that the path goes by a relay that is about to end. ICE
// restarts while it still works.
func (m *Machine) RelayEnds() []Action {
	s := m.step()
	switch {
	case !s.alive() || !s.Current.Up() || !s.Facts.Online:
	case s.options.Moves:
		s.begin(false)
	default:
		s.Asked = true
		s.do(Action{Kind: RestartICE})
	}
	return s.actions
}
