package recovery

import "time"

// MaxOld is how many connections of earlier epochs may serve at a time.
const MaxOld = 2

// Number names one of the connections that a link has at a time; 0 is none.
// The number of a closed connection is used again.
type Number uint8

// Path is the ICE state of a connection.
type Path uint8

// The paths, with the states of webrtc-pc's RTCIceConnectionState that they stand for.
const (
	Untried      Path = iota
	Checking          // also after a restart, until there is a pair
	Found             // connected or completed
	Disconnected      // nothing arrives
	NoPath            // failed: ICE has given up
)

// Peer is the state of the connection to the peer, as applications see it.
type Peer uint8

// The states of a peer.
const (
	Connecting  Peer = iota // has never been connected
	Connected               // data and media can flow
	Interrupted             // nothing arrives; being repaired
	Failed                  // repair has failed so far; being rebuilt
	Closed                  // gone, or asleep
)

// Cause is why an epoch is given up, or why a peer is not connected.
type Cause uint8

// The causes.
const (
	NoCause      Cause = iota
	PathLost           // the connection has failed
	TooLate            // it did not come up in time
	EpochsUsedUp       // there is no next epoch
	Told               // the driver knows: it has just reported it, by [Machine.Fail] or another event
)

// Options are what links and implementations may do differently.
type Options struct {
	Connect   time.Duration // for a connection to come up, a restart to find a path, a peer to make its first offer
	Restarts  int           // in vain, before the first rebuild
	Lost      time.Duration // for a peer that the hub has lost to be connected again; 0: until ICE gives up
	Sparing   bool          // connections are few: none is made while no offer can reach the peer
	KeepsPath bool          // an ICE restart keeps the path there is until it finds another
	Moves     bool          // we never restart ICE: a new path is a new connection, made over the one there is
}

// Facts are what the driver can see at any time. It sets them before each event.
type Facts struct {
	Online  bool          // we are at a hub
	Expired bool          // the ICE servers that are known have expired
	Wait    time.Duration // before the member may have one more connection; 0: none
}

// Conn is one connection. The zero Conn is none.
type Conn struct {
	Number  Number
	Path    Path
	Control bool // the control channel is open
	Data    bool // the data channel is open
}

// Up reports whether frames sent on the control channel are likely to arrive.
func (c *Conn) Up() bool { return c.Control && c.Path == Found }

// Machine decides for one link. It is a plain value; New makes one.
type Machine struct {
	options Options
	state   State
}

// New returns the machine of a link that knows nothing of its peer yet.
func New(o Options) Machine {
	return Machine{options: o, state: State{Allowed: o.Restarts}}
}

// Now sets what the driver sees. The driver calls it before each event.
func (m *Machine) Now(f Facts) { m.state.Facts = f }

// What drivers ask.

// Peer returns the state of the peer.
func (m *Machine) Peer() Peer { return m.state.Peer }

// Alive reports whether there is a current connection whose epoch is not given up.
func (m *Machine) Alive() bool { return m.state.alive() }

// Up reports whether a connection works: frames sent on its control channel are
// likely to arrive.
func (m *Machine) Up(n Number) bool {
	c := m.state.conn(n)
	return c != nil && c.Up()
}

// Path returns the ICE state of the current connection.
func (m *Machine) Path() Path { return m.state.Current.Path }

// Live returns the connection that carries data: the newest that works, or else
// the current one.
func (m *Machine) Live() Number { return m.state.live().Number }

// Reachable reports whether any connection works.
func (m *Machine) Reachable() bool { return m.state.live().Up() }

// Reaches reports whether frames sent by hub are likely to reach the peer.
func (m *Machine) Reaches() bool { return m.state.reaches() }

// Lost reports whether the hub has lost the peer.
func (m *Machine) Lost() bool { return m.state.Lost }

// Broken reports whether this epoch is given up and the next is due.
func (m *Machine) Broken() bool { return m.state.Broken }

// Asleep reports whether the link has no connection and only waits for its peer to come back.
func (m *Machine) Asleep() bool { return m.state.Asleep }

// Over reports whether the link has to end.
func (m *Machine) Over() bool { return m.state.Over }

// Left reports whether the peer has said goodbye.
func (m *Machine) Left() bool { return m.state.Left }

// WasUp reports whether a connection of this epoch was up.
func (m *Machine) WasUp() bool { return m.state.WasUp }

// Failures returns how many epochs were given up since the last connection that lasted.
func (m *Machine) Failures() int { return m.state.Failures }

// MustWait reports whether the link has never been connected and its turn to build has not come.
func (m *Machine) MustWait() bool { return m.state.mustWait() }

// MayRestart reports whether an offer that is to restart ICE should still do so:
// not if the path came back while the turn was on its way.
func (m *Machine) MayRestart() bool { return !m.state.Current.Up() || m.state.Asked }

// step is the handling of one event.
type step struct {
	*State
	options Options
	actions []Action
}

func (m *Machine) step() *step { return &step{State: &m.state, options: m.options} }

func (s *step) do(a Action) { s.actions = append(s.actions, a) }

// setState changes the peer's state, if it is not p already.
func (s *step) setState(p Peer, c Cause) {
	if s.Peer != p {
		s.Peer = p
		s.do(Action{Kind: SetState, Peer: p, Cause: c})
	}
}

// yield gives our turn back: the connection is up, has failed, or is not wanted any longer.
func (s *step) yield() {
	s.Admitted, s.Due = false, false
	s.do(Action{Kind: Yield})
}

// Elapsed says that a timer has ended. One that is not armed is ignored.
func (m *Machine) Elapsed(t Timer) []Action {
	s := m.step()
	if !s.Armed[t] {
		return nil
	}
	s.Armed[t] = false
	switch t {
	case ToConnect:
		s.fail(0, TooLate)
	case ToRestart:
		s.restart(false)
	case ForPath:
		s.retry()
	case ForRelay:
		s.lookAgain()
	case ToReturn:
		s.fail(0, PathLost)
	case Pause, Budget:
		s.begin(false)
	case ServersToBegin:
		s.begin(true)
	case ServersToRestart:
		s.restart(true)
	case Farewell:
		s.Over = true
	case Linger:
		if !s.Unproven { // else they stay until it is proven
			s.closeOld()
		}
	case Settle:
		s.watch()
	case Proof:
		if s.alive() && s.Current.Up() {
			s.do(Action{Kind: CheckProbe})
		}
	case InFlight:
		if s.alive() && s.Current.Up() {
			s.do(Action{Kind: SamplePath})
			s.arm(Doubt, pathAnswers)
		}
	case Doubt:
		if s.alive() && s.Current.Up() {
			s.do(Action{Kind: ComparePath})
		}
	case Credentials:
		if s.alive() && s.Current.Up() && s.Facts.Online { // whatever mends the rest takes the newest servers anyway
			s.do(Action{Kind: CheckRelay})
		}
	case Calm:
		s.Calm = true
	default:
	}
	return s.actions
}
