package pairtest

import (
	"time"

	"noom/internal/negotiate"
	"noom/internal/recovery"
)

// Observer is told of every call to the turn machine, for tables of transitions.
type Observer struct {
	Turn func(before negotiate.State, in TurnInput, actions []negotiate.Action, after negotiate.State)
}

// TurnInput is a call to the turn machine.
type TurnInput struct {
	Call     string // need, restart, offered, answered, asked or granted
	ID       int64  // of offered, answered
	Restarts bool   // of offered
}

// RecoveryInput is an event of the machine of package recovery.
type RecoveryInput struct {
	Call    string // of the method of that name
	Conn    recovery.Number
	Path    recovery.Path  // of pathChanged
	Relayed bool           // of pathChanged
	Data    bool           // of channelClosed
	Gone    bool           // of networkChanged
	Timer   recovery.Timer // of elapsed
	After   time.Duration  // of credentialsLast
}

// Do calls the machine.
func (in RecoveryInput) Do(m *recovery.Machine) (actions []recovery.Action) {
	switch in.Call {
	case "begun":
		return m.Begun()
	case "exhausted":
		return m.Exhausted()
	case "renewed":
		return m.Renewed(in.Conn)
	case "unbuilt":
		return m.Unbuilt()
	case "fail":
		return m.Fail()
	case "spoiled":
		return m.Spoiled(in.Conn)
	case "serversTold":
		return m.ServersTold()
	case "pathChanged":
		return m.PathChanged(in.Conn, in.Path, in.Relayed)
	case "controlOpened":
		return m.ControlOpened(in.Conn)
	case "dataOpened":
		return m.DataOpened(in.Conn)
	case "channelClosed":
		return m.ChannelClosed(in.Conn, in.Data)
	case "restarted":
		return m.Restarted()
	case "answered":
		return m.Answered()
	case "unanswered":
		return m.Unanswered()
	case "restart":
		actions, _ = m.Restart()
	case "doubted":
		return m.Doubted()
	case "silent":
		return m.Silent()
	case "networkChanged":
		return m.NetworkChanged(in.Gone)
	case "credentialsLast":
		return m.CredentialsLast(in.After)
	case "relayEnds":
		return m.RelayEnds()
	case "elapsed":
		return m.Elapsed(in.Timer)
	case "welcome":
		return m.Welcome()
	case "expect":
		return m.Expect()
	case "hubLost":
		return m.HubLost()
	case "goodbye":
		return m.Goodbye()
	case "close":
		m.Close()
	case "ended":
		return m.Ended()
	case "sleep":
		return m.Sleep()
	case "wake":
		return m.Wake()
	case "peerBegins":
		return m.PeerBegins()
	case "admitted":
		return m.Admitted()
	case "released":
		return m.Released()
	default:
		panic("no event " + in.Call)
	}
	return actions
}
