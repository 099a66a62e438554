package recovery_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"noom/internal/recovery"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/transitions.json")

// transition is a row of testdata/transitions.json, which its README.md
// explains. Zero values are left out.
type transition struct {
	Browser bool     `json:"browser,omitempty"`
	State   machine  `json:"state"`
	Input   call     `json:"input"`
	Actions []action `json:"actions"`
	Next    machine  `json:"next"`
}

type machine struct {
	Online  bool  `json:"online,omitempty"`
	Expired bool  `json:"expired,omitempty"`
	Wait    int64 `json:"wait,omitempty"`

	Current *conn   `json:"current,omitempty"`
	Old     []*conn `json:"old,omitempty"`

	Peer     string `json:"peer"`
	Ours     bool   `json:"ours,omitempty"`
	Broken   bool   `json:"broken,omitempty"`
	WasUp    bool   `json:"wasUp,omitempty"`
	Calm     bool   `json:"calm,omitempty"`
	EverUp   bool   `json:"everUp,omitempty"`
	Lost     bool   `json:"lost,omitempty"`
	Left     bool   `json:"left,omitempty"`
	Asleep   bool   `json:"asleep,omitempty"`
	Over     bool   `json:"over,omitempty"`
	Admitted bool   `json:"admitted,omitempty"`
	Due      bool   `json:"due,omitempty"`
	Asked    bool   `json:"asked,omitempty"`
	Relayed  bool   `json:"relayed,omitempty"`
	Unproven bool   `json:"unproven,omitempty"`

	Failures int      `json:"failures,omitempty"`
	Restarts int      `json:"restarts,omitempty"`
	Allowed  int      `json:"allowed,omitempty"`
	Looks    int      `json:"looks,omitempty"`
	Patience int64    `json:"patience,omitempty"`
	Armed    []string `json:"armed,omitempty"`
}

type conn struct {
	Number  recovery.Number `json:"number"`
	Path    string          `json:"path"`
	Control bool            `json:"control,omitempty"`
	Data    bool            `json:"data,omitempty"`
}

type action struct {
	Kind          string          `json:"kind"`
	Conn          recovery.Number `json:"conn,omitempty"`
	Ours          bool            `json:"ours,omitempty"`
	UnlessRelayed bool            `json:"unlessRelayed,omitempty"`
	Late          bool            `json:"late,omitempty"`
	Peer          string          `json:"peer,omitempty"`
	Cause         string          `json:"cause,omitempty"`
	Timer         string          `json:"timer,omitempty"`
	After         *int64          `json:"after,omitempty"`
}

type call struct {
	Call    string          `json:"call"`
	Conn    recovery.Number `json:"conn,omitempty"`
	Path    string          `json:"path,omitempty"`
	Relayed bool            `json:"relayed,omitempty"`
	Data    bool            `json:"data,omitempty"`
	Gone    bool            `json:"gone,omitempty"`
	Timer   string          `json:"timer,omitempty"`
	After   int64           `json:"after,omitempty"`
}

func callOf(in input) call {
	out := call{Call: in.Call, Conn: in.Conn, Relayed: in.Relayed, Data: in.Data, Gone: in.Gone, After: in.After.Milliseconds()}
	switch in.Call {
	case "pathChanged":
		out.Path = paths[in.Path]
	case "elapsed":
		out.Timer = timers[in.Timer]
	}
	return out
}

func connOf(c recovery.Conn) *conn {
	if c.Number == 0 {
		return nil
	}
	return &conn{c.Number, paths[c.Path], c.Control, c.Data}
}

func machineOf(s recovery.State) machine {
	m := machine{
		Online: s.Facts.Online, Expired: s.Facts.Expired, Wait: s.Facts.Wait.Milliseconds(),
		Current: connOf(s.Current), Peer: peers[s.Peer],
		Ours: s.Ours, Broken: s.Broken, WasUp: s.WasUp, Calm: s.Calm, EverUp: s.EverUp, Lost: s.Lost, Left: s.Left,
		Asleep: s.Asleep, Over: s.Over, Admitted: s.Admitted, Due: s.Due, Asked: s.Asked, Relayed: s.Relayed, Unproven: s.Unproven,
		Failures: s.Failures, Restarts: s.Restarts, Allowed: s.Allowed, Looks: s.Looks, Patience: s.Patience.Milliseconds(),
	}
	for _, c := range s.Old {
		if c.Number != 0 {
			m.Old = append(m.Old, connOf(c))
		}
	}
	for t, armed := range s.Armed {
		if armed {
			m.Armed = append(m.Armed, timers[recovery.Timer(t)])
		}
	}
	return m
}

func actionOf(a recovery.Action) action {
	out := action{
		Kind: kinds[a.Kind], Conn: a.Conn, Ours: a.Ours, UnlessRelayed: a.UnlessRelayed, Late: a.Late, Cause: causes[a.Cause],
	}
	switch a.Kind {
	case recovery.SetState:
		out.Peer = peers[a.Peer]
	case recovery.Arm:
		after := a.After.Milliseconds()
		out.Timer, out.After = timers[a.Timer], &after
	case recovery.Disarm:
		out.Timer = timers[a.Timer]
	default:
	}
	return out
}

// maxAlike is how many rows show the same event with the same outcome.
const maxAlike = 2

// written are ways on from a call that random ones hardly go.
var written = []func(*desk){
	func(d *desk) { // a path breaks and no restart finds another, twice
		for range 2 {
			d.path(recovery.Disconnected)
			d.elapse(recovery.ToRestart)
			for d.m.WasUp() && !d.m.Broken() { // a browser moves at once
				d.elapse(recovery.ForPath)
			}
			if d.m.Broken() {
				d.elapse(recovery.Pause)
			}
			d.comesUp()
		}
	},
	func(d *desk) { // a path by a relay breaks, and there is no relay for a while
		d.on(input{Call: "pathChanged", Conn: d.current, Path: recovery.Disconnected, Relayed: true})
		d.elapse(recovery.ToRestart)
		for d.m.WasUp() && !d.m.Broken() {
			if _, ok := d.armed[recovery.ForRelay]; ok {
				d.elapse(recovery.ForRelay)
			} else {
				d.elapse(recovery.ForPath)
			}
		}
	},
	func(d *desk) { // new connections over the old, without a hub
		d.loseHub()
		for range 3 {
			d.call("restart")
			d.comesUp()
		}
		d.elapse(recovery.Linger)
	},
	func(d *desk) { // a restart by the peer, and then new paths that carry nothing
		d.call("restarted")
		d.path(recovery.Found)
		for range 2 {
			for !d.m.Broken() {
				if _, ok := d.armed[recovery.Settle]; ok {
					d.elapse(recovery.Settle)
				}
				d.elapse(recovery.Proof)
				d.call("unanswered")
			}
			d.elapse(recovery.Pause)
			d.comesUp()
		}
	},
	func(d *desk) { // a path that shows no life
		d.call("doubted")
		d.elapse(recovery.InFlight)
		d.call("doubted")
		d.elapse(recovery.InFlight)
		d.call("doubted") // again, while the first is under way
		d.elapse(recovery.InFlight)
		d.elapse(recovery.Doubt)
		d.call("silent")
	},
	func(d *desk) { // a relay that is about to end
		d.on(input{Call: "credentialsLast", After: time.Minute})
		d.elapse(recovery.Credentials)
		d.call("relayEnds")
	},
	func(d *desk) { // last words
		d.call("goodbye")
		d.elapse(recovery.Farewell)
		d.call("ended")
	},
}

// tableRows is what happens on random ways and on the written ones, without most of what is alike.
func tableRows(t *testing.T) (rows []transition) {
	seen := make(map[string]int)
	watch := func(browser bool) func(recovery.State, input, []recovery.Action, recovery.State) {
		return func(before recovery.State, in input, actions []recovery.Action, after recovery.State) {
			outcome := fmt.Sprint(browser, in.Call, in.Path, in.Timer, before.Peer, after.Peer)
			for _, a := range actions {
				outcome += " " + strings.TrimRight(actionWords(a), "0123456789.ms")
			}
			if seen[outcome]++; seen[outcome] > maxAlike {
				return
			}
			row := transition{Browser: browser, State: machineOf(before), Input: callOf(in), Actions: []action{}, Next: machineOf(after)}
			for _, a := range actions {
				row.Actions = append(row.Actions, actionOf(a))
			}
			rows = append(rows, row)
		}
	}
	for seed := range uint64(1500) {
		goRandomWay(t, seed, watch(seed%2 == 1)) // as it has it
	}
	for i, options := range []recovery.Options{goOptions, browserOptions} {
		for _, way := range written {
			d := inCallWith(t, options)
			d.watch = watch(i == 1)
			way(d)
		}
	}
	return rows
}

func TestTable(t *testing.T) {
	const file = "testdata/transitions.json"
	rows := tableRows(t)
	text := []byte("[\n")
	for i, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, line...)
		if i < len(rows)-1 {
			text = append(text, ',')
		}
		text = append(text, '\n')
	}
	text = append(text, "]\n"...)
	if *rewriteFile {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, text) {
		t.Errorf("%s differs from what the machine does; if the machine is right, run this test with -rewrite", file)
	}
	t.Logf("%d transitions, %d bytes", len(rows), len(text))
}

// TestRestore: a restored machine is equal to the one it was restored from.
func TestRestore(t *testing.T) {
	d := inCall(t)
	d.call("fail")
	m := recovery.Restore(d.options, d.m.State())
	if m != d.m {
		t.Errorf("%+v became %+v", d.m, m)
	}
	if m.Elapsed(recovery.Pause); m.State() == d.m.State() || time.Duration(0) != d.facts.Wait {
		t.Error("the copy and the original share state")
	}
}
