package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"noom"
	"noom/examples/bottest"
	"noom/signal/hub"
)

// TestHostInEveryRoom: a host comes with the first guest, greets each, goes with the last, and comes again; there is one in
// each room.
func TestHostInEveryRoom(t *testing.T) {
	h := hub.New(nil)
	ctx, cancel := context.WithCancel(t.Context())
	events, done := h.Events(ctx), make(chan struct{})
	go func() {
		defer close(done)
		dispatch(ctx, h, events)
	}()
	t.Cleanup(func() { cancel(); <-done })
	greeted := func(name, room string) noom.Room {
		t.Helper()
		guest := bottest.JoinHub(t, h, room, name)
		e := bottest.Await(t, guest, func(noom.ChatReceived) bool { return true })
		if e.Text != "welcome, "+name || e.From.Name != "host" {
			t.Errorf("%s was greeted with %q by %s", name, e.Text, e.From.Name)
		}
		return guest
	}
	for range 2 {
		first, second, other := greeted("지우", "데모"), greeted("bob", "데모"), greeted("민수", "lobby")
		if n := len(h.Members("데모")); n != 3 {
			t.Errorf("%d members, want two guests and a host", n)
		}
		for _, room := range []noom.Room{first, second, other} {
			if err := room.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
		bottest.Until(t, func() bool { return len(h.Rooms()) == 0 })
	}
}

// TestProgram: it says where the hub is, and ends with its context.
func TestProgram(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, done := &bottest.Output{}, make(chan error, 1)
	go func() { done <- run(ctx, bottest.Flags(), []string{"-addr", "localhost:0"}, out) }()
	bottest.Until(t, func() bool { return strings.HasSuffix(out.String(), "/ws\n") })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := run(t.Context(), bottest.Flags(), []string{"-addr", "nowhere"}, io.Discard); err == nil {
		t.Error("an address that is none was taken")
	}
}
