package exchange_test

import (
	"fmt"
	"testing"

	"noom/internal/exchange"
)

func newPair(t *testing.T) (a, b *exchange.Exchange) {
	t.Helper()
	a, b = exchange.New("a"), exchange.New("b")
	if !a.Begin() {
		t.Fatal("Begin refused")
	}
	return a, b
}

func TestWindow(t *testing.T) {
	a, b := newPair(t)
	for i := range 3 * exchange.Window {
		if a.Room() != (i < exchange.Window) {
			t.Fatalf("Room() = %t with %d messages queued", a.Room(), i)
		}
		a.Send(exchange.Message{Type: fmt.Sprint(i)})
	}
	got := 0
	for round := 0; a.Pending(); round++ {
		frames := a.Flush()
		if len(frames) > exchange.Window {
			t.Fatalf("%d frames in flight", len(frames))
		}
		for _, f := range frames {
			messages, _, ok := b.Receive(f)
			if !ok {
				t.Fatalf("frame %d dropped", f.Seq)
			}
			for _, m := range messages {
				if m.Type != fmt.Sprint(got) {
					t.Fatalf("message %s, want %d", m.Type, got)
				}
				got++
			}
		}
		b.Press()
		for _, f := range b.Flush() {
			a.Receive(f)
		}
		if round > 10 {
			t.Fatal("not done after 10 rounds")
		}
	}
	if got != 3*exchange.Window || a.Acked() != 3*exchange.Window || a.Queued() != a.Acked() {
		t.Fatalf("delivered %d, acknowledged %d of %d", got, a.Acked(), a.Queued())
	}
}

func TestBackOff(t *testing.T) {
	a, _ := newPair(t)
	a.Send(exchange.Message{Type: "x"})
	if f := a.Flush(); len(f) != 1 || f[0].Again {
		t.Fatalf("first sending: %+v", f)
	}
	var at []int
	for tick := 1; tick <= 62; tick++ {
		a.Tick()
		for _, f := range a.Flush() {
			if !f.Again {
				t.Fatal("a repeated frame is not marked as such")
			}
			at = append(at, tick)
		}
	}
	if want := "[2 6 14 30 46 62]"; fmt.Sprint(at) != want {
		t.Fatalf("sent again at ticks %v, want %s", at, want)
	}
	a.Resend()
	if len(a.Flush()) != 1 {
		t.Fatal("Resend did not make the message due")
	}
}

// TestResendLate: where there is a path more, only what was not sent a moment ago is sent again at once.
func TestResendLate(t *testing.T) {
	a, _ := newPair(t)
	a.Send(exchange.Message{Type: "x"})
	a.Flush()
	if a.ResendLate(); len(a.Flush()) > 0 {
		t.Error("what was sent a moment ago is repeated")
	}
	a.Tick()
	a.Send(exchange.Message{Type: "y"})
	a.Flush()
	for range 2 { // a tick later, and when that was a repetition
		a.ResendLate()
		if f := a.Flush(); len(f) != 1 || f[0].Type != "x" || !f[0].Again {
			t.Errorf("late is %+v", f)
		}
	}
}

func TestHostileFrames(t *testing.T) {
	for name, f := range map[string]exchange.Frame{
		"acknowledges what was never sent": {Epoch: exchange.Epoch{1, "a"}, Ack: 1},
		"negative ack":                     {Epoch: exchange.Epoch{1, "a"}, Ack: -1},
		"negative seq":                     {Epoch: exchange.Epoch{1, "a"}, Seq: -1},
		"beyond the window":                {Epoch: exchange.Epoch{1, "a"}, Seq: exchange.Window + 1},
		"no epoch":                         {Seq: 1},
		"epoch out of bounds":              {Epoch: exchange.Epoch{exchange.MaxNumber + 1, "b"}, Seq: 1},
		"lower epoch":                      {Epoch: exchange.Epoch{1, "A"}, Seq: 1},
		"new epoch with an old ack":        {Epoch: exchange.Epoch{2, "b"}, Seq: 1, Ack: 3},
	} {
		a, _ := newPair(t)
		before := fmt.Sprint(*a)
		messages, renewed, ok := a.Receive(f)
		if ok || renewed || messages != nil {
			t.Errorf("%s: not dropped", name)
		}
		if after := fmt.Sprint(*a); after != before {
			t.Errorf("%s: changed the state from %s to %s", name, before, after)
		}
	}
}

func TestEpochsRunOut(t *testing.T) {
	a := exchange.New("a")
	if _, renewed, _ := a.Receive(exchange.Frame{Epoch: exchange.Epoch{exchange.MaxNumber, "b"}, Seq: 1}); !renewed {
		t.Fatal("the last epoch was refused")
	}
	if a.Begin() {
		t.Fatal("began an epoch beyond the last")
	}
}

// TestHeldAcknowledgements: what one end says about what has come, after each of its Flushes.
func TestHeldAcknowledgements(t *testing.T) {
	frames := func(numbers ...int64) (list []exchange.Frame) {
		for _, n := range numbers {
			list = append(list, exchange.Frame{Message: exchange.Message{Type: "x"}, Epoch: exchange.Epoch{1, "a"}, Seq: n})
		}
		return list
	}
	for what, c := range map[string]struct {
		frames []exchange.Frame
		then   func(b *exchange.Exchange)
		want   string // type, number, acknowledgement of each frame that goes out
	}{
		"nothing by itself":              {frames(1, 2), func(*exchange.Exchange) {}, "[]"},
		"once it is pressing":            {frames(1, 2), (*exchange.Exchange).Press, "[ 0 2]"},
		"along with a message":           {frames(1, 2), func(b *exchange.Exchange) { b.Send(exchange.Message{Type: "y"}) }, "[y 1 2]"},
		"of a repetition at once":        {frames(1, 1), func(*exchange.Exchange) {}, "[ 0 1]"},
		"of an early repetition too":     {frames(2, 2), func(*exchange.Exchange) {}, "[ 0 0]"},
		"of a quarter of a window":       {frames(1, 2, 3, 4, 5, 6, 7, 8), func(*exchange.Exchange) {}, "[ 0 8]"},
		"of less than that":              {frames(1, 2, 3, 4, 5, 6, 7), func(*exchange.Exchange) {}, "[]"},
		"nothing, if nothing is owed":    {nil, (*exchange.Exchange).Press, "[]"},
		"nothing in an epoch of its own": {frames(1, 1), func(b *exchange.Exchange) { b.Begin() }, "[]"},
	} {
		b := exchange.New("b")
		for _, f := range c.frames {
			b.Receive(f)
		}
		c.then(b)
		var got []string
		for _, f := range b.Flush() {
			got = append(got, fmt.Sprint(f.Type, " ", f.Seq, " ", f.Ack))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: sent %v, want %s", what, got, c.want)
		}
		if again := b.Flush(); len(again) > 0 {
			t.Errorf("%s: and then sent %v", what, again)
		}
	}
}

// TestSentElsewhere: a message that went by another way is acknowledged like any other, and sent only if it is not.
func TestSentElsewhere(t *testing.T) {
	a, b := newPair(t)
	offer := exchange.Message{Type: "offer"}
	a.Sent(offer)
	a.Send(exchange.Message{Type: "candidates"})
	if f := a.Flush(); len(f) != 1 || f[0].Seq != 2 || f[0].Again {
		t.Fatalf("sent %+v, want the second message", f)
	}
	b.Receive(exchange.Frame{Message: offer, Epoch: a.Epoch(), Seq: 1}) // the other way
	b.Send(exchange.Message{Type: "answer"})
	answer := b.Flush()[0]
	if m, renewed, ok := a.Receive(answer); !ok || renewed || len(m) != 1 || a.Acked() != 1 {
		t.Errorf("the answer gives %v, %v; %d are acknowledged", m, ok, a.Acked())
	}
	lost, _ := newPair(t)
	lost.Sent(offer)
	for range 2 {
		lost.Tick()
	}
	if f := lost.Flush(); len(f) != 1 || f[0].Seq != 1 || !f[0].Again {
		t.Errorf("sent %+v after two ticks, want the first message again", f)
	}
}

// TestPass: an epoch that is left out is over, for both ends.
func TestPass(t *testing.T) {
	a, b := exchange.New("a"), exchange.New("b")
	first := exchange.Epoch{Number: 1, By: "a"}
	a.Pass(first)
	if _, _, ok := a.Receive(exchange.Frame{Epoch: first, Seq: 1, Ack: 1}); ok {
		t.Error("a takes an acknowledgement of what it has not sent")
	}
	if !a.Begin() || a.Epoch() != (exchange.Epoch{Number: 2, By: "a"}) {
		t.Errorf("the next epoch is %v", a.Epoch())
	}
	a.Send(exchange.Message{Type: "offer"})
	a.Pass(first)
	if f := a.Flush(); len(f) != 1 {
		t.Errorf("to pass an epoch that is over has changed what is sent: %v", f)
	} else if m, renewed, _ := b.Receive(f[0]); !renewed || len(m) != 1 {
		t.Errorf("b gets %v", m)
	}
}
