package pairtest

import (
	"fmt"
	"slices"

	"noom/internal/recovery"
)

// urgency is the order in which a fair world does what can be done.
var urgency = []Kind{
	Heal, Join, HubNotices, Hear, Receive, ReceiveInBand, LoseInBand,
	SendCandidates, Begin, StartICE, Connect, ConnectOld, LoseOld, LetGo, Part, Resend, Interrupted, Mend, Look,
}

// maxSettle is how many events a fair world may need to come to rest.
const maxSettle = 400

// Settle lets the world go on without any new accident or wish until it is at
// rest, and returns what is wrong then.
func (w *World) Settle() error {
	_, err := (&settling{World: w}).run(nil)
	return err
}

// settling is a World on its way to rest.
type settling struct {
	*World
	resent   [2]bool // and nothing was acknowledged since
	acked    [2]int64
	events   []Event
	reverse  bool // B before A
	timeouts int
}

// run goes on until rest or, if known is not nil, until that recognises the
// state, and returns the number of events.
func (s *settling) run(known func() bool) (n int, err error) {
	for ; n < maxSettle; n++ {
		if s.err != nil {
			return n, s.err
		}
		ev, ok := s.next()
		if !ok {
			return n, s.resting()
		}
		s.Do(ev)
		s.done(ev)
		if known != nil && known() {
			return n, nil
		}
	}
	return n, fmt.Errorf("no rest after %d events; last: %w", maxSettle, s.resting())
}

// next chooses what happens next; ok is false at rest and when nothing can.
func (s *settling) next() (ev Event, ok bool) {
	s.events = s.Events(s.events[:0])
	if s.reverse {
		slices.Reverse(s.events)
	}
	s.events = slices.DeleteFunc(s.events, func(ev Event) bool { return ev.Kind == Resend && s.resent[ev.At] })
	if ev, ok = first(s.events, urgency); ok {
		return ev, true
	}
	// Patience ends last, and only that of an end that waits for something.
	for range s.ends {
		s.timeouts++
		i := s.timeouts % 2
		switch {
		case s.resting() == nil:
		case s.patient(i):
			return Event{Kind: Timeout, At: uint8(i)}, true
		case s.pathless(i):
			return Event{Kind: NoPath, At: uint8(i)}, true
		}
	}
	return ev, false
}

// first returns the first event of the first kind that there is one of.
func first(events []Event, kinds []Kind) (ev Event, ok bool) {
	for _, k := range kinds {
		for _, ev := range events {
			if ev.Kind == k && (ev.Frame == 0 || k == ConnectOld) {
				return ev, true
			}
		}
	}
	return ev, false
}

func (s *settling) done(ev Event) {
	for i, x := range s.x {
		if x == nil || ev.Kind == Begin || ev.Kind == Join || x.Acked() != s.acked[i] {
			s.resent[i] = false
		}
		if x != nil {
			s.acked[i] = x.Acked()
		}
	}
	if ev.Kind == Resend {
		s.resent[ev.At] = true
	}
}

// resting says what is wrong with w as a state of rest.
func (w *World) resting() error {
	if w.err != nil {
		return w.err
	}
	for i := range w.ends {
		e := &w.ends[i]
		if l := &e.link; (!w.ends[1-i].here || !e.here) && (l.known || l.conn.open()) {
			return fmt.Errorf("at rest %s keeps a link to %s, who is gone", letter(i), letter(1-i))
		}
	}
	if !w.ends[0].here || !w.ends[1].here {
		return nil
	}
	if !w.paired() {
		return fmt.Errorf("at rest in epochs %v and %v", w.epochName(0), w.epochName(1))
	}
	for i := range w.ends {
		if err := w.restingEnd(i); err != nil {
			return fmt.Errorf("at rest %s %w", letter(i), err)
		}
	}
	if a, b := w.ends[0].link.turn, w.ends[1].link.turn; a.Turn() == b.Turn() {
		return fmt.Errorf("at rest the turn is at A: %t, at B: %t", a.Turn(), b.Turn())
	}
	return nil
}

func (w *World) restingEnd(i int) error {
	e, other := &w.ends[i], &w.ends[1-i]
	l := &e.link
	switch {
	case l.recovery.Broken():
		return fmt.Errorf("has given up")
	case len(l.old) > 0:
		return fmt.Errorf("keeps an old connection")
	case l.conn.signaling != Stable:
		return fmt.Errorf("is in %v", l.conn.signaling)
	case !l.turn.Rest() || l.waiting > 0:
		return fmt.Errorf("has a wish unmet: %+v, %d tracks waiting", l.turn.State(), l.waiting)
	case l.conn.deaf:
		return fmt.Errorf("is deaf")
	case !l.up() || !w.path() || l.recovery.Peer() != recovery.Connected:
		return fmt.Errorf("is not connected")
	case w.x[i].Pending() || len(l.inbox) > 0:
		return fmt.Errorf("has something to send or to act on")
	case len(w.x[i].State().Early) > 0:
		return fmt.Errorf("keeps frames that it will never act on")
	case other.link.conn.received != e.tracks || other.link.heardTracks != e.tracks:
		return fmt.Errorf("publishes %d tracks, %s received %d and heard of %d",
			e.tracks, letter(1-i), other.link.conn.received, other.link.heardTracks)
	case other.link.heardMutes != e.mutes:
		return fmt.Errorf("has muted %d times, %s heard %d", e.mutes, letter(1-i), other.link.heardMutes)
	}
	return nil
}
