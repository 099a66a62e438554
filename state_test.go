package noom_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom"
)

// stateOf describes what a room's state shows.
func stateOf(r noom.Room) string {
	var b strings.Builder
	for e := range r.State().All() {
		fmt.Fprintf(&b, "%s=%s by %s;", e.Key, e.Value, e.By.Name)
	}
	return b.String()
}

// changed accepts a change of a key.
func changed(key, value string) func(noom.StateChanged) bool {
	return func(e noom.StateChanged) bool { return e.Key == key && string(e.Value) == value }
}

// TestStateIsShared: what one member writes all others see, newcomers included, and who wrote last wins.
func TestStateIsShared(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("방", "지우", nil)
		must(t, a.State().Set(t.Context(), "주제", []byte("저녁"), nil))
		must(t, a.State().Set(t.Context(), "score", nil, nil))
		b := w.join("방", "bob", nil)
		e := until(t, b, changed("주제", "저녁"))
		if e.By.Name != "지우" || e.By.ID != a.Self().ID {
			t.Errorf("by %v", e.By)
		}
		if e := until[noom.StateChanged](t, b, nil); e.Key != "score" || e.Value == nil || len(e.Value) > 0 {
			t.Errorf("an empty value came as %v", e)
		}
		must(t, b.State().Set(t.Context(), "주제", []byte("점심"), nil))
		until(t, a, changed("주제", "점심"))
		c := w.join("방", "철수", nil)
		until(t, c, func(noom.StateChanged) bool { return stateOf(c) == "score= by 지우;주제=점심 by bob;" })
		must(t, c.State().Delete(t.Context(), "score"))
		for _, r := range []noom.Room{a, b} {
			if e := until(t, r, changed("score", "")); e.Value != nil || e.By.Name != "철수" {
				t.Errorf("%s sees %v", r.Self().Name, e)
			}
		}
		for _, r := range []noom.Room{a, b, c} {
			if got := stateOf(r); got != "주제=점심 by bob;" {
				t.Errorf("%s shows %q", r.Self().Name, got)
			}
		}
		if got, ok := c.State().Get("주제"); !ok || string(got.Value) != "점심" || got.Keep {
			t.Errorf("%+v, %v", got, ok)
		}
		if _, ok := c.State().Get("score"); ok {
			t.Error("what was deleted is there")
		}
	})
}

// TestStateOfThoseWhoLeave: what a member wrote goes with it, unless it said Keep; a newcomer gets what was kept from others.
func TestStateOfThoseWhoLeave(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "지우", nil), w.join("방", "bob", nil)
		until(t, b, connected)
		must(t, b.State().Set(t.Context(), "bob's", []byte("1"), nil))
		until(t, a, changed("bob's", "1"))
		must(t, a.State().Set(t.Context(), "hand", []byte("up"), nil))
		must(t, a.State().Set(t.Context(), "bob's", []byte("2"), nil))
		must(t, a.State().Set(t.Context(), "메모", []byte("다섯 시"), &noom.StateOptions{Keep: true}))
		must(t, a.Leave(t.Context())) // at once: what was written arrives
		until(t, b, func(noom.PeerLeft) bool { return true })
		if got := stateOf(b); got != "bob's=1 by bob;메모=다섯 시 by ;" {
			t.Errorf("bob shows %q", got)
		}
		c := w.join("방", "철수", nil)
		if e := until(t, c, changed("메모", "다섯 시")); e.By.ID != a.Self().ID {
			t.Errorf("by %v", e.By)
		}
		if got := stateOf(c); got != "bob's=1 by bob;메모=다섯 시 by ;" {
			t.Errorf("철수 shows %q", got)
		}
		must(t, c.State().Delete(t.Context(), "메모"))
		until(t, b, changed("메모", ""))
	})
}

// TestStateNeedsNoHub: once members are connected, no hub is needed for any of it.
func TestStateNeedsNoHub(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a, b, c := w.join("방", "지우", nil), w.join("방", "bob", nil), w.join("방", "철수", nil)
		for _, r := range []noom.Room{a, b, c} {
			until(t, r, connected)
			until(t, r, connected)
			w.CutSignaling(r.Self().Name)
		}
		must(t, a.State().Set(t.Context(), "topic", []byte("없다"), nil))
		must(t, a.SetAttributes(t.Context(), map[string]string{"role": "host"}))
		for _, r := range []noom.Room{b, c} {
			shown, hosts := false, false // whichever is first: each may be passed on by the third
			until(t, r, func(e noom.Event) bool {
				if e, ok := e.(noom.StateChanged); ok && e.Key == "topic" && string(e.Value) == "없다" {
					shown = true
				}
				_, ok := e.(noom.AttributesChanged)
				hosts = hosts || ok
				return shown && hosts
			})
			if got := peerOf(t, r, a).Attributes(); !maps.Equal(got, map[string]string{"role": "host"}) {
				t.Errorf("attributes %v", got)
			}
		}
		must(t, b.State().Delete(t.Context(), "topic"))
		until(t, a, changed("topic", ""))
		until(t, c, changed("topic", ""))
	})
}

// TestStateAgreesAfterACut: two members that were cut off from each other, and write under the same keys, show the same
// afterwards. A third one, which both reach, passes on meanwhile what they write.
func TestStateAgreesAfterACut(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a, b, c := w.join("방", "a", nil), w.join("방", "b", nil), w.join("방", "c", nil)
		for _, r := range []noom.Room{a, b, c} {
			until(t, r, connected)
			until(t, r, connected)
		}
		must(t, a.State().Set(t.Context(), "old", []byte("x"), &noom.StateOptions{Keep: true}))
		until(t, b, changed("old", "x"))
		until(t, c, changed("old", "x"))
		w.Cut("a", "b")
		must(t, a.State().Set(t.Context(), "both", []byte("a's"), nil))
		must(t, b.State().Set(t.Context(), "both", []byte("b's"), nil))
		must(t, b.State().Delete(t.Context(), "old"))
		time.Sleep(10 * time.Second)
		if x, y := stateOf(a), stateOf(c); x != y {
			t.Errorf("what passes by c: a shows %q, c %q", x, y)
		}
		w.Heal()
		time.Sleep(30 * time.Second)
		for _, r := range []noom.Room{b, c} {
			if x, y := stateOf(a), stateOf(r); x != y || !strings.HasPrefix(x, "both=") || strings.Contains(x, "old") {
				t.Errorf("a shows %q, %s %q", x, r.Self().Name, y)
			}
		}
	})
}

// TestAttributes: a member's attributes are its own, and end with it.
func TestAttributes(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "지우", nil), w.join("방", "bob", nil)
		if peerOf(t, b, a).Attributes() != nil {
			t.Error("attributes without any set")
		}
		must(t, a.SetAttributes(t.Context(), map[string]string{"손": "들었다", "role": "host"}))
		e := until[noom.AttributesChanged](t, b, nil)
		if got := e.Peer.Attributes(); e.Peer.ID() != a.Self().ID || !maps.Equal(got, map[string]string{"손": "들었다", "role": "host"}) {
			t.Errorf("%v has %v", e.Peer, got)
		}
		must(t, a.SetAttributes(t.Context(), nil))
		if got := until[noom.AttributesChanged](t, b, nil).Peer.Attributes(); len(got) != 0 {
			t.Errorf("after all were taken away: %v", got)
		}
		must(t, a.SetAttributes(t.Context(), map[string]string{"role": "guest"}))
		e = until[noom.AttributesChanged](t, b, nil)
		if got := stateOf(b); got != "" {
			t.Errorf("the state shows %q", got)
		}
		err := a.SetAttributes(t.Context(), map[string]string{"much": strings.Repeat("가", 1400)})
		if !errors.Is(err, noom.ErrTooBig) {
			t.Errorf("too many: %v", err)
		}
		must(t, a.Leave(t.Context()))
		until[noom.PeerLeft](t, b, nil)
		if got := e.Peer.Attributes(); got != nil {
			t.Errorf("who has left has %v", got)
		}
	})
}

// TestStateIsBounded: what is too much is refused where it is written.
func TestStateIsBounded(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("방", "지우", nil)
		s := a.State()
		for _, key := range []string{"", "noom:attributes:" + a.Self().ID, "noom:", strings.Repeat("가", 86), "\xff"} {
			if err := s.Set(t.Context(), key, nil, nil); !errors.Is(err, noom.ErrStateKey) {
				t.Errorf("%q: %v", key, err)
			}
			if err := s.Delete(t.Context(), key); !errors.Is(err, noom.ErrStateKey) {
				t.Errorf("delete %q: %v", key, err)
			}
		}
		if err := s.Set(t.Context(), "big", make([]byte, 32769), nil); !errors.Is(err, noom.ErrTooBig) {
			t.Errorf("a big value: %v", err)
		}
		must(t, s.Set(t.Context(), "1", make([]byte, 32767), nil))
		must(t, s.Set(t.Context(), "2", make([]byte, 32767), nil))
		if err := s.Set(t.Context(), "3", nil, nil); !errors.Is(err, noom.ErrStateFull) {
			t.Errorf("more bytes than there may be: %v", err)
		}
		b := w.join("방", "bob", nil)
		until(t, b, func(e noom.StateChanged) bool { return e.Key == "2" && len(e.Value) == 32767 })
		must(t, s.Delete(t.Context(), "1"))
		must(t, s.Set(t.Context(), "2", nil, nil))
		for i := range 255 {
			must(t, s.Set(t.Context(), fmt.Sprint("key ", i), []byte{1}, nil))
		}
		if err := s.Set(t.Context(), "one more", nil, nil); !errors.Is(err, noom.ErrStateFull) {
			t.Errorf("more keys than there may be: %v", err)
		}
		until(t, b, changed("key 254", "\x01"))
		must(t, a.Leave(t.Context()))
		if err := s.Set(t.Context(), "late", nil, nil); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("after Leave: %v", err)
		}
	})
}

// TestStateIsNotForged: a member that passes on what another one has written cannot change it, nor take it to another room.
func TestStateIsNotForged(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		a, b, mallory := w.join("방", "지우", nil), w.join("방", "bob", nil), w.join("방", "mallory", nil)
		for range 2 {
			until(t, b, connected)
			until(t, mallory, connected)
		}
		must(t, a.State().Set(t.Context(), "vote", []byte("yes"), nil))
		until(t, b, changed("vote", "yes"))
		until(t, mallory, changed("vote", "yes"))
		noom.ForgeState(mallory, b.Self().ID, "vote", []byte("no!"))
		time.Sleep(time.Minute)
		if got := stateOf(b); got != "vote=yes by 지우;" {
			t.Errorf("bob shows %q", got)
		}
		synctest.Wait()
		if e, ok := b.State().Get("vote"); !ok || !bytes.Equal(e.Value, []byte("yes")) {
			t.Errorf("%+v", e)
		}
	})
}
