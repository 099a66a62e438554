package hub_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// told is an event as a line.
func told(event hub.Event) string {
	switch e := event.(type) {
	case hub.RoomOpened:
		return fmt.Sprintf("%s opens %s", e.By.Name, e.Room)
	case hub.RoomClosed:
		return e.Room + " closes"
	case hub.MemberJoined:
		return fmt.Sprintf("%s joins %s", e.Member.Name, e.Room)
	case hub.MemberLeft:
		return fmt.Sprintf("%s leaves %s: %s", e.Member.Name, e.Room, e.Reason)
	case hub.Lagged:
		return fmt.Sprint(e.Dropped, " dropped")
	}
	return fmt.Sprintf("%T", event)
}

// follow takes the events of a hub. take returns those that came since the last call; it needs a bubble. over is closed
// at the end.
func follow(ctx context.Context, h *hub.Hub) (take func() []string, over <-chan struct{}) {
	events, lines, done := h.Events(ctx), make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		for e := range events {
			lines <- told(e)
		}
	}()
	return func() (got []string) {
		time.Sleep(time.Second)
		for len(lines) > 0 {
			got = append(got, <-lines)
		}
		return got
	}, done
}

// TestEvents: everyone who comes and goes, and why, and the first and last of a room with it.
func TestEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		early := join(t, d, "먼저", "이른이")
		take, over := follow(t.Context(), h)
		expect := func(what string, want ...string) {
			t.Helper()
			if got := take(); !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		expect("what is so already")
		a := join(t, d, "방", "a")
		expect("the first", "a opens 방", "a joins 방")
		b := join(t, d, "방", "b")
		expect("the second", "b joins 방")
		if err := h.Kick("방", b.id); err != nil {
			t.Fatal(err)
		}
		expect("a kick", "b leaves 방: kicked")
		chat("1", join(t, d, "방", "c"))
		expect("a third", "c joins 방")
		again := dial(t, d, "a")
		again.askToJoin("방", "a")
		again.prove("", "방", again.expect(signal.TypeChallenge))
		again.expect(signal.TypeJoined)
		expect("the first, on another connection", "a leaves 방: replaced", "a joins 방")
		again.send(signal.Message{Type: signal.TypeBye})
		expect("a goodbye", "a leaves 방: left")
		_ = a.link.Close()
		expect("the end of a connection that was replaced")
		h.CloseRoom("방")
		expect("the room's end", "c leaves 방: closed", "방 closes")
		refused := dial(t, d, "d")
		refused.askToJoin("방", string(make([]byte, 200)))
		expect("nobody")
		e := join(t, d, "방", "e")
		expect("the room again", "e opens 방", "e joins 방")
		_ = e.link.Close()
		expect("a lost connection", "e leaves 방: lost", "방 closes")
		if err := h.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-over
		expect("a shutdown", "이른이 leaves 먼저: restart", "먼저 closes")
		_ = early.link.Close()
	})
}

// TestSlowLoopOverEvents: what waits is bounded, and what is lost is said in its place. It ends with its context.
func TestSlowLoopOverEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := h.Events(ctx)
		const visits = 300 // four events each
		for range visits {
			join(t, mem.Dialer(h), "방", "a").send(signal.Message{Type: signal.TypeBye})
			time.Sleep(time.Minute) // as often as the hub lets one in
		}
		var got []string
		for e := range events {
			if got = append(got, told(e)); len(got) == 1025 {
				cancel()
			}
		}
		if len(got) != 1025 || got[0] != fmt.Sprint(4*visits-1024, " dropped") || got[1] != "a opens 방" || got[1024] != "방 closes" {
			t.Errorf("%d events, %q, %q … %q", len(got), got[0], got[1], got[len(got)-1])
		}
		for e := range h.Events(ctx) {
			t.Errorf("%v after the end of the context", e)
		}
	})
}
