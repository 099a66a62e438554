package noom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/signal"
)

func TestTwoMembers(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		start := time.Now()
		a := w.join("데모", "지우", nil)
		b := w.join("데모", "bob", nil)
		until(t, a, connected)
		until(t, b, connected)
		t.Logf("connected after %v of virtual time", time.Since(start))
		if err := a.Send(t.Context(), []byte("안녕")); err != nil {
			t.Fatal(err)
		}
		e := until[noom.DataReceived](t, b, nil)
		if string(e.Data) != "안녕" || e.Peer.Name() != "지우" || e.Peer.ID() != a.Self().ID {
			t.Fatalf("got %q from %q", e.Data, e.Peer.Name())
		}
	})
}

func TestAllJoinAtOnce(t *testing.T) {
	const n = 6
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		rooms := make([]noom.Room, n)
		errs := make(chan error, n)
		for i := range n {
			track := newTestCamera(t)
			go film(ctx, track)
			name := fmt.Sprint(i)
			cfg, dialer := w.config(name, &noom.Config{Tracks: []noom.LocalTrack{{Track: track}}}), w.Dialer(name)
			go func() {
				var err error
				rooms[i], err = noom.Join(ctx, dialer, "lobby", cfg)
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range rooms {
			w.leaveAtEnd(r)
			for _, o := range rooms {
				if r != o {
					receives(t, r, o.Self().ID, "camera")
				}
			}
		}
	})
}

func TestChatAndRename(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("데모", "지우", nil), w.join("데모", "bob", nil)
		if err := a.Chat(t.Context(), "안녕, bob! <img onerror>"); err != nil {
			t.Fatal(err)
		}
		e := until[noom.ChatReceived](t, b, nil)
		if e.Text != "안녕, bob! <img onerror>" || e.From.Name != "지우" || e.From.ID != a.Self().ID || e.At.IsZero() {
			t.Fatalf("got %+v", e)
		}
		if err := a.Rename(t.Context(), "  민서 "); err != nil {
			t.Fatal(err)
		}
		if r := until[noom.PeerRenamed](t, b, nil); r.Old != "지우" || r.Peer.Name() != "민서" || a.Self().Name != "민서" {
			t.Fatalf("renamed from %q to %q, self %q", r.Old, r.Peer.Name(), a.Self().Name)
		}
		for _, bad := range []string{strings.Repeat("가", 100), "a\u202eb", "a\nb"} {
			if err := a.Rename(t.Context(), bad); !errors.Is(err, &signal.Error{Code: signal.CodeBadName}) {
				t.Errorf("rename to %.20q: %v", bad, err)
			}
		}
		for _, bad := range []string{"", strings.Repeat("x", 5000), "\xff"} {
			if err := a.Chat(t.Context(), bad); !errors.Is(err, &signal.Error{Code: signal.CodeBadChat}) {
				t.Errorf("chat of %d bytes: %v", len(bad), err)
			}
		}
	})
}
