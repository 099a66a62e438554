package recovery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/internal/pairtest"
	"noom/internal/recovery"
)

const connectTime = 15 * time.Second

// input is an event.
type input = pairtest.RecoveryInput

// desk is a driver without anything to drive: it keeps what the machine says, answers
// what it asks, and finds fault with what cannot be done.
type desk struct {
	t       *testing.T
	options recovery.Options
	m       recovery.Machine
	facts   recovery.Facts

	current recovery.Number
	old     []recovery.Number
	armed   map[recovery.Timer]time.Duration
	peer    recovery.Peer
	queued  bool // we wait for our turn
	dropped bool
	said    []string // since the last call of says
	watch   func(before recovery.State, in input, actions []recovery.Action, after recovery.State)
}

// The options of Go clients and of browsers.
var (
	goOptions      = recovery.Options{Connect: connectTime, Restarts: 2}
	browserOptions = recovery.Options{Connect: connectTime, Lost: 5 * time.Second, Sparing: true, KeepsPath: true, Moves: true}
)

func newDesk(t *testing.T) *desk { return newDeskWith(t, goOptions) }

func newDeskWith(t *testing.T, o recovery.Options) *desk {
	return &desk{
		t: t, options: o, m: recovery.New(o), facts: recovery.Facts{Online: true},
		armed: make(map[recovery.Timer]time.Duration),
	}
}

// on gives the machine an event and carries out its actions.
func (d *desk) on(in input) {
	d.t.Helper()
	d.m.Now(d.facts)
	before := d.m.State()
	actions := in.Do(&d.m)
	if d.watch != nil {
		d.watch(before, in, actions, d.m.State())
	}
	for _, a := range actions {
		d.said = append(d.said, actionWords(a))
		d.do(a)
	}
}

func (d *desk) do(a recovery.Action) {
	d.t.Helper()
	switch a.Kind {
	case recovery.BeginEpoch:
		d.on(input{Call: "begun"})
	case recovery.Build:
		if d.current != 0 || slices.Contains(d.old, a.Conn) {
			d.t.Errorf("connection %d is built while there are %d and %d", a.Conn, d.current, d.old)
		}
		d.current = a.Conn
	case recovery.SetAside:
		if a.Conn != d.current {
			d.t.Errorf("connection %d is set aside; the current one is %d", a.Conn, d.current)
		}
		d.old, d.current = append(d.old, d.current), 0
	case recovery.Close:
		if a.Conn == d.current {
			d.current = 0
			return
		}
		if !slices.Contains(d.old, a.Conn) {
			d.t.Errorf("connection %d is closed and does not exist", a.Conn)
		}
		d.old = slices.DeleteFunc(d.old, func(n recovery.Number) bool { return n == a.Conn })
	case recovery.RestartICE:
		if !d.m.Alive() {
			d.t.Error("ICE restarts without a connection")
		}
	case recovery.SetState:
		if d.peer == a.Peer {
			d.t.Errorf("the state is set to %v twice", a.Peer)
		}
		d.peer = a.Peer
	case recovery.Arm:
		d.armed[a.Timer] = a.After
	case recovery.Disarm:
		delete(d.armed, a.Timer)
	case recovery.End:
		d.current, d.old = 0, nil
		clear(d.armed)
	case recovery.Queue:
		d.queued = true
	case recovery.Release:
		d.on(input{Call: "released"})
	case recovery.Yield:
		d.queued = false
	case recovery.Drop:
		d.dropped = true
	default: // nothing to keep
	}
}

// says checks that the machine's actions since the last call include these, in this order.
func (d *desk) says(want ...string) {
	d.t.Helper()
	said := d.said
	d.said = nil
	rest := said
	for _, w := range want {
		i := slices.Index(rest, w)
		if i < 0 {
			d.t.Fatalf("no %q in its place; actions:\n%s", w, strings.Join(said, "\n"))
		}
		rest = rest[i+1:]
	}
}

// keepsQuiet checks that there were no actions since the last call of says.
func (d *desk) keepsQuiet() {
	d.t.Helper()
	if len(d.said) > 0 {
		d.t.Fatalf("unexpected actions:\n%s", strings.Join(d.said, "\n"))
	}
}

// neverSays checks that an action is not among those since the last call of says.
func (d *desk) neverSays(what string) {
	d.t.Helper()
	if slices.Contains(d.said, what) {
		d.t.Fatalf("unexpected %q; actions:\n%s", what, strings.Join(d.said, "\n"))
	}
	d.said = nil
}

// is checks the state of the peer.
func (d *desk) is(p recovery.Peer) {
	d.t.Helper()
	if d.m.Peer() != p || d.peer != p {
		d.t.Fatalf("the peer is %s, want %s", peers[d.m.Peer()], peers[p])
	}
}

// elapse lets a timer, which must be armed, run out.
func (d *desk) elapse(t recovery.Timer) {
	d.t.Helper()
	if _, ok := d.armed[t]; !ok {
		d.t.Fatalf("%s is not armed: %v", timers[t], d.armed)
	}
	delete(d.armed, t)
	d.on(input{Call: "elapsed", Timer: t})
}

// path changes the ICE state of the current connection.
func (d *desk) path(p recovery.Path) {
	d.t.Helper()
	d.on(input{Call: "pathChanged", Conn: d.current, Path: p})
}

// comesUp connects the current connection.
func (d *desk) comesUp() {
	d.t.Helper()
	d.path(recovery.Checking)
	d.path(recovery.Found)
	d.on(input{Call: "dataOpened", Conn: d.current})
}

// inCall returns a desk in a call that the peer began and that has lasted a while.
func inCall(t *testing.T) *desk {
	t.Helper()
	return inCallWith(t, goOptions)
}

func inCallWith(t *testing.T, o recovery.Options) *desk {
	t.Helper()
	d := newDeskWith(t, o)
	d.call("expect")
	d.call("peerBegins")
	d.call("admitted")
	d.on(input{Call: "renewed"})
	d.comesUp()
	d.elapse(recovery.Calm)
	d.is(recovery.Connected)
	d.said = nil
	return d
}

// call gives the machine an event without arguments.
func (d *desk) call(name string) {
	d.t.Helper()
	d.on(input{Call: name})
}

// loseHub ends our connection to the hub.
func (d *desk) loseHub() { d.facts.Online = false }

// findHub brings us back to the hub, where the peer is.
func (d *desk) findHub() {
	d.t.Helper()
	d.facts.Online = true
	d.call("expect")
}

// The names that tests and tables use.

var (
	calls = []string{
		"begun", "exhausted", "renewed", "unbuilt", "fail", "spoiled", "serversTold", "pathChanged", "controlOpened", "dataOpened",
		"channelClosed", "restarted", "answered", "unanswered", "restart", "doubted", "silent", "networkChanged", "credentialsLast", "relayEnds", "elapsed",
		"welcome", "expect", "hubLost", "goodbye", "close", "ended", "sleep", "wake", "peerBegins", "admitted", "released",
	}
	kinds = map[recovery.Kind]string{
		recovery.BeginEpoch: "beginEpoch", recovery.Build: "build", recovery.SetAside: "setAside", recovery.Close: "close",
		recovery.GiveUp: "giveUp", recovery.Note: "note", recovery.Forget: "forget", recovery.RestartICE: "restartICE",
		recovery.Resend: "resend", recovery.SetState: "setState", recovery.Drop: "drop", recovery.AskHub: "askHub",
		recovery.AskServers: "askServers", recovery.Queue: "queue", recovery.Release: "release", recovery.Yield: "yield",
		recovery.SamplePath: "samplePath", recovery.ComparePath: "comparePath", recovery.Probe: "probe",
		recovery.CheckProbe: "checkProbe", recovery.CheckRelay: "checkRelay",
		recovery.Arm: "arm", recovery.Disarm: "disarm", recovery.End: "end",
	}
	timers = map[recovery.Timer]string{
		recovery.ToConnect: "toConnect", recovery.ToRestart: "toRestart", recovery.ForPath: "forPath",
		recovery.ForRelay: "forRelay", recovery.ToReturn: "toReturn",
		recovery.Pause: "pause", recovery.Budget: "budget", recovery.ServersToBegin: "serversToBegin",
		recovery.ServersToRestart: "serversToRestart", recovery.Farewell: "farewell", recovery.Linger: "linger",
		recovery.Settle: "settle", recovery.Proof: "proof", recovery.InFlight: "inFlight", recovery.Doubt: "doubt", recovery.Credentials: "credentials", recovery.Calm: "calm",
	}
	paths = map[recovery.Path]string{
		recovery.Untried: "untried", recovery.Checking: "checking", recovery.Found: "found", recovery.Disconnected: "disconnected",
		recovery.NoPath: "noPath",
	}
	peers = map[recovery.Peer]string{
		recovery.Connecting: "connecting", recovery.Connected: "connected", recovery.Interrupted: "interrupted",
		recovery.Failed: "failed", recovery.Closed: "closed",
	}
	causes = map[recovery.Cause]string{
		recovery.NoCause: "", recovery.PathLost: "pathLost", recovery.TooLate: "tooLate", recovery.EpochsUsedUp: "epochsUsedUp",
		recovery.Told: "told",
	}
)

// actionWords returns an action in words.
func actionWords(a recovery.Action) string {
	s := kinds[a.Kind]
	switch a.Kind {
	case recovery.Build:
		s = fmt.Sprintf("%s %d", s, a.Conn)
		if a.Ours {
			s += " ours"
		}
	case recovery.SetAside, recovery.Close:
		s = fmt.Sprintf("%s %d", s, a.Conn)
	case recovery.GiveUp, recovery.Note:
		s += " " + causes[a.Cause]
	case recovery.SetState:
		s = peers[a.Peer]
	case recovery.RestartICE:
		if a.UnlessRelayed {
			s += " unless relayed"
		}
	case recovery.Resend:
		if a.Late {
			s += " late"
		}
	case recovery.Arm:
		s = fmt.Sprintf("%s %s %v", s, timers[a.Timer], a.After)
	case recovery.Disarm:
		s += " " + timers[a.Timer]
	default:
	}
	return s
}
