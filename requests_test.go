package noom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

// TestChatSaidAgain: the hub passed a text on, but its word of that was lost with
// the connection. It is said again, and shown once.
func TestChatSaidAgain(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		b := w.join("r", "bob", nil)
		said := w.Delay(noomtest.Frames{From: "지우", To: noomtest.HubName, Type: signal.TypeChat}, 0) // counts them
		w.Drop(noomtest.Frames{From: noomtest.HubName, To: "지우", Type: signal.TypeChat, Nth: 1})
		a := w.join("r", "지우", nil)
		until(t, b, connected)
		time.AfterFunc(time.Second, func() { w.bounce("지우") })
		if err := a.Chat(t.Context(), "한 번만"); err != nil {
			t.Fatal(err)
		}
		if err := a.Chat(t.Context(), "끝"); err != nil {
			t.Fatal(err)
		}
		if n := said.Hits(); n != 3 {
			t.Fatalf("%d texts were sent to the hub, so nothing was said again", n)
		}
		for _, want := range []string{"한 번만", "끝"} {
			if e := until[noom.ChatReceived](t, b, nil); e.Text != want {
				t.Errorf("got %q, want %q", e.Text, want)
			}
		}
	})
}

// TestAskingWithoutHub: what asks something of the hub waits for one, but not for ever, and not in
// any number; TryChat does not at all.
func TestAskingWithoutHub(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		b := w.join("방", "b", nil)
		a := w.join("방", "a", nil)
		until(t, a, connected)
		must(t, a.TryChat("with a hub"))
		if e := until[noom.ChatReceived](t, b, nil); e.Text != "with a hub" {
			t.Errorf("got %q", e.Text)
		}
		synctest.Wait() // until a has it, too
		w.CutSignaling("a")
		until[noom.SignalingLost](t, a, nil)
		if err := a.TryChat("without"); !errors.Is(err, noom.ErrNoHub) {
			t.Errorf("TryChat without a hub: %v", err)
		}
		for name, call := range map[string]func(context.Context) error{
			"chat":   func(ctx context.Context) error { return a.Chat(ctx, "안녕") },
			"rename": func(ctx context.Context) error { return a.Rename(ctx, "지우") },
			"lock":   a.Lock,
			"mute":   func(ctx context.Context) error { return peerOf(t, a, b).RequestMute(ctx, "camera") },
		} {
			start := time.Now()
			if err := call(t.Context()); !errors.Is(err, noom.ErrNoHub) || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
			if took := time.Since(start); took != noom.PatienceWithHub {
				t.Errorf("%s gave up after %v", name, took)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*noom.PatienceWithHub)
			start = time.Now()
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*noom.PatienceWithHub {
				t.Errorf("%s with a deadline: %v after %v", name, err, time.Since(start))
			}
			cancel()
		}
		synctest.Wait() // until those are forgotten
		said := make(chan error, noom.MaxPending)
		for i := range noom.MaxPending {
			go func() { said <- a.Chat(t.Context(), fmt.Sprint(i)) }()
		}
		synctest.Wait()
		if err := a.Chat(t.Context(), "one too many"); !errors.Is(err, noom.ErrWouldBlock) {
			t.Errorf("beyond the bound: %v", err)
		}
		time.Sleep(10 * time.Second)
		w.HealSignaling("a")
		for range noom.MaxPending {
			must(t, <-said)
		}
		for range noom.MaxPending {
			until[noom.ChatReceived](t, b, nil)
		}
		must(t, a.Chat(t.Context(), "there is room again"))
	})
}

// TestNothingThatCannotBeSentReachesTheHub: it is refused where it is called, by a typed
// error, and the connection to the hub stays.
func TestNothingThatCannotBeSentReachesTheHub(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p := peerOf(t, a, b)
		half := "good morning \xf0\x9f\x90" // some of an emoji
		_, published := a.Publish(t.Context(), newTestCamera(t), &noom.PublishOptions{Name: half})
		_, publishedAlone := p.Publish(t.Context(), newTestCamera(t), &noom.PublishOptions{Name: half})
		_, opened := p.OpenChannel(t.Context(), half, nil)
		for name, c := range map[string]struct{ err, is error }{
			"chat":         {a.Chat(t.Context(), half), &signal.Error{Code: signal.CodeBadChat}},
			"try to chat":  {a.TryChat(half), &signal.Error{Code: signal.CodeBadChat}},
			"rename":       {a.Rename(t.Context(), half), &signal.Error{Code: signal.CodeBadName}},
			"kick":         {a.Kick(t.Context(), half), &signal.Error{Code: signal.CodeNoSuchMember}},
			"kick a name":  {a.Kick(t.Context(), "bob"), &signal.Error{Code: signal.CodeNoSuchMember}},
			"kick upper":   {a.Kick(t.Context(), strings.ToUpper(b.Self().ID)), &signal.Error{Code: signal.CodeNoSuchMember}},
			"kick nobody":  {a.Kick(t.Context(), ""), &signal.Error{Code: signal.CodeNoSuchMember}},
			"kick a novel": {a.Kick(t.Context(), strings.Repeat("가", 50_000)), &signal.Error{Code: signal.CodeNoSuchMember}},
			"mute":         {p.RequestMute(t.Context(), half), &signal.Error{Code: signal.CodeMalformed}},
			"publish":      {published, signal.ErrNameUTF8},
			"publish one":  {publishedAlone, signal.ErrNameUTF8},
			"channel":      {opened, signal.ErrNameUTF8},
		} {
			if !errors.Is(c.err, c.is) || len(c.err.Error()) > 600 {
				t.Errorf("%s: %.600v", name, c.err)
			}
		}
		// What slips through is no reason to be cut off: neither at our end …
		if err := noom.Ask(t.Context(), a, signal.Message{Type: signal.TypeChat, ID: "not a label!", Text: "x"}); !errors.Is(err, &signal.Error{Code: signal.CodeBadChat}) {
			t.Errorf("a bad id: %v", err)
		}
		noom.Say(a, signal.Message{Type: signal.TypeChat, ID: "x", Text: half})
		// … nor at the hub's.
		noom.Say(a, signal.Message{Type: signal.TypeKick, To: "bob"})
		noom.Say(a, signal.Message{Type: signal.TypeRename, Name: " x "})
		must(t, a.Chat(t.Context(), "still here"))
		for _, e := range waiting(t, a) {
			if _, lost := e.(noom.SignalingLost); lost {
				t.Errorf("the hub was lost: %v", e)
			}
		}
	})
}
