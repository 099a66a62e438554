package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The search visits every state of two ends whose frames are lost, repeated
// and reordered at will, with new epochs begun at any time, within the bounds
// below.
type bounds struct {
	messages int // sent by each end in each epoch
	begins   int // in all
	flying   int // different frames on their way to each end
}

type endState struct {
	x         *Exchange
	sent      int      // messages given to Send in this epoch
	delivered []string // of this epoch
}

type world struct {
	bounds
	ends   [2]endState
	toward [2][]Frame // a set, in no order
	begun  int
}

func (w *world) clone() *world {
	c := *w
	for i := range 2 {
		x := *w.ends[i].x
		x.queue, x.early = slices.Clone(x.queue), maps.Clone(x.early)
		c.ends[i].x = &x
		c.ends[i].delivered = slices.Clone(w.ends[i].delivered)
		c.toward[i] = slices.Clone(w.toward[i])
	}
	return &c
}

func (w *world) key() string {
	var b strings.Builder
	for i := range 2 {
		x := w.ends[i].x
		fmt.Fprintf(&b, "%v %d %d %d %v %v|", x.epoch, x.acked, x.sent, x.got, x.owesAck, w.ends[i].delivered)
		for _, o := range x.queue {
			fmt.Fprintf(&b, "%s%v%d,", o.Type, o.Due, min(o.Tries, 1))
		}
		fmt.Fprintf(&b, "|%v|", x.early)
		for _, f := range w.toward[i] {
			fmt.Fprintf(&b, "%v%d.%d;", f.Epoch, f.Seq, f.Ack)
		}
	}
	fmt.Fprint(&b, w.begun)
	return b.String()
}

func (w *world) flush(i int) {
	for _, f := range w.ends[i].x.Flush() {
		w.put(1-i, f)
	}
}

// put adds f to what flies toward end i, unless the very same is there.
func (w *world) put(i int, f Frame) {
	same := func(g Frame) bool { return g.Epoch == f.Epoch && g.Seq == f.Seq && g.Ack == f.Ack }
	if slices.ContainsFunc(w.toward[i], same) || len(w.toward[i]) == w.flying {
		return // lost
	}
	w.toward[i] = append(w.toward[i], f)
}

func (w *world) send(i int) {
	e := &w.ends[i]
	e.sent++
	e.x.Send(Message{Type: fmt.Sprintf("%c%d.%d", 'A'+i, e.x.Epoch().Number, e.sent)})
}

func (w *world) begin(i int) {
	w.ends[i].x.Begin()
	w.ends[i].sent, w.ends[i].delivered = 0, nil
	w.send(i) // whoever begins has an offer to send
}

// receive hands f to end i and checks the promise: in order, once, from the
// first on.
func (w *world) receive(i int, f Frame) error {
	e := &w.ends[i]
	messages, renewed, _ := e.x.Receive(f)
	if renewed {
		e.sent, e.delivered = 0, nil
	}
	for _, m := range messages {
		e.delivered = append(e.delivered, m.Type)
		want := fmt.Sprintf("%c%d.%d", 'A'+1-i, e.x.Epoch().Number, len(e.delivered))
		if m.Type != want {
			return fmt.Errorf("end %c was given %s, want %s", 'A'+i, m.Type, want)
		}
	}
	return nil
}

// fair lets everything through and checks that all arrives.
func (w *world) fair() error {
	for range 40 {
		for i := range 2 {
			w.ends[i].x.Tick()
			for _, f := range w.ends[i].x.Flush() {
				if err := w.receive(1-i, f); err != nil {
					return err
				}
			}
		}
	}
	a, b := w.ends[0], w.ends[1]
	switch {
	case a.x.Epoch() != b.x.Epoch():
		return fmt.Errorf("epochs %v and %v never meet", a.x.Epoch(), b.x.Epoch())
	case a.x.Pending() || b.x.Pending():
		return fmt.Errorf("something is never acknowledged")
	case len(a.delivered) != b.sent || len(b.delivered) != a.sent:
		return fmt.Errorf("sent %d and %d, delivered %d and %d", a.sent, b.sent, len(b.delivered), len(a.delivered))
	}
	return nil
}

func (w *world) next(try func(what string, w *world, err error)) {
	for i := range 2 {
		if e := w.ends[i]; e.x.Epoch().Number > 0 && e.sent < w.messages {
			c := w.clone()
			c.send(i)
			c.flush(i)
			try(fmt.Sprintf("%c sends", 'A'+i), c, nil)
		}
		if w.begun < w.begins {
			c := w.clone()
			c.begun++
			c.begin(i)
			c.flush(i)
			try(fmt.Sprintf("%c begins an epoch", 'A'+i), c, nil)
		}
		if w.ends[i].x.Pending() {
			c := w.clone()
			c.ends[i].x.Resend()
			c.flush(i)
			try(fmt.Sprintf("%c sends again", 'A'+i), c, nil)
		}
		for k, f := range w.toward[i] {
			name := fmt.Sprintf("%s %v %d ack %d", f.Type, f.Epoch, f.Seq, f.Ack)
			lost := w.clone()
			lost.toward[i] = slices.Delete(lost.toward[i], k, k+1)
			try("lost: "+name, lost, nil)
			c := lost.clone()
			err := c.receive(i, f)
			c.flush(i)
			try(fmt.Sprintf("%c gets %s", 'A'+i, name), c, err)
			c = w.clone() // and it stays, to come again
			err = c.receive(i, f)
			c.flush(i)
			try(fmt.Sprintf("%c gets, not for the last time, %s", 'A'+i, name), c, err)
		}
	}
}

func TestSearch(t *testing.T) {
	for name, b := range map[string]bounds{
		"epochs":   {messages: 1, begins: 3, flying: 2},
		"messages": {messages: 3, begins: 1, flying: 1},
	} {
		t.Run(name, func(t *testing.T) { search(t, b) })
	}
}

func search(t *testing.T, b bounds) {
	start := &world{bounds: b, ends: [2]endState{{x: New("a")}, {x: New("b")}}}
	type step struct{ from, what string }
	seen := map[string]step{start.key(): {}}
	transcript := func(k string) string {
		var lines []string
		for k != start.key() {
			lines = append(lines, "  "+seen[k].what)
			k = seen[k].from
		}
		slices.Reverse(lines)
		return strings.Join(lines, "\n")
	}
	queue := []*world{start}
	for len(queue) > 0 {
		w := queue[0]
		queue = queue[1:]
		key := w.key()
		if err := w.clone().fair(); err != nil {
			t.Fatalf("%v, after\n%s", err, transcript(key))
		}
		w.next(func(what string, n *world, err error) {
			if err != nil {
				t.Fatalf("%v, after\n%s\n  %s", err, transcript(key), what)
			}
			k := n.key()
			if _, ok := seen[k]; !ok {
				seen[k] = step{key, what}
				queue = append(queue, n)
			}
		})
	}
	t.Logf("%d states: in order, once, and all of it", len(seen))
	if len(seen) < 10_000 {
		t.Errorf("the search saw only %d states; it no longer reaches what it should", len(seen))
	}
}
