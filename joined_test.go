package noom_test

import (
	"testing"
	"time"

	"noom"
	"noom/internal/lyinghub"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// These tests are about a joined frame that comes again on a connection, as from a hub to which the room has moved.

// sayAgain tells r who is in its room and what its place is among them.
func sayAgain(t *testing.T, h *lyinghub.Hub, r noom.Room, place int32, members ...noom.Room) {
	t.Helper()
	self := r.Self()
	m := signal.Message{
		Type: signal.TypeJoined, Room: r.Name(), Self: &self, Place: place, Limits: &signal.Limits{Members: 8}, Heartbeat: 10_000,
	}
	for _, other := range members {
		m.Members = append(m.Members, other.Self())
	}
	must(t, h.Say(t.Context(), self.ID, m))
}

// dropping drops what a test chooses of what a hub sends to one member.
func dropping(r noom.Room, drop func(*signal.Message) bool) lyinghub.Lie {
	return func(to string, m signal.Message) []signal.Message {
		if to == r.Self().ID && drop(&m) {
			return nil
		}
		return []signal.Message{m}
	}
}

// Of two members that have got no welcome for each other, the one that is first in the hub's order begins at once.
func TestPlaceSaysWhoBegins(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		h := lyinghub.New(w.Hub().Running())
		a := w.joinBy(w.Via("a", mem.Dialer(h)), "r", "a", nil)
		h.Lie(dropping(a, func(m *signal.Message) bool { return m.Type == signal.TypeWelcome }))
		b := w.joinBy(w.Via("b", mem.Dialer(h)), "r", "b", nil)
		sayAgain(t, h, b, 2, a)
		sayAgain(t, h, a, 1, b)
		told := time.Now()
		if e := until[noom.PeerJoined](t, a, nil); e.Existing {
			t.Error("b was there before a, says a")
		}
		if e := until[noom.PeerJoined](t, b, nil); !e.Existing {
			t.Error("a came after b, says b")
		}
		until(t, a, connected)
		until(t, b, connected)
		if d := time.Since(told); d > 5*time.Second { // of virtual time; whoever waits in vain begins after 15 s
			t.Errorf("connected after %v", d)
		}
		for _, e := range append(waiting(t, a), waiting(t, b)...) {
			switch e.(type) {
			case noom.SignalingLost, noom.SignalingRestored:
				t.Errorf("%T, but the hub was not lost", e)
			}
		}
	})
}

// What was asked of the hub and not confirmed is asked again, and comes to one.
func TestRequestsAgain(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		h := lyinghub.New(w.Hub().Running())
		a := w.joinBy(w.Via("a", mem.Dialer(h)), "r", "a", &noom.Config{Token: "host"})
		b := w.joinBy(w.Via("b", mem.Dialer(h)), "r", "b", nil)
		c := w.joinBy(w.Via("c", mem.Dialer(h)), "r", "c", nil)
		for _, r := range []noom.Room{a, b} {
			until(t, r, connected)
			until(t, r, connected)
		}
		unheard := map[signal.Type]bool{
			signal.TypeChat: true, signal.TypeRenamed: true, signal.TypeLocked: true, signal.TypeMute: true, signal.TypeBye: true,
		}
		h.Lie(dropping(a, func(m *signal.Message) bool { return unheard[m.Type] }))
		asked := map[string]func() error{
			"chat":   func() error { return a.Chat(t.Context(), "안녕") },
			"rename": func() error { return a.Rename(t.Context(), "지우") },
			"lock":   func() error { return a.Lock(t.Context()) },
			"mute":   func() error { return peerOf(t, a, b).RequestMute(t.Context(), "마이크") },
			"kick":   func() error { return a.Kick(t.Context(), c.Self().ID) },
		}
		answers := make(map[string]chan error)
		for what, ask := range asked {
			answer := make(chan error, 1)
			answers[what] = answer
			go func() { answer <- ask() }()
		}
		until[noom.Closed](t, c, nil)
		time.Sleep(time.Second)
		for what, answer := range answers {
			if len(answer) > 0 {
				t.Errorf("%s: answered with %v, and the answer was withheld", what, <-answer)
			}
		}
		h.Lie(nil)
		sayAgain(t, h, a, 1, b)
		for what, answer := range answers {
			if err := <-answer; err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		time.Sleep(time.Second)
		var chats, mutes, renames int
		for _, e := range waiting(t, b) {
			switch e.(type) {
			case noom.ChatReceived:
				chats++
			case noom.MuteRequested:
				mutes++
			case noom.PeerRenamed:
				renames++
			}
		}
		if chats != 1 || renames != 1 || mutes != 2 {
			t.Errorf("b has heard %d chats, %d new names and %d wishes to mute; want 1, 1 and 2", chats, renames, mutes)
		}
	}, authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}}))
}
