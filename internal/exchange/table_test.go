package exchange_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"

	"noom/internal/exchange"
)

var rewriteFile = flag.Bool("rewrite", false, "rewrite testdata/transitions.json")

// transition is a row of testdata/transitions.json, which its README.md
// explains. Zero values are left out.
type transition struct {
	State   state  `json:"state"`
	Input   input  `json:"input"`
	Actions output `json:"actions"`
	Next    state  `json:"next"`
}

type epoch [2]any // number, beginner

type state struct {
	Epoch epoch      `json:"epoch"`
	Acked int64      `json:"acked,omitempty"`
	Sent  int        `json:"sent,omitempty"`
	Queue []outgoing `json:"queue,omitempty"`
	Got   int64      `json:"got,omitempty"`
	Early []frame    `json:"early,omitempty"` // seq and type alone
	Owed  int        `json:"owed,omitempty"`
}

type outgoing struct {
	Type    string `json:"type"`
	HubOnly bool   `json:"hubOnly,omitempty"`
	Due     bool   `json:"due,omitempty"`
	Tries   int    `json:"tries,omitempty"`
	Wait    int    `json:"wait,omitempty"`
}

type frame struct {
	Type    string `json:"type,omitempty"`
	HubOnly bool   `json:"hubOnly,omitempty"`
	Epoch   *epoch `json:"epoch,omitempty"`
	Seq     int64  `json:"seq,omitempty"`
	Ack     int64  `json:"ack,omitempty"`
	Again   bool   `json:"again,omitempty"`
}

type input struct {
	Call    string    `json:"call"`
	Message *outgoing `json:"message,omitempty"` // of send
	Frame   *frame    `json:"frame,omitempty"`   // of receive
}

type output struct {
	OK       bool     `json:"ok,omitempty"`       // of begin and receive
	Renewed  bool     `json:"renewed,omitempty"`  // of receive
	Messages []string `json:"messages,omitempty"` // their types, of receive
	Frames   []frame  `json:"frames,omitempty"`   // of flush
}

func epochOf(e exchange.Epoch) epoch { return epoch{e.Number, e.By} }

func (e epoch) value() exchange.Epoch {
	return exchange.Epoch{Number: e[0].(int64), By: e[1].(string)}
}

func stateOf(s exchange.State) state {
	out := state{Epoch: epochOf(s.Epoch), Acked: s.Acked, Sent: s.Sent, Got: s.Got, Owed: s.Owed}
	for _, o := range s.Queue {
		out.Queue = append(out.Queue, outgoing{o.Type, o.HubOnly, o.Due, o.Tries, o.Wait})
	}
	for _, e := range s.Early {
		out.Early = append(out.Early, frame{Type: e.Type, Seq: e.Seq})
	}
	return out
}

// takeInput gives x an input.
func takeInput(x *exchange.Exchange, in input) (out output) {
	switch in.Call {
	case "begin":
		out.OK = x.Begin()
	case "send":
		x.Send(exchange.Message{Type: in.Message.Type, HubOnly: in.Message.HubOnly})
	case "receive":
		f := exchange.Frame{Epoch: in.Frame.Epoch.value(), Seq: in.Frame.Seq, Ack: in.Frame.Ack}
		f.Type = in.Frame.Type
		messages, renewed, ok := x.Receive(f)
		out.OK, out.Renewed = ok, renewed
		for _, m := range messages {
			out.Messages = append(out.Messages, m.Type)
		}
	case "press":
		x.Press()
	case "tick":
		x.Tick()
	case "resend":
		x.Resend()
	case "resendLate":
		x.ResendLate()
	case "flush":
		for _, f := range x.Flush() {
			e := epochOf(f.Epoch)
			out.Frames = append(out.Frames, frame{f.Type, f.HubOnly, &e, f.Seq, f.Ack, f.Again})
		}
	}
	return out
}

const maxNumber, window = int64(exchange.MaxNumber), int64(exchange.Window)

// tableInputs returns the inputs that the table has for a state. They are those that
// matter there, frames from an end that breaks the rules included, and few
// enough to keep the table small: in its own epochs the exchange mostly sends,
// in those of the other end it mostly receives.
func tableInputs(s exchange.State) []input {
	in := []input{{Call: "flush"}}
	own := s.Epoch.By == "a"
	queued := s.Acked + int64(len(s.Queue))
	switch {
	case s.Epoch.Number == 0:
		in = append(in, input{Call: "begin"})
	case s.Epoch.Number == maxNumber:
		return append(in, input{Call: "begin"}) // refused
	case s.Epoch.Number > 1:
		return in
	case queued == 0 && len(s.Early) == 0 && (own || s.Got == 1):
		in = append(in, input{Call: "send", Message: &outgoing{Type: "ask"}})
	case queued == 1 && own:
		in = append(in, input{Call: "send", Message: &outgoing{Type: "offer", HubOnly: true}})
	}
	if len(s.Queue)+len(s.Early) == 1 && s.Got == 0 && s.Owed == 0 {
		in = append(in, input{Call: "begin"}) // forgets all this
	}
	if len(s.Queue)+len(s.Early) == 0 {
		in = append(in, input{Call: "press"})
	}
	if s.Sent > 0 && s.Queue[0].Tries < 2 && !s.Queue[0].Due {
		in = append(in, input{Call: "resend"}, input{Call: "resendLate"})
	}
	if len(s.Queue) == 1 && own && s.Got == 0 && s.Owed == 0 && s.Queue[0].Wait > 0 && s.Queue[0].Tries < 5 {
		in = append(in, input{Call: "tick"})
	}
	if len(s.Queue) > 0 && s.Queue[0].Tries > 1 || s.Owed > 0 && s.Got > 1 {
		return in // frames would show nothing new
	}
	for _, f := range tableFrames(s, own) {
		in = append(in, input{Call: "receive", Frame: &f})
	}
	return in
}

func tableFrames(s exchange.State, own bool) []frame {
	here := epochOf(s.Epoch)
	var out []frame
	if s.Epoch.Number > 0 {
		for ack := range s.Acked + int64(s.Sent) + 2 { // the last was never sent
			out = append(out, frame{Epoch: &here, Ack: ack})
		}
		for seq := range min(s.Got+2, 3) {
			if !own || seq == 0 {
				out = append(out, frame{Type: "table", Epoch: &here, Seq: seq + 1})
			}
		}
	}
	if s.Got+int64(len(s.Early))+int64(len(s.Queue))+s.Acked > 0 {
		return out
	}
	if s.Epoch.Number > 0 {
		out = append(out, frame{Type: "table", Epoch: &here, Seq: window + 1}, frame{Type: "table", Epoch: &here, Seq: -1},
			frame{Epoch: &here, Ack: -1})
	}
	for _, e := range []epoch{{int64(0), ""}, {int64(1), "a"}, {int64(1), "b"}, {int64(2), "b"}, {maxNumber, "b"}, {maxNumber + 1, "b"}} {
		out = append(out, frame{Type: "offer", Epoch: &e, Seq: 1}, frame{Type: "offer", Epoch: &e, Seq: 2},
			frame{Type: "offer", Epoch: &e, Seq: window + 1}, frame{Type: "offer", Epoch: &e, Seq: 1, Ack: 1})
	}
	return out
}

// tableRows returns every transition from every state that these inputs lead to from
// a new exchange of member a, breadth first.
func tableRows(t *testing.T) (rows [][]byte) {
	t.Helper()
	queue := []exchange.State{exchange.New("a").State()}
	seen := map[string]bool{jsonText(t, stateOf(queue[0])): true}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		for _, in := range tableInputs(s) {
			x := exchange.Restore(exchange.Restore(s).State()) // shares nothing with s
			r := transition{State: stateOf(s), Input: in}
			r.Actions = takeInput(x, in)
			r.Next = stateOf(x.State())
			rows = append(rows, []byte(jsonText(t, r)))
			if key := jsonText(t, r.Next); !seen[key] {
				seen[key] = true
				queue = append(queue, x.State())
			}
		}
	}
	return rows
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTable(t *testing.T) {
	const file = "testdata/transitions.json"
	rows := tableRows(t)
	is := slices.Concat([]byte("[\n"), bytes.Join(rows, []byte(",\n")), []byte("\n]\n"))
	if *rewriteFile {
		if err := os.WriteFile(file, is, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(was, is) {
		t.Errorf("%s differs from what an exchange does; if the exchange is right, run this test with -rewrite", file)
	}
	t.Logf("%d transitions, %d bytes", len(rows), len(is))
}
