package recovery

import "time"

// Kind is what an [Action] does.
type Kind uint8

// The actions. In one call's result they are to be carried out in order. What
// can fail, or makes the driver call the machine again, comes last.
const (
	// BeginEpoch: begin the next epoch of the exchange, then call Begun, or
	// Exhausted if there is none.
	BeginEpoch Kind = iota + 1
	// Build: make connection Conn, or call Unbuilt. If the epoch is Ours, an offer is due.
	Build
	// SetAside: the current connection, Conn, is an old one from now on.
	SetAside
	// Close: end connection Conn, the current or an old one.
	Close
	// GiveUp: the epoch is given up because of Cause. What its messages say is
	// of no use any longer, and none are sent.
	GiveUp
	// Note: the peer is not connected because of Cause.
	Note
	// Forget: the peer is connected; what was noted no longer matters.
	Forget
	// RestartICE of the current connection, in its next offer; if UnlessRelayed,
	// only if the last gathering has found no relay.
	RestartICE
	// Resend: what is unacknowledged can be sent again at once.
	Resend
	// SetState: the peer's state is Peer from now on, because of Cause.
	SetState
	// Drop: ask for the peer to be dropped, because the hub has lost it and its
	// connection is dead. Sleep, Close or Welcome follows.
	Drop
	// AskHub for a sign of life: it may have gone the same way as a path.
	AskHub
	// AskServers: ask the hub for ICE servers.
	AskServers
	// Queue: ask for our turn to build, if that was not asked.
	Queue
	// Release: our turn has come. Take the frames of the peer that were held
	// back, then call Released.
	Release
	// Yield: give our turn, or our place in the queue, back; forget the frames held back.
	Yield
	// SamplePath: remember how much has come by the path.
	SamplePath
	// ComparePath: call Silent if nothing has come by the path since.
	ComparePath
	// CheckRelay: call RelayEnds if the path goes by a relay of ours and there are
	// newer ICE servers.
	CheckRelay
	// Arm: have Elapsed called with Timer after After, instead of what that timer
	// was armed for.
	Arm
	// Disarm: have it not called.
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
	Peer          Peer
	Cause         Cause
	Timer         Timer
	After         time.Duration
}
