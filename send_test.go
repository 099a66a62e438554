package noom_test

import (
	"context"
	"errors"
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

func TestSendBlocksOnCredit(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		const messages = 200
		payload := make([]byte, signal.MaxData)
		sent := make(chan int, messages)
		go func() {
			for i := range messages {
				payload[0] = byte(i)
				if err := a.Send(t.Context(), payload); err != nil {
					t.Error(err)
				}
				sent <- i
			}
		}()
		time.Sleep(10 * time.Second)
		if n := len(sent); n != signal.MaxUnacked/signal.MaxData {
			t.Fatalf("%d messages sent while nobody takes them", n)
		}
		for i := range messages {
			if e := until[noom.DataReceived](t, b, nil); e.Data[0] != byte(i) || len(e.Data) != signal.MaxData {
				t.Fatalf("message %d: got %d with %d bytes", i, e.Data[0], len(e.Data))
			}
		}
		p, _ := a.Peer(b.Self().ID)
		if err := p.Send(t.Context(), make([]byte, signal.MaxData+1)); !errors.Is(err, noom.ErrTooBig) {
			t.Fatalf("too big: %v", err)
		}
	})
}
