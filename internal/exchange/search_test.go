package exchange

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The search visits every state of two ends within the bounds below. Frames are
// lost, repeated and reordered at will, and epochs begin at any time.
type bounds struct {
	messages int // sent by each end in each epoch
	begins   int // in all
	flying   int // different frames on their way to each end
}

type endState struct {
	x         *Exchange
	sent      int      // messages given to Send in this epoch
	delivered []string // of this epoch
	told      int64    // highest acknowledgement sent in this epoch
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
	b := make([]byte, 0, 128)
	message := func(m Message) { b = append(append(b, byte(len(m.Type))), m.Type...) }
	flag := func(v bool) {
		if v {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	epoch := func(e Epoch) { b = append(append(b, byte(e.Number), byte(len(e.By))), e.By...) }
	for i := range 2 {
		x := w.ends[i].x
		epoch(x.epoch)
		b = append(b, byte(x.acked), byte(x.sent), byte(x.got), byte(len(w.ends[i].delivered)), byte(w.ends[i].sent), byte(len(x.queue)), byte(x.owed), byte(w.ends[i].told))
		for _, o := range x.queue {
			message(o.Message)
			flag(o.Due)
			flag(o.Tries > 0)
		}
		b = append(b, byte(len(x.early)))
		for _, seq := range slices.Sorted(maps.Keys(x.early)) {
			b = append(b, byte(seq))
			message(x.early[seq])
		}
		b = append(b, byte(len(w.toward[i])))
		for _, f := range w.toward[i] {
			epoch(f.Epoch)
			b = append(b, byte(f.Seq), byte(f.Ack))
			message(f.Message)
		}
	}
	return string(append(b, byte(w.begun)))
}

func (w *world) flush(i int) {
	e := &w.ends[i]
	for _, f := range e.x.Flush() {
		e.told = f.Ack
		w.put(1-i, f)
	}
}

// put adds f to what flies toward end i, unless an equal frame is there already.
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
	w.ends[i].sent, w.ends[i].delivered, w.ends[i].told = 0, nil, 0
	w.send(i) // the end that begins has an offer to send
}

// receive hands f to end i and checks the promise: in order, once, from the
// first on, and each repetition acknowledged at once.
func (w *world) receive(i int, f Frame) error {
	e := &w.ends[i]
	_, here := e.x.early[f.Seq]
	again := f.Epoch == e.x.epoch && f.Seq > 0 && (f.Seq <= e.x.got || here)
	messages, renewed, ok := e.x.Receive(f)
	if ok && again && e.x.owed < prompt {
		return fmt.Errorf("end %c holds the acknowledgement of %d, which came again", 'A'+i, f.Seq)
	}
	if renewed {
		e.sent, e.delivered, e.told = 0, nil, 0
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

// owing checks what must hold of an acknowledgement between two events: what has
// come is acknowledged or owed, and what is pressing has gone.
func (w *world) owing() error {
	for i := range w.ends {
		e := &w.ends[i]
		switch {
		case e.x.got > e.told && !e.x.Owes():
			return fmt.Errorf("end %c has got %d, has acknowledged %d, and owes nothing", 'A'+i, e.x.got, e.told)
		case e.x.owed >= prompt:
			return fmt.Errorf("end %c keeps an acknowledgement back that is pressing", 'A'+i)
		}
	}
	return nil
}

// fair lets every frame through and checks that every message arrives, and that
// an acknowledgement that was held for a moment went before anything was repeated.
func (w *world) fair() error {
	type sending struct {
		by    int
		epoch Epoch
		seq   int64
	}
	arrived := make(map[sending]bool)
	for quiet, rounds := false, 0; !quiet && rounds < 40; rounds++ {
		quiet = !w.ends[0].x.Pending() && !w.ends[1].x.Pending()
		for i := range 2 {
			w.ends[i].x.Tick()
			w.ends[i].x.Press()
			for _, f := range w.ends[i].x.Flush() {
				s := sending{i, f.Epoch, f.Seq}
				if f.Seq > 0 && arrived[s] {
					return fmt.Errorf("end %c repeats %s, which has arrived", 'A'+i, f.Type)
				}
				arrived[s] = !f.Epoch.Less(w.ends[1-i].x.Epoch())
				quiet = false
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
		return fmt.Errorf("a message is never acknowledged")
	case len(a.delivered) != b.sent || len(b.delivered) != a.sent:
		return fmt.Errorf("sent %d and %d, delivered %d and %d", a.sent, b.sent, len(b.delivered), len(a.delivered))
	}
	return nil
}

// step is how a state was reached from another.
type step struct {
	from  string
	at    int
	what  string
	frame Frame
}

func (s step) String() string {
	text := fmt.Sprintf("%c %s", 'A'+s.at, s.what)
	if s.frame.Epoch.Number > 0 {
		text += fmt.Sprintf(" %s %v %d ack %d", s.frame.Type, s.frame.Epoch, s.frame.Seq, s.frame.Ack)
	}
	return text
}

// next calls try with every state one step away.
func (w *world) next(try func(st step, w *world, err error)) {
	for i := range 2 {
		if e := w.ends[i]; e.x.Epoch().Number > 0 && e.sent < w.messages {
			c := w.clone()
			c.send(i)
			c.flush(i)
			try(step{at: i, what: "sends"}, c, nil)
		}
		if w.begun < w.begins {
			c := w.clone()
			c.begun++
			c.begin(i)
			c.flush(i)
			try(step{at: i, what: "begins an epoch"}, c, nil)
		}
		if w.ends[i].x.Pending() {
			c := w.clone()
			c.ends[i].x.Resend()
			c.flush(i)
			try(step{at: i, what: "sends again"}, c, nil)
		}
		if w.ends[i].x.Owes() {
			c := w.clone()
			c.ends[i].x.Press()
			c.flush(i)
			try(step{at: i, what: "has held its acknowledgement long enough"}, c, nil)
		}
		for k, f := range w.toward[i] {
			lost := w.clone()
			lost.toward[i] = slices.Delete(lost.toward[i], k, k+1)
			try(step{at: i, what: "never gets", frame: f}, lost, nil)
			c := lost.clone()
			err := c.receive(i, f)
			c.flush(i)
			try(step{at: i, what: "gets", frame: f}, c, err)
			c = w.clone() // in which the frame stays, to come again
			err = c.receive(i, f)
			c.flush(i)
			try(step{at: i, what: "gets, not for the last time,", frame: f}, c, err)
		}
	}
}

func TestSearchKeepsThePromise(t *testing.T) {
	for name, b := range map[string]bounds{
		"epochs":   {messages: 1, begins: 3, flying: 2},
		"messages": {messages: 3, begins: 1, flying: 1},
	} {
		t.Run(name, func(t *testing.T) { searchWithin(t, b) })
	}
}

func searchWithin(t *testing.T, b bounds) {
	start := &world{bounds: b, ends: [2]endState{{x: New("a")}, {x: New("b")}}}
	seen := map[string]step{start.key(): {}}
	transcript := func(k string) string {
		var lines []string
		for k != start.key() {
			lines = append(lines, "  "+seen[k].String())
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
		w.next(func(st step, n *world, err error) {
			if err == nil {
				err = n.owing()
			}
			if err != nil {
				t.Fatalf("%v, after\n%s\n  %s", err, transcript(key), st)
			}
			k := n.key()
			if _, ok := seen[k]; !ok {
				st.from = key
				seen[k] = st
				queue = append(queue, n)
			}
		})
	}
	t.Logf("%d states: in order, once, all of it, and acknowledged", len(seen))
	if len(seen) < 10_000 {
		t.Errorf("the search saw only %d states; it no longer reaches what it should", len(seen))
	}
}
