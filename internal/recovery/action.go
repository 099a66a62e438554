package recovery

import "time"

// Kind is what an [Action] does.
type Kind uint8

// The actions. The driver carries out those of one call in order. An action
// that can fail, or that makes the driver call the machine again, comes last.
const (
	// BeginEpoch: begin the next epoch of the exchange, then call Begun, or
	// Exhausted if there is none.
	BeginEpoch Kind = iota + 1
	// Build: make connection Conn; if that fails, call Unbuilt. If the epoch is Ours, an offer is due.
	Build
	// SetAside: Conn, which was the current connection, is now an old one.
	SetAside
	// Close: end connection Conn, the current or an old one.
	Close
	// GiveUp: the epoch is given up because of Cause. Its messages are no longer of
	// use; send none.
	GiveUp
	// Note: remember that the peer is not connected because of Cause.
	Note
	// Forget: the peer is connected; what was noted no longer matters.
	Forget
	// RestartICE: restart ICE on the current connection, with its next offer. If
	// UnlessRelayed, only if the last gathering has found no relay.
	RestartICE
	// Resend: send everything unacknowledged again, without waiting for its turn. If
	// Late, only what should have been acknowledged by now.
	Resend
	// SetState: the peer's state is now Peer, because of Cause.
	SetState
	// Drop: ask the room to drop the peer, because the hub has lost it and its
	// connection is dead. Sleep, Close or Welcome follows.
	Drop
	// AskHub: ask the hub for a sign of life, because it may have been lost with the path.
	AskHub
	// AskServers: ask the hub for ICE servers.
	AskServers
	// Queue: ask for our turn to build, unless we are waiting for it already.
	Queue
	// Release: our turn has come. Take the peer's frames that were held back,
	// then call Released.
	Release
	// Yield: give back our turn, or our place in the queue; drop the frames held back.
	Yield
	// SamplePath: remember how much has arrived by the path.
	SamplePath
	// ComparePath: call Silent if nothing has arrived by the path since SamplePath.
	ComparePath
	// Probe: send a frame over the current connection, which its other end's SCTP
	// acknowledges, and remember how much has arrived by the path that is not ICE's own.
	Probe
	// CheckProbe: call Answered if more of that has arrived since Probe, Unanswered if not.
	CheckProbe
	// CheckRelay: call RelayEnds if the path goes by a relay of ours and there are
	// newer ICE servers.
	CheckRelay
	// Arm: call Elapsed with Timer after After. This replaces an earlier Arm of that timer.
	Arm
	// Disarm: do not call Elapsed with Timer.
	Disarm
	// End: all connections and timers end.
	End
)

// Action is something the driver has to do.
type Action struct {
	Kind          Kind
	Conn          Number
	Ours          bool
	UnlessRelayed bool
	Late          bool
	Peer          Peer
	Cause         Cause
	Timer         Timer
	After         time.Duration
}
