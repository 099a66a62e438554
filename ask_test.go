package noom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/questions"
	"noom/signal"
)

// mirrors answers a question with its own bytes.
func mirrors(_ context.Context, _ noom.Peer, data []byte) ([]byte, error) { return data, nil }

// askers are two members that are connected, the one as the other sees it.
func askers(t *testing.T, w *world) (a, b noom.Room, toA, toB noom.Peer) {
	t.Helper()
	a, b = w.join("방", "지우", nil), w.join("방", "bob", nil)
	until(t, a, connected)
	until(t, b, connected)
	return a, b, peerOf(t, b, a), peerOf(t, a, b)
}

// TestAsk: an answer comes back in both directions, under the topic that was asked, and who asks is known.
func TestAsk(t *testing.T) {
	inWorld(t, 15*time.Millisecond, func(t *testing.T, w *world) {
		a, b, toA, toB := askers(t, w)
		greet := func(_ context.Context, from noom.Peer, data []byte) ([]byte, error) {
			return fmt.Appendf(nil, "안녕, %s: %s", from.Name(), data), nil
		}
		must(t, errors.Join(a.Handle("인사", greet), b.Handle("인사", greet), b.Handle("echo", mirrors)))
		for _, test := range []struct {
			to          noom.Peer
			topic, want string
		}{{toB, "인사", "안녕, 지우: x"}, {toA, " 인사 ", "안녕, bob: x"}, {toB, "echo", "x"}} {
			if got, err := test.to.Ask(t.Context(), test.topic, []byte("x")); err != nil || string(got) != test.want {
				t.Errorf("%q: %q, %v", test.topic, got, err)
			}
		}
		big := bytes.Repeat([]byte("열여섯 바이트.."), questions.MaxSize/32)
		if got, err := toB.Ask(t.Context(), "echo", big); err != nil || !bytes.Equal(got, big) {
			t.Errorf("%d bytes: %d, %v", len(big), len(got), err)
		}
		if got, err := toB.Ask(t.Context(), "echo", nil); err != nil || len(got) != 0 {
			t.Errorf("nothing: %q, %v", got, err)
		}
		must(t, b.Handle("echo", func(context.Context, noom.Peer, []byte) ([]byte, error) { return []byte("another"), nil }))
		if got, err := toB.Ask(t.Context(), "echo", nil); err != nil || string(got) != "another" {
			t.Errorf("replaced: %q, %v", got, err)
		}
		must(t, b.Handle("echo", nil))
		if _, err := toB.Ask(t.Context(), "echo", nil); !errors.Is(err, noom.ErrNotHandled) {
			t.Errorf("removed: %v", err)
		}
	})
}

// TestAskBeforeConnected: a question waits for a connection.
func TestAskBeforeConnected(t *testing.T) {
	inWorld(t, 15*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "지우", nil), w.join("방", "bob", nil)
		must(t, b.Handle("echo", mirrors))
		until[noom.PeerJoined](t, a, nil)
		p := peerOf(t, a, b)
		if p.State() != noom.PeerConnecting {
			t.Fatalf("it is %v already", p.State())
		}
		if got, err := p.Ask(t.Context(), "echo", []byte("x")); err != nil || string(got) != "x" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// TestAskJSON: values go there and back, and what does not fit is refused.
func TestAskJSON(t *testing.T) {
	type sum struct{ A, B int }
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		_, b, _, toB := askers(t, w)
		must(t, noom.HandleJSON(b, "sum", func(_ context.Context, _ noom.Peer, s sum) (int, error) {
			if s.A < 0 {
				return 0, &noom.AskError{Code: "negative", Message: "음수"}
			}
			return s.A + s.B, nil
		}))
		if got, err := noom.AskJSON[int](t.Context(), toB, "sum", sum{3, 4}); err != nil || got != 7 {
			t.Errorf("%d, %v", got, err)
		}
		if _, err := noom.AskJSON[string](t.Context(), toB, "sum", sum{3, 4}); err == nil {
			t.Error("a number is a string")
		}
		if _, err := noom.AskJSON[int](t.Context(), toB, "sum", "three"); !errors.Is(err, noom.ErrBadQuestion) {
			t.Errorf("a question that does not fit: %v", err)
		}
		_, err := noom.AskJSON[int](t.Context(), toB, "sum", sum{-3, 4})
		if own, ok := errors.AsType[*noom.AskError](err); !ok || own.Code != "negative" || own.Message != "음수" {
			t.Errorf("an error of the application's own: %v", err)
		}
		if _, err = noom.AskJSON[int](t.Context(), toB, "sum", func() {}); err == nil {
			t.Error("a function was asked")
		}
	})
}

// TestAskErrors: each way in which a question gets no answer has an error of its own.
func TestAskErrors(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b, toA, toB := askers(t, w)
		for topic, f := range map[string]noom.QuestionHandler{
			"fails": func(context.Context, noom.Peer, []byte) ([]byte, error) { return nil, errors.New("망했다") },
			"wraps": func(context.Context, noom.Peer, []byte) ([]byte, error) { return nil, fmt.Errorf("%w", noom.ErrBusy) },
			"odd":   func(context.Context, noom.Peer, []byte) ([]byte, error) { return nil, &noom.AskError{Code: "A B"} },
			"big": func(context.Context, noom.Peer, []byte) ([]byte, error) {
				return make([]byte, questions.MaxSize+1), nil
			},
			"waits": func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
		} {
			must(t, b.Handle(topic, f))
		}
		for topic, want := range map[string]error{
			"nobody's": noom.ErrNotHandled, "fails": &noom.AskError{Code: noom.AskFailed}, "wraps": noom.ErrBusy,
			"odd": &noom.AskError{Code: noom.AskFailed}, "big": noom.ErrTooBig,
		} {
			if _, err := toB.Ask(t.Context(), topic, nil); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", topic, err, want)
			}
		}
		if _, err := toB.Ask(t.Context(), "fails", nil); !strings.Contains(err.Error(), "망했다") {
			t.Errorf("%v does not say why", err)
		}
		if _, err := toB.Ask(t.Context(), "big", make([]byte, questions.MaxSize+1)); !errors.Is(err, noom.ErrTooBig) {
			t.Errorf("too big a question: %v", err)
		}
		for _, topic := range []string{"\x00", strings.Repeat("x", signal.MaxName+1)} {
			if _, err := toB.Ask(t.Context(), topic, nil); err == nil || a.Handle(topic, mirrors) == nil {
				t.Errorf("%q is a topic", topic)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := toB.Ask(ended, "fails", nil); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of ctx: %v", err)
		}
		under := make(chan error)
		for _, p := range []noom.Peer{toA, toB} {
			must(t, a.Handle("waits", func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
				<-ctx.Done()
				return nil, nil
			}))
			go func() {
				_, err := p.Ask(t.Context(), "waits", nil)
				under <- err
			}()
		}
		time.Sleep(time.Second)
		must(t, b.Leave(t.Context()))
		for range 2 {
			if err := <-under; !errors.Is(err, noom.ErrClosed) {
				t.Errorf("one leaves: %v", err)
			}
		}
		for _, p := range []noom.Peer{toA, toB} {
			if _, err := p.Ask(t.Context(), "waits", nil); !errors.Is(err, noom.ErrClosed) {
				t.Errorf("afterwards: %v", err)
			}
		}
	})
}

// TestAskIsGivenUp: the context of the function ends when that of Ask does, by a deadline too, and not before.
func TestAskIsGivenUp(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		_, b, _, toB := askers(t, w)
		var running, over atomic.Int32
		must(t, b.Handle("기다려", func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
			running.Add(1)
			<-ctx.Done()
			over.Add(1)
			return []byte("too late"), nil
		}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		asked := make(chan error, 1)
		go func() {
			_, err := toB.Ask(ctx, "기다려", nil)
			asked <- err
		}()
		time.Sleep(59 * time.Second)
		if running.Load() != 1 || over.Load() != 0 {
			t.Fatalf("%d are running, %d are over", running.Load(), over.Load())
		}
		if err := <-asked; !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.Sleep(time.Second)
		if over.Load() != 1 {
			t.Error("the function goes on")
		}
	})
}

// TestAskOverRebuild: a rebuild while a question, the work on it, or its answer is under way changes nothing.
func TestAskOverRebuild(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		_, b, toA, toB := askers(t, w)
		var calls atomic.Int32
		pause := make(chan time.Duration, 1)
		must(t, b.Handle("거울", func(_ context.Context, _ noom.Peer, data []byte) ([]byte, error) {
			calls.Add(1)
			time.Sleep(<-pause)
			return data, nil
		}))
		data := bytes.Repeat([]byte{1, 2, 3, 5}, questions.MaxSize/4)
		for round, breakAfter := range []time.Duration{0, 40, 100, 150, 350, 700, 1000} {
			asked := make(chan error, 1)
			pause <- 300 * time.Millisecond
			go func() {
				got, err := toB.Ask(t.Context(), "거울", data)
				if err == nil && !bytes.Equal(got, data) {
					err = fmt.Errorf("an answer of %d bytes", len(got))
				}
				asked <- err
			}()
			time.Sleep(breakAfter * time.Millisecond)
			breakUp([]noom.Peer{toA, toB}[round%2])
			if err := <-asked; err != nil {
				t.Errorf("broken after %d ms: %v", breakAfter, err)
			}
			time.Sleep(20 * time.Second)
		}
		if calls.Load() != 7 {
			t.Errorf("%d calls", calls.Load())
		}
	})
}

// TestOneQuestionTooMany: beyond 64 questions Ask waits for a place, and those under way are not disturbed. A place is free
// only when the function has returned.
func TestOneQuestionTooMany(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		_, b, _, toB := askers(t, w)
		var running atomic.Int32
		free := make(chan struct{})
		must(t, b.Handle("느린", func(_ context.Context, _ noom.Peer, data []byte) ([]byte, error) {
			running.Add(1)
			<-free
			running.Add(-1)
			return data, nil
		}))
		first, giveUp := context.WithCancel(t.Context())
		answered := make(chan error, questions.MaxOpen)
		ask := func(ctx context.Context) {
			_, err := toB.Ask(ctx, "느린", nil)
			answered <- err
		}
		for range questions.MaxOpen {
			go ask(first)
		}
		time.Sleep(time.Second)
		if running.Load() != questions.MaxOpen {
			t.Fatalf("%d are running", running.Load())
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := toB.Ask(short, "느린", nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one more: %v", err)
		}
		giveUp()
		for range questions.MaxOpen {
			if err := <-answered; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
		go ask(t.Context())
		time.Sleep(time.Second)
		if len(answered) != 0 || running.Load() != questions.MaxOpen {
			t.Errorf("%d are running", running.Load())
		}
		close(free)
		if err := <-answered; err != nil {
			t.Error(err)
		}
	})
}

// TestSlowAnswersHoldUpNobody: while one member's questions are not answered and its big ones are under way, its messages
// and another member's questions get through.
func TestSlowAnswersHoldUpNobody(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b, _, toB := askers(t, w)
		c := w.join("방", "c", nil)
		until(t, c, connected)
		until(t, c, connected)
		must(t, errors.Join(b.Handle("echo", mirrors), b.Handle("느린", func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, nil
		})))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 10 {
			go func() { _, _ = toB.Ask(ctx, "느린", make([]byte, questions.MaxSize)) }() // it is given up
		}
		time.Sleep(time.Minute)
		must(t, a.TrySend([]byte("message")))
		if got, err := peerOf(t, c, b).Ask(t.Context(), "echo", []byte("x")); err != nil || string(got) != "x" {
			t.Errorf("another member: %q, %v", got, err)
		}
		if e := until[noom.DataReceived](t, b, nil); string(e.Data) != "message" {
			t.Errorf("%q", e.Data)
		}
	})
}

// TestLeaveDeliversAnswers: what a function has answered before we leave arrives.
func TestLeaveDeliversAnswers(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		_, b, _, toB := askers(t, w)
		left := make(chan error)
		must(t, b.Handle("가", func(context.Context, noom.Peer, []byte) ([]byte, error) {
			go func() {
				time.Sleep(time.Millisecond)
				left <- b.Leave(context.Background())
			}()
			return make([]byte, questions.MaxSize), nil
		}))
		if got, err := toB.Ask(t.Context(), "가", nil); err != nil || len(got) != questions.MaxSize {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		must(t, <-left)
	})
}

// TestQuestionsOfTheLost: when a member is dropped, its questions are no longer worked on, and nobody can ask it. When it
// comes back in the same session, all of them have an end, and what it has asked meanwhile is answered.
func TestQuestionsOfTheLost(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b, toA, toB := askers(t, w)
		over := make(chan struct{}, 1)
		must(t, errors.Join(b.Handle("echo", mirrors), a.Handle("echo", mirrors), a.Handle("기다려", func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
			<-ctx.Done()
			over <- struct{}{}
			return make([]byte, questions.MaxSize), nil
		})))
		asks := func(p noom.Peer, topic string) <-chan error {
			end := make(chan error, 1)
			go func() {
				_, err := p.Ask(t.Context(), topic, []byte("x"))
				end <- err
			}()
			return end
		}
		before := asks(toA, "기다려")
		time.Sleep(time.Second)
		w.Cut()
		w.CutSignaling("bob")
		ours := asks(toB, "echo")
		until[noom.PeerLeft](t, a, nil)
		<-over
		if err := <-ours; !errors.Is(err, noom.ErrClosed) {
			t.Errorf("asked before it was dropped: %v", err)
		}
		if err := <-asks(toB, "echo"); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("asked afterwards: %v", err)
		}
		meanwhile := asks(toA, "echo")
		time.Sleep(time.Minute)
		w.Heal()
		w.HealSignaling("bob")
		until[noom.PeerJoined](t, a, nil)
		if err := <-before; !errors.Is(err, noom.ErrCancelled) {
			t.Errorf("what it had asked before: %v", err)
		}
		if err := errors.Join(<-meanwhile, <-asks(toB, "echo"), <-asks(toA, "echo")); err != nil {
			t.Error(err)
		}
	})
}

// TestHostileQuestions: whatever pieces one member sends costs its own connection alone, and calls no function with half of
// a question.
func TestHostileQuestions(t *testing.T) {
	piece := func(number uint32, b ...byte) []byte { return append(dataFrame(5, number), b...) }
	for name, frames := range map[string][][]byte{
		"nothing in it":          {piece(1)},
		"a gap":                  {piece(2, 3, 0, 0, 0, 1)},
		"taken before sent":      {dataFrame(6, 77)},
		"the end of nothing":     {piece(1, 3, 0, 0, 0, 1)},
		"an answer to nothing":   {piece(1, 4, 0, 0, 0, 1, 0, 0, 0, 0)},
		"a refusal of nothing":   {piece(1, 6, 0, 0, 0, 1, 1, 'x')},
		"larger than it said":    {piece(1, 1, 0, 0, 0, 1, 0, 0, 0, 3, 1, 't', 'a'), piece(2, 2, 0, 0, 0, 1, 'b', 'c', 'd')},
		"above all bounds":       {piece(1, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1, 't', 'a')},
		"two at a time":          {piece(1, 1, 0, 0, 0, 1, 0, 0, 0, 3, 1, 't', 'a'), piece(2, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 't', 'a')},
		"a topic without an end": {piece(1, 1, 0, 0, 0, 1, 0, 0, 0, 3, 200, 't')},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
				a, b, toA, toB := askers(t, w)
				var calls atomic.Int32
				must(t, a.Handle("t", func(context.Context, noom.Peer, []byte) ([]byte, error) {
					calls.Add(1)
					return nil, nil
				}))
				for _, frame := range frames {
					must(t, connectionOf(toA).Data.Send(frame))
				}
				if e := until(t, a, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerFailed }); e.Err == nil {
					t.Error("it has failed for nothing")
				}
				if calls.Load() != 0 {
					t.Error("a function was called")
				}
				until(t, a, connected)
				_, _ = b, toB
			})
		})
	}
}

// TestQuestionsThatFlood: a member that asks more than it may, and takes no end of a question, makes nothing pile up.
func TestQuestionsThatFlood(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, _, toA, _ := askers(t, w)
		var running atomic.Int32
		must(t, a.Handle("t", func(ctx context.Context, _ noom.Peer, _ []byte) ([]byte, error) {
			running.Add(1)
			<-ctx.Done()
			running.Add(-1)
			return nil, nil
		}))
		conn := connectionOf(toA)
		for n := range uint32(questions.MaxOpen + 20) {
			must(t, conn.Data.Send(append(dataFrame(5, n+1), 1, 0, 0, 0, byte(n+1), 0, 0, 0, 1, 1, 't', 'x')))
		}
		time.Sleep(time.Second)
		if running.Load() != questions.MaxOpen {
			t.Errorf("%d functions are running", running.Load())
		}
		must(t, a.Leave(t.Context()))
		synctest.Wait()
		if running.Load() != 0 {
			t.Errorf("%d functions go on", running.Load())
		}
	})
}
