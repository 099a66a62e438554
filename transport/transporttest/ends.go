package transporttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"noom/signal"
)

func (t sendTrial) closeEndsOtherReceive() {
	ended := make(chan error, 1)
	go func() {
		_, err := t.to.Receive(t.Context())
		ended <- err
	}()
	if err := runWithin(t.T, "Close", t.from.Close); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := runWithin(t.T, "Receive at the other end", func() error { return <-ended }); err == nil {
		t.Fatal("Receive gave a message after the other end closed")
	}
}

func (t sendTrial) closeEndsOwnReceive() {
	ended := make(chan error, 1)
	go func() {
		_, err := t.from.Receive(t.Context())
		ended <- err
	}()
	go func() { _, _ = t.to.Receive(t.Context()) }() // so that the other end can agree to close
	if err := runWithin(t.T, "Close", t.from.Close); err != nil {
		t.Fatalf("Close: %v", err)
	}
	if err := runWithin(t.T, "Receive", func() error { return <-ended }); err == nil {
		t.Fatal("Receive gave a message after Close")
	}
	if _, err := t.from.Receive(t.Context()); err == nil {
		t.Fatal("a later Receive gave a message")
	}
}

// closeDeliversWhatWasSent: a goodbye just before Close must arrive.
func (t sendTrial) closeDeliversWhatWasSent() {
	for n := range 10 {
		send(t.T, t.from, numberedFrame(n))
	}
	go func() { _ = t.from.Close() }() // may wait for the other end to read
	for n := range 10 {
		if m := receive(t.T, t.to); m.ID != fmt.Sprint(n) {
			t.Fatalf("received %s, want %d", m.ID, n)
		}
	}
	if _, err := t.to.Receive(t.Context()); err == nil {
		t.Fatal("more was received than was sent")
	}
}

func (t sendTrial) closeTwice() {
	go func() { _, _ = t.to.Receive(t.Context()) }() // so that the other end can agree to close
	for range 2 {
		if err := runWithin(t.T, "Close", t.from.Close); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
	if err := runWithin(t.T, "Close at the other end", t.to.Close); err != nil {
		t.Fatalf("Close at the other end: %v", err)
	}
}

func (t sendTrial) sendAfterClose() {
	go func() { _, _ = t.to.Receive(t.Context()) }() // so that the other end can agree to close
	_ = runWithin(t.T, "Close", t.from.Close)
	if err := runWithin(t.T, "Send", func() error { return t.from.Send(t.Context(), numberedFrame(1)) }); err == nil {
		t.Fatal("Send after Close gave no error")
	}
}

// sendToClosed: an end that is gone is noticed by Send too, in the end.
func (t sendTrial) sendToClosed() {
	go func() { _, _ = t.from.Receive(t.Context()) }() // so that this end can agree to close
	_ = runWithin(t.T, "Close", t.to.Close)
	err := runWithin(t.T, "Send", func() error {
		for {
			if err := t.from.Send(t.Context(), numberedFrame(1)); err != nil {
				return err
			}
		}
	})
	if err == nil {
		t.Fatal("Send to a closed end gave no error")
	}
}

// mostBuffered is how many bytes a transport and what lies below may hold for
// an end that does not read.
const mostBuffered = 64 << 20

// fillLink sends until Send blocks, and returns what that call ends with.
func fillLink(ctx context.Context, t *testing.T, from signal.Signaler) <-chan error {
	t.Helper()
	sent := make(chan int)
	ended := make(chan error, 1)
	m := pairFrame(signal.MaxFrame)
	go func() {
		for {
			if err := from.Send(ctx, m); err != nil {
				ended <- err
				return
			}
			sent <- signal.MaxFrame
		}
	}()
	quiet := time.NewTimer(patience)
	for total := 0; ; {
		quiet.Reset(150 * time.Millisecond)
		select {
		case n := <-sent:
			if total += n; total > mostBuffered {
				t.Fatalf("Send took %d bytes that were never read", total)
			}
		case err := <-ended:
			t.Fatalf("Send: %v", err)
		case <-quiet.C:
			go func() {
				for range sent { // the blocked Send may get through before it ends
				}
			}()
			t.Cleanup(func() { close(sent) })
			return ended
		}
	}
}

func (t sendTrial) backPressure() {
	ctx, cancel := context.WithCancel(t.Context())
	ended := fillLink(ctx, t.T, t.from)
	for range 8 {
		if m := receive(t.T, t.to); m.Type != signal.TypeOffer {
			t.Fatalf("received %s", m.Type)
		}
	}
	cancel()
	_ = runWithin(t.T, "Send", func() error { return <-ended }) // any error will do
}

func (t sendTrial) closeEndsBlockedSend() {
	ended := fillLink(t.Context(), t.T, t.from)
	_ = runWithin(t.T, "Close", t.from.Close) // the other end reads nothing, so it may well fail
	if err := runWithin(t.T, "Send", func() error { return <-ended }); err == nil {
		t.Fatal("Send gave no error")
	}
}

func (t sendTrial) contextEndsReceive() {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := t.from.Receive(ctx)
		ended <- err
	}()
	cancel()
	if err := runWithin(t.T, "Receive", func() error { return <-ended }); !errors.Is(err, context.Canceled) {
		t.Fatalf("Receive: %v, want context.Canceled", err)
	}
}

func (t sendTrial) contextEndsBlockedSend() {
	ctx, cancel := context.WithCancel(t.Context())
	ended := fillLink(ctx, t.T, t.from)
	cancel()
	if err := runWithin(t.T, "Send", func() error { return <-ended }); !errors.Is(err, context.Canceled) {
		t.Fatalf("Send: %v, want context.Canceled", err)
	}
}

func (t sendTrial) endedContext() {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := t.from.Send(ctx, numberedFrame(1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Send: %v, want context.Canceled", err)
	}
	if _, err := t.to.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Receive: %v, want context.Canceled", err)
	}
}

// laterEndOfContext: the context bounds its call and not the connection.
func (t sendTrial) laterEndOfContext() {
	for n := range 20 {
		send(t.T, t.from, numberedFrame(n)) // both cancel their context when they return
		if m := receive(t.T, t.to); m.ID != fmt.Sprint(n) {
			t.Fatalf("received %s, want %d", m.ID, n)
		}
	}
}

func (t sendTrial) closeWith() {
	if _, can := t.from.(interface{ CloseWith(*signal.Error) error }); !can {
		t.Skip("this transport cannot say why it closes")
	}
	why := &signal.Error{Code: signal.CodeTooSlow}
	send(t.T, t.from, numberedFrame(1))
	go func() { _ = signal.CloseWith(t.from, why) }() // may wait for the other end to read
	receive(t.T, t.to)
	if _, err := t.to.Receive(t.Context()); !errors.Is(err, why) {
		t.Fatalf("Receive after CloseWith(%s): %v", why, err)
	}
}
