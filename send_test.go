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
	"noom/signal"
)

// TestSendQueuesForEveryone: what is sent before anybody is connected, or while
// a connection is being rebuilt, arrives at all.
func TestSendQueuesForEveryone(t *testing.T) {
	inWorld(t, 15*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("방", "지우", nil)
		others := []noom.Room{w.join("방", "b", nil), w.join("방", "c", nil)}
		synctest.Wait()
		for _, p := range a.Peers() {
			if p.State() != noom.PeerConnecting {
				t.Fatalf("%v is %v already", p, p.State())
			}
		}
		must(t, a.Send(t.Context(), []byte("first")))
		must(t, a.TrySend([]byte("second")))
		for range others {
			until(t, a, connected)
		}
		for _, p := range a.Peers() {
			breakUp(p)
		}
		until(t, a, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerFailed })
		must(t, a.Send(t.Context(), []byte("third")))
		for _, r := range others {
			for _, want := range []string{"first", "second", "third"} {
				if e := until[noom.DataReceived](t, r, nil); string(e.Data) != want {
					t.Errorf("%s got %q, want %q", r.Self().Name, e.Data, want)
				}
			}
		}
	})
}

// TestTrySend: one member that takes nothing holds nobody up, and is named.
func TestTrySend(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, deaf, b := w.join("방", "a", nil), w.join("방", "deaf", nil), w.join("방", "b", nil)
		for range 2 {
			until(t, a, connected)
		}
		blocked := func(err error) bool {
			named, ok := errors.AsType[*noom.PeerError](err)
			return ok && named.Peer.ID() == deaf.Self().ID && errors.Is(err, noom.ErrWouldBlock) && strings.Count(err.Error(), "noom: peer") == 1
		}
		sent := 0
		for start := time.Now(); ; sent++ {
			err := a.TrySend(make([]byte, signal.MaxData))
			if err != nil {
				if !blocked(err) || sent != signal.MaxUnacked/signal.MaxData {
					t.Fatalf("after %d messages: %v", sent, err)
				}
				break
			}
			until[noom.DataReceived](t, b, nil)
			if time.Since(start) > time.Minute {
				t.Fatal("it waits")
			}
		}
		until[noom.DataReceived](t, b, nil)
		p := peerOf(t, a, deaf)
		if err := p.TrySend(make([]byte, signal.MaxData)); !errors.Is(err, noom.ErrWouldBlock) {
			t.Errorf("to the deaf: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Send(ctx, make([]byte, signal.MaxData)); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, noom.ErrWouldBlock) {
			t.Errorf("Send: %v", err)
		}
		until[noom.DataReceived](t, b, nil) // it was not held up either
		go func() {
			for range deaf.Events(context.Background()) { // until it leaves
			}
		}()
		time.Sleep(time.Second)
		must(t, p.TrySend(make([]byte, signal.MaxData)))
		must(t, a.TrySend(nil))
	})
}

// TestTooBigIsRefused: by every call that sends, before anything else is looked at.
func TestTooBigIsRefused(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("방", "a", nil)
		big := make([]byte, 100_000)
		check := func(when string) {
			t.Helper()
			for i, err := range []error{a.Send(t.Context(), big), a.TrySend(big)} {
				if !errors.Is(err, noom.ErrTooBig) {
					t.Errorf("%s: call %d: %v", when, i, err)
				}
			}
		}
		check("alone")
		b := w.join("방", "b", nil)
		until[noom.PeerJoined](t, a, nil)
		check("with another")
		p := peerOf(t, a, b)
		for i, err := range []error{p.Send(t.Context(), big), p.TrySend(big)} {
			if !errors.Is(err, noom.ErrTooBig) {
				t.Errorf("to a peer: call %d: %v", i, err)
			}
		}
		until(t, a, connected)
		must(t, a.Leave(t.Context()))
		check("after leaving")
		for i, err := range []error{p.Send(t.Context(), nil), p.TrySend(nil), a.TrySend(nil)} {
			if !errors.Is(err, noom.ErrClosed) {
				t.Errorf("after leaving: call %d: %v", i, err)
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
