package noom

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
)

// TestLeaveFromAnywhere: inside the event loop, from many places at once, and
// while a join is under way.
func TestLeaveFromAnywhere(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "지우", nil), w.join("r", "bob", nil)
		var left []Event
		for e := range b.Events(t.Context()) {
			if _, ok := e.(PeerJoined); ok {
				if err := b.Leave(t.Context()); err != nil {
					t.Error(err)
				}
			}
			left = append(left, e)
		}
		if last, ok := left[len(left)-1].(Closed); !ok || last.Err != nil {
			t.Errorf("the last event is %+v", left[len(left)-1])
		}

		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { _ = a.Leave(t.Context()) })
		}
		all.Wait()
		<-a.Done()
	})
}

// TestJoinCancelled: Join returns when its context ends, or in time if that has no
// end, at whatever frame it waits for, and leaves nothing behind.
func TestJoinCancelled(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, _ *world) {
		for _, silent := range []string{"the dial", "joined"} {
			dialer := signal.DialerFunc(func(ctx context.Context) (Signaler, error) {
				if silent == "the dial" {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return mute{}, nil
			})
			for _, want := range []time.Duration{time.Second, 3 * time.Second} {
				ctx, cancel := context.Background(), func() {}
				if want < 3*time.Second {
					ctx, cancel = context.WithTimeout(ctx, want)
				}
				start := time.Now()
				_, err := Join(ctx, dialer, "r", &Config{DialTimeout: 3 * time.Second})
				cancel()
				if _, ok := errors.AsType[*JoinError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("waiting for %s: %v", silent, err)
				}
				if took := time.Since(start); took != want {
					t.Errorf("waiting for %s: returned after %v, want %v", silent, took, want)
				}
			}
		}
	})
}

// mute is a Signaler to a hub that says nothing.
type mute struct{}

func (mute) Send(context.Context, signal.Message) error { return nil }
func (mute) Close() error                               { return nil }
func (mute) Receive(ctx context.Context) (signal.Message, error) {
	<-ctx.Done()
	return signal.Message{}, ctx.Err()
}

// TestLeaveEndsWhatIsPending: every call that waits returns ErrClosed, at once.
func TestLeaveEndsWhatIsPending(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		line := &wire{Dialer: w.dialer}
		w.dialer = line
		a, b := w.join("r", "지우", nil), w.join("r", "bob", nil)
		until(t, a, connected)
		until(t, b, connected)
		p := peerOf(t, a, b)
		full := make([]byte, signal.MaxData)
		for range signal.MaxUnacked / signal.MaxData {
			if err := p.Send(t.Context(), full); err != nil {
				t.Fatal(err)
			}
		}
		line.cut(true)
		time.Sleep(time.Second)
		ended := make(chan error)
		pending := map[string]func() error{
			"Chat":   func() error { return a.Chat(t.Context(), "안녕") },
			"Rename": func() error { return a.Rename(t.Context(), "지우개") },
			"Send":   func() error { return p.Send(t.Context(), full) },
			"Room.Send": func() error {
				err := a.Send(t.Context(), full)
				if _, ok := errors.AsType[*PeerError](err); !ok {
					return fmt.Errorf("names no peer: %w", err)
				}
				return err
			},
		}
		for name, call := range pending {
			go func() {
				err := call()
				if errors.Is(err, ErrClosed) {
					err = nil
				} else {
					err = fmt.Errorf("%s returned %w", name, err)
				}
				ended <- err
			}()
		}
		time.Sleep(time.Second)
		start := time.Now()
		go func() { _ = a.Leave(context.Background()) }()
		for range pending {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(start); took > 2*patienceAtParting {
			t.Errorf("took %v", took)
		}
	})
}

// TestCallsWhileEnding: what a loop has accepted is done, however close its end
// is: who opens a channel hears what became of it, and what was published is let go.
func TestCallsWhileEnding(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p := peerOf(t, a, b).(*link)
		gate := make(chan struct{})
		p.mail.post(func() { p.over = true; <-gate })
		synctest.Wait()
		opened := make(chan error)
		go func() {
			_, err := p.OpenChannel(t.Context(), "late", nil)
			opened <- err
		}()
		synctest.Wait()
		close(gate)
		select {
		case err := <-opened:
			t.Log(err) // nil, if that was faster
		case <-time.After(time.Minute):
			t.Error("OpenChannel waits for ever")
		}

		for range 8 { // the loop may take either first
			r := w.join("방", "c", nil).(*room)
			gate, camera := make(chan struct{}), newDeviceCamera()
			r.mail.post(func() { <-gate })
			synctest.Wait()
			go func() { _ = r.Leave(t.Context()) }()
			<-r.ctx.Done()
			_, err := r.Publish(t.Context(), camera, nil)
			close(gate)
			<-r.Done()
			if _, _, bound := camera.asked(); bound > 0 {
				t.Errorf("the camera is still bound; Publish said %v", err)
			}
		}
	})
}
