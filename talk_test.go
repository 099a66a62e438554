package noom_test

import (
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/lyinghub"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// chatsOf takes the chat messages that wait.
func chatsOf(t *testing.T, r noom.Room) (list []noom.ChatReceived) {
	t.Helper()
	for _, e := range waiting(t, r) {
		if c, is := e.(noom.ChatReceived); is {
			list = append(list, c)
		}
	}
	return list
}

// TestChatHistory: a newcomer is told what was said before it came, in order and once, by whoever has said it, also if
// that member is gone; and no history where it is turned off.
func TestChatHistory(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		gone := w.join("데모", "지우", nil)
		b := w.join("데모", "b", nil)
		until(t, b, connected)
		for i, text := range []string{"하나", "둘", "셋"} {
			must(t, []noom.Room{gone, b, gone}[i].Chat(t.Context(), text))
			synctest.Wait() // until the others have it, so that they speak after it
		}
		if live := until[noom.ChatReceived](t, b, nil); !live.Signed || live.History || live.Missing != 0 || live.At.IsZero() || live.Sent.IsZero() {
			t.Errorf("as it is said: %v", live)
		}
		if live := until[noom.ChatReceived](t, b, nil); live.Text != "셋" || live.History {
			t.Errorf("as it is said: %v", live)
		}
		who := gone.Self()
		must(t, gone.Leave(t.Context()))
		c := w.join("데모", "c", nil)
		off := w.join("데모", "off", &noom.Config{History: -1})
		var texts string
		for range 3 {
			e := until[noom.ChatReceived](t, c, nil)
			if !e.History || !e.Signed || e.Missing != 0 || !e.At.Equal(e.Sent) {
				t.Errorf("told: %v", e)
			}
			if texts += e.Text; e.Text == "셋" && (e.From.ID != who.ID || e.From.Name != "지우" || e.From.Session != who.Session) {
				t.Errorf("said by %v, want %v", e.From, who)
			}
		}
		if texts != "하나둘셋" {
			t.Errorf("told: %q", texts)
		}
		must(t, b.Chat(t.Context(), "넷"))
		if e := until[noom.ChatReceived](t, c, nil); e.Text != "넷" || e.History {
			t.Errorf("then: %v", e)
		}
		time.Sleep(20 * time.Second)
		if more := append(chatsOf(t, c), chatsOf(t, b)...); len(more) > 0 {
			t.Errorf("and again: %v", more)
		}
		if got := chatsOf(t, off); len(got) != 1 || got[0].Text != "넷" {
			t.Errorf("without a history: %v", got)
		}
	})
}

// TestChatMissedInAnOutage: what was said while a member had no hub, others tell it.
func TestChatMissedInAnOutage(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		w.CutSignaling("b")
		until[noom.SignalingLost](t, b, nil)
		must(t, a.Chat(t.Context(), "놓친 말"))
		w.HealSignaling("b")
		if e := until[noom.ChatReceived](t, b, nil); e.Text != "놓친 말" || !e.History || e.From.Name != "a" {
			t.Errorf("got %v", e)
		}
	})
}

// TestHubLiesAboutChat: what a hub forges is not shown, and what it drops, repeats or takes the signature of is shown once,
// and counted.
func TestHubLiesAboutChat(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		h := lyinghub.New(w.Hub().Running())
		a := w.joinBy(mem.Dialer(h), "r", "a", nil)
		b := w.joinBy(mem.Dialer(h), "r", "지우", nil)
		until(t, a, connected)
		until(t, b, connected)
		time.Sleep(time.Second)
		var kept []signal.Message // of what b says, on its way to a
		h.Lie(func(to string, m signal.Message) []signal.Message {
			if m.Type == signal.TypeChat && to == a.Self().ID {
				kept = append(kept, m)
			}
			return []signal.Message{m}
		})
		say := func(m signal.Message) {
			t.Helper()
			must(t, h.Say(t.Context(), a.Self().ID, m))
			synctest.Wait()
		}
		must(t, b.Chat(t.Context(), "진짜"))
		if e := until[noom.ChatReceived](t, a, nil); e.Text != "진짜" || !e.Signed {
			t.Fatalf("got %v", e)
		}
		said := kept[0]
		for _, forged := range []func(m *signal.Message){
			func(m *signal.Message) { m.Text = "가짜" },
			func(m *signal.Message) { m.Signed, m.ID = nil, "x" },
			func(m *signal.Message) { m.ID = "y" }, // a repeat
			func(m *signal.Message) { s := *m.Signed; s.Number = 2; m.Signed = &s },
			func(m *signal.Message) { s := *m.Signed; s.Sent++; m.Signed = &s },
			func(m *signal.Message) { m.From = b.Self().ID; s := *m.Signed; s.Name = "b"; m.Signed = &s },
		} {
			say(lyinghub.Remake(said, forged))
		}
		if got := chatsOf(t, a); len(got) > 0 {
			t.Fatalf("shown: %v", got)
		}
		// It drops one.
		drop := true
		h.Lie(func(to string, m signal.Message) []signal.Message {
			if m.Type == signal.TypeChat && to == a.Self().ID && drop {
				drop = false
				return nil
			}
			return []signal.Message{m}
		})
		must(t, b.Chat(t.Context(), "버려진"))
		must(t, b.Chat(t.Context(), "다음"))
		if e := until[noom.ChatReceived](t, a, nil); e.Text != "다음" || e.Missing != 1 || e.History {
			t.Errorf("behind what was dropped: %v", e)
		}
		if e := until[noom.ChatReceived](t, a, nil); e.Text != "버려진" || !e.History {
			t.Errorf("what was dropped: %v", e)
		}
		// It takes the signatures off.
		h.Lie(func(_ string, m signal.Message) []signal.Message {
			if m.Type != signal.TypeChat {
				return []signal.Message{m}
			}
			return []signal.Message{lyinghub.Remake(m, func(m *signal.Message) { m.Signed = nil })}
		})
		must(t, b.Chat(t.Context(), "서명 없이"))
		if e := until[noom.ChatReceived](t, a, nil); e.Text != "서명 없이" || !e.Signed || e.History {
			t.Errorf("over the link: %v", e)
		}
	})
}

// TestChatOfOlderMembers: what a member says that does not sign is shown, as not signed, and it sees what others say.
func TestChatOfOlderMembers(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("방", "a", nil)
		s, err := w.nearHub().Dial(t.Context())
		must(t, err)
		defer func() { _ = s.Close() }() // the test is over
		old := noom.NewIdentity()
		send := func(m signal.Message) {
			t.Helper()
			must(t, s.Send(t.Context(), m))
		}
		send(signal.Message{Type: signal.TypeJoin, Room: "방", Name: "옛", Key: noom.PublicKeyOf(old), Session: signal.NewSession()})
		send(signal.Message{Type: signal.TypeChat, ID: "1", Text: "옛말"})
		if e := until[noom.ChatReceived](t, a, nil); e.Text != "옛말" || e.Signed || e.History || !e.Sent.IsZero() {
			t.Errorf("got %v", e)
		}
		must(t, a.Chat(t.Context(), "새말"))
		for {
			m, err := s.Receive(t.Context())
			must(t, err)
			if m.Type == signal.TypeChat && m.Text == "새말" {
				return
			}
		}
	})
}

// TestHistoryOfTheHub: a hub that is told to tells who enters an empty room what was said there last, and forgets a room that
// is closed; a member takes nothing of that which is forged, and nothing twice.
func TestHistoryOfTheHub(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		h := lyinghub.New(hub.New(&hub.Config{History: 2}))
		join := func(name string) noom.Room { return w.joinBy(mem.Dialer(h), "데모", name, nil) }
		a := join("지우")
		for _, text := range []string{"하나", "둘", "셋"} {
			must(t, a.Chat(t.Context(), text))
		}
		who := a.Self()
		must(t, a.Leave(t.Context()))
		var told []signal.Message
		h.Lie(func(_ string, m signal.Message) []signal.Message {
			if m.Type != signal.TypeSaid {
				return []signal.Message{m}
			}
			told = append(told, m)
			forged := lyinghub.Remake(m, func(m *signal.Message) { m.Text += "!" })
			return []signal.Message{forged, m, m}
		})
		b := join("b")
		synctest.Wait()
		got := chatsOf(t, b)
		if len(got) != 2 || got[0].Text != "둘" || got[1].Text != "셋" {
			t.Fatalf("told: %v", got)
		}
		if e := got[0]; !e.History || !e.Signed || e.From.ID != who.ID || e.From.Name != "지우" || e.Missing != 0 {
			t.Errorf("told: %v", e)
		}
		c := join("c") // b tells it
		if e := until[noom.ChatReceived](t, c, nil); e.Text != "둘" || !e.History {
			t.Errorf("told by b: %v", e)
		}
		if len(told) != 2 {
			t.Errorf("the hub has told %d messages", len(told))
		}
	})
}
