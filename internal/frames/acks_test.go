package frames_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/frames"
	"noom/signal"
)

const ackTime = 50 * time.Millisecond

// loop is a round of e's link's loop, in which it does something besides; nil: nothing.
func (e *end) loop(does func(e *end)) {
	synctest.Wait()
	for _, f := range e.mail.Take() {
		f()
	}
	if does != nil {
		does(e)
	}
	e.Flush()
}

// sent returns what e has sent since the last call, in words.
func (e *end) sent() (list []string) {
	for way, frames := range map[string][]signal.Message{"hub": e.byHub, "in-band": e.byConn} {
		for _, m := range frames {
			list = append(list, fmt.Sprintf("%s: %s %d ack %d", way, m.Type, m.Seq, m.Ack))
		}
	}
	slices.Sort(list)
	e.byHub, e.byConn = nil, nil
	return list
}

// TestAcknowledgementsAreHeld: what b sends after it was given frames of a's, at once and later.
func TestAcknowledgementsAreHeld(t *testing.T) {
	type round struct {
		after time.Duration
		does  func(b *end)
		sends string
	}
	answers := func(b *end) { b.Send(signal.TypeAnswer, nil, false) }
	for what, c := range map[string]struct {
		types  []signal.Type
		via    frames.Via
		rounds []round
	}{
		"one for all": {[]signal.Type{signal.TypeOffer, signal.TypeCandidates}, 1, []round{
			{0, nil, "[]"}, {ackTime - 1, nil, "[]"}, {1, nil, "[in-band: ack 0 ack 2]"}, {time.Minute, nil, "[]"},
		}},
		"along with what is sent meanwhile": {[]signal.Type{signal.TypeOffer}, 1, []round{
			{0, nil, "[]"}, {ackTime / 2, answers, "[in-band: answer 1 ack 1]"}, {ackTime, nil, "[]"},
		}},
		"of a table at once":   {[]signal.Type{signal.TypeTable}, 1, []round{{0, nil, "[in-band: ack 0 ack 1]"}}},
		"of a goodbye at once": {[]signal.Type{signal.TypeAsk, signal.TypeLeft}, 1, []round{{0, nil, "[in-band: ack 0 ack 2]"}}},
		"of many at once":      {slices.Repeat([]signal.Type{signal.TypeCandidates}, 8), 1, []round{{0, nil, "[in-band: ack 0 ack 8]"}}},
		"by hub, if a frame came by it": {[]signal.Type{signal.TypeOffer}, frames.ByHub, []round{
			{0, nil, "[]"}, {ackTime, nil, "[hub: ack 0 ack 1 in-band: ack 0 ack 1]"},
		}},
		"by hub, along with the first frame": {[]signal.Type{signal.TypeOffer}, frames.ByHub, []round{
			{0, nil, "[]"}, {0, answers, "[hub: answer 1 ack 1 in-band: answer 1 ack 1]"}, {0, answers, "[in-band: answer 2 ack 1]"},
		}},
		"in-band, once a connection is up": {[]signal.Type{signal.TypeOffer}, frames.ByHub, []round{
			{0, nil, "[]"},
			{0, func(b *end) { b.Connected() }, "[]"},
			{0, answers, "[in-band: answer 1 ack 1]"},
			{0, func(b *end) { b.Connected() }, "[]"},
			{0, func(b *end) { b.Resend() }, "[hub: answer 1 ack 1 in-band: answer 1 ack 1]"},
		}},
		"not with a probe": {[]signal.Type{signal.TypeOffer}, 1, []round{
			{0, nil, "[]"}, {0, func(b *end) { b.Probe() }, "[in-band: ack 0 ack 1]"}, {ackTime, nil, "[in-band: ack 0 ack 1]"},
		}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := newEnds()
				b.inBand = true
				a.Begin()
				for _, kind := range c.types {
					a.Send(kind, nil, false)
				}
				a.Flush()
				for _, m := range a.byHub {
					b.Receive(m, c.via)
				}
				for _, r := range c.rounds {
					time.Sleep(r.after)
					b.loop(r.does)
					if got := fmt.Sprint(b.sent()); got != r.sends {
						t.Errorf("%v later it sends %s, want %s", r.after, got, r.sends)
					}
				}
				a.Stop()
				b.Stop()
			})
		})
	}
}

// TestRepetitionIsAcknowledgedAtOnce: the peer has missed the acknowledgement.
func TestRepetitionIsAcknowledgedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnds()
		a.Begin()
		a.Send(signal.TypeAsk, nil, false)
		a.Flush()
		for _, want := range []string{"[]", "[hub: ack 0 ack 1]", "[hub: ack 0 ack 1]"} {
			b.Receive(a.byHub[0], frames.ByHub)
			if b.loop(nil); fmt.Sprint(b.sent()) != want {
				t.Errorf("not %s", want)
			}
		}
		a.Stop()
		b.Stop()
	})
}

// TestHeldAcknowledgementsCauseNoRepetition: whenever a message is sent, and although its way there and back takes nearly
// as long as the shortest wait for a repetition, it is sent once.
func TestHeldAcknowledgementsCauseNoRepetition(t *testing.T) {
	const latency, step = 200 * time.Millisecond, 10 * time.Millisecond
	type flying struct {
		m  signal.Message
		to *end
		at time.Time
	}
	for offset := time.Duration(0); offset < time.Second; offset += step {
		synctest.Test(t, func(t *testing.T) {
			a, b := newEnds()
			a.Begin()
			var air []flying
			begun, frames := time.Now(), 0
			for now := begun; now.Sub(begun) < 5*time.Second; now = time.Now() {
				for len(air) > 0 && !air[0].at.After(now) {
					air[0].to.Receive(air[0].m, 0)
					air = air[1:]
				}
				a.loop(func(a *end) {
					if since := now.Sub(begun); since == 0 || since == offset {
						a.Send(signal.TypeAsk, nil, false)
					}
				})
				b.loop(nil)
				frames += len(a.byHub)
				for _, m := range a.byHub {
					air = append(air, flying{m, b, now.Add(latency)})
				}
				for _, m := range b.byHub {
					air = append(air, flying{m, a, now.Add(latency)})
				}
				a.byHub, b.byHub = nil, nil
				time.Sleep(step)
			}
			if want := int(a.Queued()); frames != want || a.Pending() {
				t.Errorf("with %v between two messages: %d frames, want %d", offset, frames, want)
			}
		})
	}
}

// TestAcknowledgementTimer: it runs anew for each acknowledgement that is owed, and no longer than the link.
func TestAcknowledgementTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newEnds()
		a.Begin()
		give := func(*end) {
			a.Send(signal.TypeAsk, nil, false)
			a.Flush()
			b.Receive(a.byHub[len(a.byHub)-1], frames.ByHub)
		}
		b.loop(give)
		time.Sleep(ackTime / 2)
		b.loop(func(b *end) { b.Send(signal.TypeGrant, nil, false) })
		b.loop(give)
		b.sent()
		time.Sleep(ackTime - 1)
		if b.loop(nil); len(b.byHub) > 0 {
			t.Errorf("%v too early", b.sent())
		}
		b.Stop()
		time.Sleep(ackTime)
		if n := len(b.mail.Take()); n > 0 {
			t.Errorf("%d timers run on", n)
		}
		a.Stop()
	})
}
