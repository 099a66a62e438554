package chat

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/signal"
)

var start = time.UnixMilli(1_764_547_200_000)

// author is a member that speaks.
type author struct {
	id      string
	session string
	n       int64
}

func newAuthor(letter, session string) *author {
	return &author{id: strings.Repeat(letter, idSize), session: fmt.Sprintf("%022s", session)}
}

// says makes the author's next message.
func (a *author) says(order int64, after *Message) *Message {
	a.n++
	x := &Message{Author: a.id, PublicKey: make([]byte, 32), Session: a.session, Text: fmt.Sprint("말 ", a.n)}
	x.Signed = signal.Signed{Number: a.n, Order: order, Sent: start.UnixMilli(), Name: "지우"}
	if after != nil {
		x.After = after.digest[:]
	}
	x.Sign(testRoom, func([]byte) signal.Bytes { return make([]byte, 64) })
	return x
}

// newTestMachine returns the machine of z, who is connected to these members, whose Have names nothing.
func newTestMachine(keep int, peers ...*author) *Machine {
	m := New(strings.Repeat("z", idSize), strings.Repeat("s", sessionSize), keep)
	for _, a := range peers {
		m.Joined(start, a.id, a.session)
		m.Opened(start, a.id)
		m.Receive(start, a.id, &Frame{Type: Have})
	}
	m.Tick(start.Add(settling))
	m.Flush()
	return m
}

func shown(out Output) string {
	var list []string
	for _, s := range out.Shown {
		text := fmt.Sprintf("%c%d", s.Message.Author[0], s.Message.Number)
		if s.History {
			text = "(" + text + ")"
		}
		if s.Missing > 0 {
			text += fmt.Sprintf("-%d", s.Missing)
		}
		list = append(list, text)
	}
	return strings.Join(list, " ")
}

func digestsOf(list ...*Message) (all []signal.Digest) {
	for _, x := range list {
		all = append(all, x.digest)
	}
	return all
}

// TestGaps: what a hub drops is counted with what comes behind it, asked for a second later, and shown as history; what it
// repeats is not shown again, and what comes out of turn is.
func TestGaps(t *testing.T) {
	a, b := newAuthor("a", "1"), newAuthor("b", "1")
	m := newTestMachine(10, a, b)
	a1, a2, a3 := a.says(1, nil), a.says(2, nil), a.says(3, nil)
	b1 := b.says(4, a3)
	now := start.Add(time.Second)
	for i, step := range []struct {
		x    *Message
		want string
	}{
		{a1, "a1"}, {a3, "a3-1"}, {a3, ""}, {a1, ""}, {b1, "b1"}, {a2, "(a2)"}, {a2, ""}, {b.says(7, a.says(6, nil)), "b2-1"},
	} {
		m.Live(now, step.x)
		if got := shown(m.Flush()); got != step.want {
			t.Errorf("step %d shows %q, want %q", i, got, step.want)
		}
	}
	if next := m.Next(); next.Sub(now) != repairDelay {
		t.Fatalf("the others are asked after %v", next.Sub(now))
	}
	now = now.Add(repairDelay)
	m.Tick(now)
	out := m.Flush()
	if len(out.Frames) != 2 || !out.Frames[0].Frame.Reply || !m.Next().IsZero() {
		t.Fatalf("to learn what is missing, %+v", out.Frames)
	}
	a.n--
	a4 := a.says(6, nil)
	m.Receive(now, b.id, &Frame{Type: Have, Digests: digestsOf(a4, b1)})
	now = now.Add(settling)
	m.Tick(now)
	if out = m.Flush(); len(out.Frames) != 1 || !slices.Equal(out.Frames[0].Frame.Digests, digestsOf(a4)) {
		t.Fatalf("what b has is asked for by %+v", out.Frames)
	}
	m.Receive(now, b.id, &Frame{Type: Messages, Messages: []*Message{a4}})
	if got := shown(m.Flush()); got != "(a4)" {
		t.Errorf("shown: %q", got)
	}
	// Another gap at once: nobody is asked for the next 5 s.
	a.n++
	m.Live(now, a.says(9, nil))
	if next := m.Next().Sub(now); next != repairEvery-settling {
		t.Errorf("the others are asked again after %v", next)
	}
}

// TestTheFirstOfAnother: whose first message is missing is known from its Have; of one that has sent none it is not.
func TestTheFirstOfAnother(t *testing.T) {
	a, b := newAuthor("a", "1"), newAuthor("b", "1")
	m := newTestMachine(10, a)
	m.Joined(start, b.id, b.session)
	a.says(1, nil)
	b.says(1, nil)
	m.Live(start, a.says(2, nil))
	m.Live(start, b.says(2, nil))
	if got := shown(m.Flush()); got != "a2-1 b2" {
		t.Errorf("shown: %q", got)
	}
	// What was said before a Have is history, once that counts.
	c := newAuthor("c", "1")
	c1, c2, c3 := c.says(1, nil), c.says(2, nil), c.says(3, nil)
	m.Joined(start, c.id, c.session)
	m.Opened(start, c.id)
	m.Receive(start, c.id, &Frame{Type: Have, Passed: 3})
	m.Live(start, c3) // it was on its way
	m.Tick(start.Add(settling))
	m.Live(start.Add(settling), c1)
	m.Live(start.Add(settling), c1)
	m.Live(start.Add(settling), c2)
	if got := shown(m.Flush()); got != "c3 (c1) (c2)" {
		t.Errorf("shown: %q", got)
	}
}

// TestAnotherWithOneNumber: a member that says two things under one number is heard with the first.
func TestAnotherWithOneNumber(t *testing.T) {
	a, b := newAuthor("a", "1"), newAuthor("b", "1")
	m := newTestMachine(10, a, b)
	one := a.says(1, nil)
	a.n = 0
	other := a.says(5, nil)
	m.Live(start, one)
	m.Live(start, other)
	m.Receive(start, b.id, &Frame{Type: Have, Digests: digestsOf(other)})
	m.Tick(start.Add(settling))
	if out := m.Flush(); shown(out) != "a1" || len(out.Frames) > 0 {
		t.Errorf("%q, %v", shown(out), out.Frames)
	}
}

// TestOneIsAsked: a newcomer asks one member for what all have, another for what only that has, and a third for what was not
// answered. Nobody tells it what it has not asked for.
func TestOneIsAsked(t *testing.T) {
	a, b, c := newAuthor("a", "1"), newAuthor("b", "1"), newAuthor("c", "1")
	gone := newAuthor("g", "1")
	one, two, three := gone.says(1, nil), gone.says(2, nil), gone.says(3, nil)
	m := newTestMachine(10, a, b, c)
	m.Receive(start, a.id, &Frame{Type: Have, Digests: digestsOf(one, two)})
	m.Receive(start, b.id, &Frame{Type: Have, Digests: digestsOf(one, two, three)})
	m.Receive(start, c.id, &Frame{Type: Have, Digests: digestsOf(one, two, three)})
	if out := m.Flush(); len(out.Frames) > 0 {
		t.Fatalf("asked at once: %v", out.Frames)
	}
	now := start.Add(settling)
	m.Tick(now)
	asked := func() (text string) {
		for _, o := range m.Flush().Frames {
			text += fmt.Sprintf("%c%d ", o.To[0], len(o.Frame.Digests))
		}
		return text
	}
	if got := asked(); got != "a2 b1 " {
		t.Fatalf("asked: %q", got)
	}
	m.Receive(now, c.id, &Frame{Type: Messages, Messages: []*Message{one}}) // who was not asked
	m.Receive(now, a.id, &Frame{Type: Messages, Messages: []*Message{one, three}})
	if got := shown(m.Flush()); got != "(g1)" {
		t.Fatalf("shown: %q", got)
	}
	now = now.Add(patience)
	m.Tick(now)
	if got := asked(); got != "b1 c1 " {
		t.Fatalf("after %v: asked: %q", patience, got)
	}
	m.Left(now, b.id)
	if got := asked(); got != "c1 " {
		t.Fatalf("once b is gone: asked: %q", got)
	}
	m.Refuse(two)
	m.Receive(now, c.id, &Frame{Type: Messages, Messages: []*Message{two, three}})
	if got := shown(m.Flush()); got != "(g3)-1" || !m.Next().IsZero() {
		t.Fatalf("shown: %q", got)
	}
}

// TestWithoutSignature: what a hub has passed on without its signature comes from its author, in its turn, and is shown once.
func TestWithoutSignature(t *testing.T) {
	a, b := newAuthor("a", "1"), newAuthor("b", "1")
	m := newTestMachine(10, a)
	m.Joined(start, b.id, b.session)
	m.Opened(start, b.id) // knows nothing of signatures
	m.Flush()
	x := m.Prepare(make([]byte, 32), "", "직접", 0)
	m.Signed(x)
	m.Passed(x, false)
	m.Passed(x, false) // it was sent again
	if out := m.Flush(); len(out.Frames) != 1 || out.Frames[0].To != a.id || out.Frames[0].Frame.Messages[0] != x {
		t.Errorf("%+v", out.Frames)
	}
	a1 := a.says(1, nil)
	for range 2 {
		m.Receive(start, a.id, &Frame{Type: Messages, Messages: []*Message{a1}})
	}
	m.Live(start, a1)
	if got := shown(m.Flush()); got != "a1" {
		t.Errorf("shown: %q", got)
	}
	if m.Signs(b.id, b.session) || !m.Signs(a.id, a.session) || m.Signs(a.id, b.session+"x") {
		t.Error("a signs in this session, and b does not")
	}
}

// TestBounds: whatever comes, what is kept is bounded, in messages and bytes, and what was let go does not come back.
func TestBounds(t *testing.T) {
	a := newAuthor("a", "1")
	m := newTestMachine(100, a)
	big := strings.Repeat("가", 1365)
	for i := range int64(300) {
		s := newAuthor("b", fmt.Sprint(i))
		x := s.says(i+1, nil)
		if i < 200 {
			x.Text = big
			x.Sign(testRoom, func([]byte) signal.Bytes { return make([]byte, 64) })
		}
		m.Receive(start, a.id, &Frame{Type: Have, Digests: digestsOf(x)})
		m.Tick(start.Add(settling))
		m.Receive(start, a.id, &Frame{Type: Messages, Messages: []*Message{x}})
		if len(m.kept) > 100 || m.bytes > MaxBytes || len(m.voices) > len(m.kept)+1 {
			t.Fatalf("%d messages, %d bytes, %d voices", len(m.kept), m.bytes, len(m.voices))
		}
	}
	m.Flush()
	old, late := newAuthor("c", "1").says(150, nil), newAuthor("d", "1").says(200, nil)
	for _, x := range []*Message{old, late} {
		m.Receive(start, a.id, &Frame{Type: Have, Digests: digestsOf(x)})
		m.Tick(start.Add(settling))
		m.Receive(start, a.id, &Frame{Type: Messages, Messages: []*Message{x}})
	}
	if got := shown(m.Flush()); got != "" || len(m.kept) != 100 {
		t.Errorf("what is older than all that is kept is shown: %q", got)
	}
	// Nothing is asked for where nothing is kept, and what comes is shown.
	none := newTestMachine(0, a)
	none.Receive(start, a.id, &Frame{Type: Have, Digests: digestsOf(old)})
	none.Tick(start.Add(settling))
	none.Live(start, a.says(1, nil))
	if out := none.Flush(); len(out.Frames) > 0 || shown(out) != "a1" || len(none.kept) > 0 {
		t.Errorf("%v, %q", out.Frames, shown(out))
	}
	// The highest order there can be stops nobody.
	m.Live(start, a.says(signal.MaxTime, nil))
	if x := m.Prepare(make([]byte, 32), "", "x", 0); x.Signed.Order != signal.MaxTime || x.Number != 1 {
		t.Errorf("order %d", x.Signed.Order)
	}
	// What is remembered is bounded too.
	for i := range 2 * maxSeen {
		m.seen.add(signal.Digest{byte(i), byte(i >> 8), byte(i >> 16)})
	}
	newest := 2*maxSeen - 1
	if len(m.seen.set) != maxSeen || !m.seen.has(signal.Digest{byte(newest), byte(newest >> 8)}) {
		t.Errorf("%d digests are remembered", len(m.seen.set))
	}
}
