package mailbox_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/mailbox"
)

var errClosed = errors.New("closed")

// runOwner runs what is posted until the mailbox is closed.
func runOwner(m *mailbox.Mailbox, closed <-chan struct{}) {
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

func TestPostsRunInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, closed := mailbox.New(errClosed), make(chan struct{})
		var ran []int
		for i := range 100 { // before the owner takes any
			m.Post(func() { ran = append(ran, i) })
		}
		go runOwner(m, closed)
		n, err := mailbox.Ask(t.Context(), m, func() int { return len(ran) })
		if n != 100 || err != nil {
			t.Errorf("Ask ran after %d of 100 posts, %v", n, err)
		}
		for i, n := range ran {
			if i != n {
				t.Fatalf("post %d ran in place %d", n, i)
			}
		}
		close(closed)
	})
}

// TestAskAndClose: what was accepted before Close is answered; what comes later is refused.
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
		runOwner(m, closed)
		if err := <-before; err != nil {
			t.Errorf("asked before Close: %v", err)
		}
		if _, err := mailbox.Ask(t.Context(), m, func() bool { return true }); !errors.Is(err, errClosed) {
			t.Errorf("asked after Close: %v", err)
		}
		if m.Post(func() { t.Error("a post after Close ran") }) {
			t.Error("a post after Close was accepted")
		}
	})
}

func TestAskEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mailbox.Ask(ctx, mailbox.New(errClosed), func() bool { return true }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want context.Canceled", err)
	}
}

// TestTimer: the owner runs what the timer was last set to, once, and nothing after Stop.
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
		time.Sleep(2 * time.Second) // the function is posted, and not taken yet
		timer.Stop()
		if take(); ran != "second " {
			t.Errorf("after Stop: ran %q", ran)
		}
	})
}

// TestServe: what is posted is run in order by one goroutine at a time, which is gone when nothing is left, and what was
// posted before counts too.
func TestServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mailbox.New(errClosed)
		var ran, running, turns int // of the goroutine that serves
		post := func() {
			m.Post(func() {
				ran++
				m.Post(func() { ran++ })
			})
		}
		post()
		before := runtime.NumGoroutine()
		m.Serve(func(items []func()) {
			turns++
			if running++; running != 1 {
				t.Error("two at a time")
			}
			time.Sleep(time.Millisecond) // what is posted meanwhile waits
			for _, f := range items {
				f()
			}
			running--
		})
		for round := range 3 {
			time.Sleep(time.Second)
			synctest.Wait()
			if ran != 2*100*round+2 || runtime.NumGoroutine() != before {
				t.Fatalf("round %d: %d have run, and %d goroutines remain", round, ran, runtime.NumGoroutine()-before)
			}
			var posts sync.WaitGroup
			for range 100 {
				posts.Go(post)
			}
			posts.Wait()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if turns < 8 {
			t.Errorf("%d turns", turns) // each round has at least two: what is posted in a turn is not of that turn
		}
		for _, f := range m.Close() {
			f()
		}
		if m.Post(func() { t.Error("a post after Close ran") }) {
			t.Error("a post after Close was accepted")
		}
	})
}
