package mailbox_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/mailbox"
)

var errClosed = errors.New("closed")

// own runs what is posted until the mailbox is closed.
func own(m *mailbox.Mailbox, closed <-chan struct{}) {
	for {
		select {
		case <-m.Ready():
			for _, f := range m.Take() {
				f()
			}
		case <-closed:
			for _, f := range m.Close() {
				f()
			}
			return
		}
	}
}

func TestPostsRunInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, closed := mailbox.New(errClosed), make(chan struct{})
		var ran []int
		for i := range 100 { // before anybody takes
			m.Post(func() { ran = append(ran, i) })
		}
		go own(m, closed)
		n, err := mailbox.Ask(t.Context(), m, func() int { return len(ran) })
		if n != 100 || err != nil {
			t.Errorf("asked after %d, %v", n, err)
		}
		for i, n := range ran {
			if i != n {
				t.Fatalf("%d ran as %d", n, i)
			}
		}
		close(closed)
	})
}

// What was accepted is answered, closed or not; what comes later is refused.
func TestAskAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, closed := mailbox.New(errClosed), make(chan struct{})
		before := make(chan error, 1)
		go func() {
			_, err := mailbox.Ask(t.Context(), m, func() bool { return true })
			before <- err
		}()
		synctest.Wait()
		close(closed)
		own(m, closed)
		if err := <-before; err != nil {
			t.Errorf("asked before: %v", err)
		}
		if _, err := mailbox.Ask(t.Context(), m, func() bool { return true }); !errors.Is(err, errClosed) {
			t.Errorf("asked after: %v", err)
		}
		if m.Post(func() { t.Error("ran") }) {
			t.Error("accepted after")
		}
	})
}

func TestAskEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mailbox.Ask(ctx, mailbox.New(errClosed), func() bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody takes: %v", err)
	}
}

// A timer runs what it was set to last, once, in the owner's turn; stopped, nothing.
func TestTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mailbox.New(errClosed)
		var timer mailbox.Timer
		ran := ""
		take := func() {
			for _, f := range m.Take() {
				f()
			}
		}
		timer.Set(m, time.Second, func() { ran += "first " })
		timer.Set(m, 2*time.Second, func() { ran += "second " })
		time.Sleep(3 * time.Second)
		if take(); ran != "second " || timer.Pending() {
			t.Errorf("ran %q, pending %v", ran, timer.Pending())
		}
		timer.Set(m, time.Second, func() { ran += "third " })
		time.Sleep(2 * time.Second) // it is posted, and not taken yet
		timer.Stop()
		if take(); ran != "second " {
			t.Errorf("stopped, it ran: %q", ran)
		}
	})
}
