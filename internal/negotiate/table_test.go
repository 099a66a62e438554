package negotiate_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"noom/internal/negotiate"
	"noom/internal/pairtest"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/transitions.json")

// transition is a row of testdata/transitions.json, which its README.md
// explains. Zero values are left out.
type transition struct {
	State   machine  `json:"state"`
	Input   input    `json:"input"`
	Actions []action `json:"actions"`
	Next    machine  `json:"next"`
}

type machine struct {
	Turn    bool  `json:"turn,omitempty"`
	Asked   bool  `json:"asked,omitempty"`
	Need    bool  `json:"need,omitempty"`
	Restart bool  `json:"restart,omitempty"`
	Local   int64 `json:"local,omitempty"`
	Open    bool  `json:"open,omitempty"`
	Remote  int64 `json:"remote,omitempty"`
}

type input struct {
	Call     string `json:"call"`
	ID       int64  `json:"id,omitempty"`
	Restarts bool   `json:"restarts,omitempty"`
}

type action struct {
	Kind    string `json:"kind"`
	ID      int64  `json:"id,omitempty"`
	Restart bool   `json:"restart,omitempty"`
}

var kinds = map[negotiate.Kind]string{
	negotiate.Offer: "offer", negotiate.Answer: "answer", negotiate.Apply: "apply",
	negotiate.Ask: "ask", negotiate.Grant: "grant", negotiate.Rebuild: "rebuild",
}

// maxCount is how far the table counts offers.
const maxCount = 2

func (s machine) within() bool { return s.Local <= maxCount && s.Remote <= maxCount }

// transitionOf gives an input to a machine in state s.
func transitionOf(s machine, in input) transition {
	m := negotiate.Restore(negotiate.State(s))
	var actions []negotiate.Action
	switch in.Call {
	case "need":
		actions = m.Need()
	case "restart":
		actions = m.Restart()
	case "offered":
		actions = m.Offered(in.ID, in.Restarts)
	case "answered":
		actions = m.Answered(in.ID)
	case "asked":
		actions = m.Asked()
	case "granted":
		actions = m.Granted()
	}
	return transition{s, in, actionsOf(actions), machine(m.State())}
}

func actionsOf(actions []negotiate.Action) []action {
	out := []action{}
	for _, a := range actions {
		out = append(out, action{kinds[a.Kind], a.ID, a.Restart})
	}
	return out
}

// inputs returns every input that makes a difference in state s, those from an end that
// breaks the rules included.
func (s machine) inputs() []input {
	return []input{
		{Call: "need"},
		{Call: "restart"},
		{Call: "offered", ID: s.Remote + 1},
		{Call: "offered", ID: s.Remote + 1, Restarts: true},
		{Call: "offered", ID: s.Remote},
		{Call: "answered", ID: s.Local},
		{Call: "answered", ID: max(s.Local-1, 0)},
		{Call: "answered", ID: s.Local + 1},
		{Call: "asked"},
		{Call: "granted"},
	}
}

// tableRows returns every transition from every state that can be reached from the
// two first states, breadth first.
func tableRows() []transition {
	var rows []transition
	begun := negotiate.Begin()
	queue := []machine{{}, machine(begun.State())}
	seen := map[machine]bool{queue[0]: true, queue[1]: true}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, in := range slices.Compact(s.inputs()) {
			r := transitionOf(s, in)
			rows = append(rows, r)
			if r.Next.within() && !seen[r.Next] {
				seen[r.Next] = true
				queue = append(queue, r.Next)
			}
		}
	}
	return rows
}

func TestTable(t *testing.T) {
	const file = "testdata/transitions.json"
	rows := tableRows()
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

// TestTableIsComplete: the table has a row for everything that the machines do on
// random ways through the model of a link.
func TestTableIsComplete(t *testing.T) {
	type key struct {
		machine
		input
	}
	rows := make(map[key]bool)
	for _, r := range tableRows() {
		rows[key{r.State, r.Input}] = true
	}
	checked := make(map[key]bool)
	watch := &pairtest.Observer{
		Turn: func(before negotiate.State, in pairtest.TurnInput, _ []negotiate.Action, _ negotiate.State) {
			k := key{machine(before), input(in)}
			if k.within() && !checked[k] {
				checked[k] = true
				if !rows[k] {
					t.Errorf("no row for %+v", k)
				}
			}
		},
	}
	for seed := range uint64(500) {
		if _, err := pairtest.Walk(seed, watch); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("the walks met %d of %d rows", len(checked), len(rows))
	if len(checked) < 100 {
		t.Error("the walks met too few rows to check anything")
	}
}
