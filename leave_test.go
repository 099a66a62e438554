package noom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/link"
	"noom/internal/mediatest"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
)

// TestLeaveFromAnywhere: inside the event loop, from many places at once, and
// while a join is under way.
func TestLeaveFromAnywhere(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "지우", nil), w.join("r", "bob", nil)
		var left []noom.Event
		for e := range b.Events(t.Context()) {
			if _, ok := e.(noom.PeerJoined); ok {
				if err := b.Leave(t.Context()); err != nil {
					t.Error(err)
				}
			}
			left = append(left, e)
		}
		if last, ok := left[len(left)-1].(noom.Closed); !ok || last.Err != nil {
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
			dialer := signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
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
				_, err := noom.Join(ctx, dialer, "r", &noom.Config{DialTimeout: 3 * time.Second})
				cancel()
				if _, ok := errors.AsType[*noom.JoinError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
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

func (mute) Close() error { return nil }

func (mute) Receive(ctx context.Context) (signal.Message, error) {
	<-ctx.Done()
	return signal.Message{}, ctx.Err()
}

// TestLeaveEndsWhatIsPending: every call that waits returns ErrClosed, at once.
func TestLeaveEndsWhatIsPending(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
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
		w.CutSignaling("지우")
		w.CutSignaling("bob")
		time.Sleep(time.Second)
		ended := make(chan error)
		pending := map[string]func() error{
			"Chat":   func() error { return a.Chat(t.Context(), "안녕") },
			"Rename": func() error { return a.Rename(t.Context(), "지우개") },
			"Send":   func() error { return p.Send(t.Context(), full) },
			"Room.Send": func() error {
				err := a.Send(t.Context(), full)
				if _, ok := errors.AsType[*noom.PeerError](err); !ok {
					return fmt.Errorf("names no peer: %w", err)
				}
				return err
			},
		}
		for name, call := range pending {
			go func() {
				err := call()
				if errors.Is(err, noom.ErrClosed) {
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
		if took := time.Since(start); took > 2*noom.PatienceAtParting {
			t.Errorf("took %v", took)
		}
	})
}

// TestLeaveAcceptsNothingNew: from the beginning of a Leave that takes its time, every call that sends
// fails, to a peer that was there and to one that comes meanwhile.
func TestLeaveAcceptsNothingNew(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		w.Cut()
		must(t, peerOf(t, a, b).Send(t.Context(), []byte("never arrives")))
		left := make(chan error)
		go func() { left <- a.Leave(context.Background()) }()
		synctest.Wait()
		c := w.join("방", "c", nil)
		time.Sleep(time.Second)
		for name, err := range map[string]error{
			"Room.Send":                 a.Send(t.Context(), []byte("x")),
			"Room.TrySend":              a.TrySend([]byte("x")),
			"Peer.Send":                 peerOf(t, a, b).Send(t.Context(), []byte("x")),
			"Peer.TrySend":              peerOf(t, a, b).TrySend([]byte("x")),
			"Peer.TrySend to the newer": peerOf(t, a, c).TrySend([]byte("x")),
		} {
			if !errors.Is(err, noom.ErrClosed) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := <-left; err == nil {
			t.Error("Leave says that it has arrived")
		}
	})
}

// TestCallsWhileEnding: what a loop has accepted is done, however close its end
// is: OpenChannel returns what became of it, and what was published is let go.
func TestCallsWhileEnding(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p := peerOf(t, a, b)
		gate := make(chan struct{})
		link.Inspect(noom.LinkOf(p), func(in link.Inside) { in.Machine.Close(); <-gate })
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
			r := w.join("방", "c", nil)
			gate, camera := make(chan struct{}), mediatest.NewDeviceCamera()
			noom.Post(r, func() { <-gate })
			synctest.Wait()
			go func() { _ = r.Leave(t.Context()) }()
			<-noom.Ending(r)
			_, err := r.Publish(t.Context(), camera, nil)
			close(gate)
			<-r.Done()
			if _, _, bound := camera.Asked(); bound > 0 {
				t.Errorf("the camera is still bound; Publish said %v", err)
			}
		}
	})
}

// arrivals takes b's events until the peer has left and returns how many
// messages, and of what size, came before.
func arrivals(t *testing.T, r noom.Room) (messages, bytes int) {
	t.Helper()
	for {
		switch e := until[noom.Event](t, r, nil).(type) {
		case noom.DataReceived:
			messages++
			bytes += len(e.Data)
		case noom.PeerLeft:
			if e.Reason != noom.ReasonLeft {
				t.Errorf("the peer has gone: %s", e.Reason)
			}
			return messages, bytes
		}
	}
}

// TestLeaveLetsDataArrive: all that Send took comes before PeerLeft, whenever it
// is read, over a network that loses, in a connection that is rebuilt, and to a peer
// that is not connected yet.
func TestLeaveLetsDataArrive(t *testing.T) {
	const size = 50_000
	send := func(t *testing.T, to interface {
		Send(ctx context.Context, data []byte) error
	}, messages int,
	) {
		t.Helper()
		for range messages {
			if err := to.Send(t.Context(), make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		loss     float64
		messages int
		early    bool
		before   func(p noom.Peer)
		toAll    bool
	}{
		"all the credit":        {messages: 20},
		"with loss":             {messages: 20, loss: 1.0 / 80},
		"before the connection": {messages: 3, early: true},
		"by Room.Send":          {messages: 12, early: true, toAll: true},
		"in a rebuild":          {messages: 4, before: breakUp},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 35*time.Millisecond, func(t *testing.T, w *world) {
				a, b := w.join("방", "지우", nil), w.join("방", "bob", nil)
				p := until[noom.PeerJoined](t, a, nil).Peer
				if !c.early {
					until(t, a, connected)
				}
				if c.before != nil {
					c.before(p)
				}
				if c.toAll {
					send(t, a, c.messages)
				} else {
					send(t, p, c.messages)
				}
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := a.Leave(ctx); err != nil {
					t.Error(err)
				}
				t.Logf("left after %v", time.Since(start))
				if messages, bytes := arrivals(t, b); messages != c.messages || bytes != messages*size {
					t.Errorf("%d messages of %d have arrived, with %d bytes", messages, c.messages, bytes)
				}
			}, noomtest.WithLoss(c.loss))
		})
	}
}

// TestLeaveIsBounded: a peer that nothing reaches holds Leave up for as long as its
// ctx lets it, and no longer than it takes without a deadline; the error says how much it has
// not got. The call that ends first bounds them all.
func TestLeaveIsBounded(t *testing.T) {
	for _, c := range []struct {
		times []time.Duration // of the Leaves' contexts; 0: no deadline
		most  time.Duration
	}{
		{[]time.Duration{0}, noom.PatienceToDeliver + noom.PatienceAtParting},
		{[]time.Duration{2 * time.Second}, 2 * time.Second},
		{[]time.Duration{20 * time.Second}, 20 * time.Second},
		{[]time.Duration{-1}, 100 * time.Millisecond},
		{[]time.Duration{time.Hour, 3 * time.Second, 0}, 3 * time.Second},
	} {
		inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
			a, b, far := w.join("방", "a", nil), w.join("방", "b", nil), w.join("방", "far", nil)
			for range 2 {
				until(t, a, connected)
			}
			must(t, peerOf(t, a, b).Send(t.Context(), []byte("before")))
			until[noom.DataReceived](t, b, nil)
			time.Sleep(time.Second)
			w.Cut()
			for range 3 {
				if err := peerOf(t, a, far).Send(t.Context(), []byte("after")); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Now()
			errs := make(chan error)
			for _, d := range c.times {
				ctx, cancel := context.Background(), func() {}
				if d != 0 {
					ctx, cancel = context.WithTimeout(ctx, d)
				}
				defer cancel()
				go func() { errs <- a.Leave(ctx) }()
			}
			for range c.times {
				err := <-errs
				undelivered, ok := errors.AsType[*noom.UndeliveredError](err)
				named, _ := errors.AsType[*noom.PeerError](err)
				if !ok || undelivered.Messages < 3 || named == nil {
					t.Errorf("Leave returned %v", err)
				}
				if !strings.Contains(fmt.Sprint(err), "3") || !strings.Contains(fmt.Sprint(err), far.Self().ID) {
					t.Errorf("%v does not say that 3 messages to %s are missing", err, far.Self().ID)
				}
			}
			if took := time.Since(start); took > c.most+50*time.Millisecond || took < c.most/2 && c.times[0] >= 0 {
				t.Errorf("with %v it took %v", c.times, took)
			}
			if _, err := a.Next(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLeaveLetsChannelsArrive: what was sent in channels of either end is received,
// and then their end, not a loss.
func TestLeaveLetsChannelsArrive(t *testing.T) {
	const messages, size = 15, 60_000
	for name, options := range map[string]*noom.ChannelOptions{
		"ordered": nil, "unordered": {Unordered: true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 35*time.Millisecond, func(t *testing.T, w *world) {
				a, b := w.join("방", "a", nil), w.join("방", "b", nil)
				until(t, a, connected)
				ours, err := peerOf(t, a, b).OpenChannel(t.Context(), "우리", options)
				must(t, err)
				until(t, b, connected)
				mine, err := peerOf(t, b, a).OpenChannel(t.Context(), "너희", options)
				must(t, err)
				theirs := until[noom.ChannelOpened](t, a, nil).Channel
				for range messages {
					must(t, ours.Send(t.Context(), make([]byte, size)))
					must(t, theirs.Send(t.Context(), make([]byte, size)))
				}
				must(t, a.Leave(t.Context()))
				if err = ours.Send(t.Context(), nil); !errors.Is(err, noom.ErrClosed) {
					t.Errorf("sent after Leave: %v", err)
				}
				for _, c := range []noom.Channel{until[noom.ChannelOpened](t, b, nil).Channel, mine} {
					n := 0
					for err = nil; err == nil; n++ {
						_, err = c.Receive(t.Context())
					}
					if !errors.Is(err, io.EOF) || n-1 != messages {
						t.Errorf("%s: %d messages of %d, then %v", c.Label(), n-1, messages, err)
					}
				}
			})
		})
	}
}

// TestChannelCloseLosesNothing: a channel's end travels behind what was sent in it.
func TestChannelCloseLosesNothing(t *testing.T) {
	const messages = 16
	inWorld(t, 35*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		c, err := peerOf(t, a, b).OpenChannel(t.Context(), "파일", nil)
		must(t, err)
		for range messages {
			must(t, c.Send(t.Context(), make([]byte, signal.MaxData)))
		}
		must(t, c.Close())
		theirs := until[noom.ChannelOpened](t, b, nil).Channel
		for i := range messages {
			if _, err := theirs.Receive(t.Context()); err != nil {
				t.Fatalf("after %d messages: %v", i, err)
			}
		}
		if _, err := theirs.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	})
}

// TestGoodbyeDoesNotOvertake: what was under way to us when the hub passes a
// goodbye on is still received, and PeerLeft comes behind it.
func TestGoodbyeDoesNotOvertake(t *testing.T) {
	inWorld(t, 35*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		start := time.Now()
		must(t, peerOf(t, a, b).Send(t.Context(), make([]byte, 800)))
		noom.Say(a, signal.Message{Type: signal.TypeBye}) // as a client does that waits for nothing
		if messages, _ := arrivals(t, b); messages != 1 {
			t.Error("the data was overtaken by the goodbye")
		}
		// PROTOCOL.md section 2 gives it half a second.
		if took := time.Since(start); took > 510*time.Millisecond {
			t.Errorf("PeerLeft after %v", took)
		}
	})
}

// TestBothLeaveAtOnce: neither waits for the other, which has gone.
func TestBothLeaveAtOnce(t *testing.T) {
	inWorld(t, 35*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		must(t, peerOf(t, a, b).Send(t.Context(), make([]byte, 50_000)))
		must(t, peerOf(t, b, a).Send(t.Context(), make([]byte, 500)))
		start := time.Now()
		var both sync.WaitGroup
		for _, r := range []noom.Room{a, b} {
			both.Go(func() {
				err := r.Leave(context.Background())
				if _, ok := errors.AsType[*noom.UndeliveredError](err); err != nil && !ok {
					t.Error(err)
				}
				t.Logf("%s: %v", r.Self().Name, err)
			})
		}
		both.Wait()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestLeaveLetsChatArrive: what TryChat took, and a Chat that has not returned yet, are
// said before goodbye is, by a hub that takes its time.
func TestLeaveLetsChatArrive(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "a", nil), w.join("방", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		time.Sleep(5 * time.Second)
		const tried, waiting = 70, 5
		for i := range tried {
			must(t, a.TryChat(fmt.Sprint(i)))
		}
		said := make(chan error, waiting)
		for range waiting {
			go func() { said <- a.Chat(t.Context(), "hello") }()
		}
		synctest.Wait()
		must(t, a.Leave(t.Context()))
		for range waiting {
			if err := <-said; err != nil {
				t.Errorf("Chat returned %v", err)
			}
		}
		if err := a.TryChat("x"); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("TryChat after Leave: %v", err)
		}
		n := 0
		until(t, b, func(e noom.Event) bool {
			if _, ok := e.(noom.ChatReceived); ok {
				n++
			}
			_, left := e.(noom.PeerLeft)
			return left
		})
		if n != tried+waiting {
			t.Errorf("%d of %d chats were heard", n, tried+waiting)
		}
	}, noomtest.WithHubConfig(func(int) *hub.Config {
		return &hub.Config{Limits: signal.Limits{Rate: 20, Burst: 20}}
	}))
}

// TestLeaveAfterLosingTheHub: what TryChat took just before the hub was lost is said when
// that is back, or else Leave says that it may not have been.
func TestLeaveAfterLosingTheHub(t *testing.T) {
	for _, away := range []time.Duration{time.Second, time.Minute} {
		inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
			b := w.join("방", "b", nil)
			a := w.join("방", "a", nil)
			until(t, a, connected)
			until(t, b, connected)
			lost := w.Drop(noomtest.Frames{From: "a", To: noomtest.HubName, Type: signal.TypeChat}) // before anybody notices
			must(t, a.TryChat("잘 자"))
			synctest.Wait()
			lost.Stop()
			w.CutSignaling("a")
			back := time.AfterFunc(away, func() { w.HealSignaling("a") })
			defer back.Stop()
			synctest.Wait()
			start := time.Now()
			err := a.Leave(t.Context())
			if took := time.Since(start); took > noom.PatienceToDeliver+noom.PatienceAtParting {
				t.Errorf("took %v", took)
			}
			said := false
			until(t, b, func(e noom.Event) bool {
				_, chat := e.(noom.ChatReceived)
				_, left := e.(noom.PeerLeft)
				said = said || chat
				return left
			})
			if inTime := away == time.Second; said != inTime || errors.Is(err, noom.ErrNoHub) == inTime {
				t.Errorf("away for %v: said %v, then: %v", away, said, err)
			}
		})
	}
}

// TestLeaveAtOnceSaysGoodbye: a program that was interrupted, and passes on the context
// that ended with it, has left and is not lost.
func TestLeaveAtOnceSaysGoodbye(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		b := w.join("방", "b", nil)
		for range 10 {
			a := w.join("방", "a", nil)
			until(t, a, connected)
			ctx, interrupt := context.WithCancel(t.Context())
			interrupt()
			start := time.Now()
			must(t, a.Leave(ctx))
			if took := time.Since(start); took > 10*time.Millisecond {
				t.Errorf("took %v", took)
			}
			arrivals(t, b)
		}
	})
}

// TestKickedWhileLeaving: a member that is thrown out waits for nothing more.
func TestKickedWhileLeaving(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("방", "a", nil)
		w.join("방", "b", nil)
		until(t, a, connected)
		w.Cut()
		must(t, a.Send(t.Context(), []byte("x")))
		start := time.Now()
		time.AfterFunc(time.Second, func() { _ = w.Hub().Running().Kick("방", a.Self().ID) }) // it is there
		if err := a.Leave(t.Context()); err == nil {
			t.Error("Leave says that it has arrived")
		}
		if took := time.Since(start); took > 1500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestLeave(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		start := time.Now()
		for range 2 {
			if err := b.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Since(start); d > 100*time.Millisecond {
			t.Errorf("leaving took %v", d)
		}
		if e := until[noom.PeerLeft](t, a, nil); e.Reason != noom.ReasonLeft || e.Member.Name != "b" {
			t.Fatalf("got %+v", e)
		}
		if len(a.Peers()) != 0 {
			t.Fatal("a peer that left is still listed")
		}
		if e := until[noom.Closed](t, b, nil); e.Err != nil || b.Err() != nil {
			t.Fatalf("closed with %v", e.Err)
		}
		if _, err := b.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Fatalf("Next after Closed: %v", err)
		}
		if err := b.Chat(t.Context(), "x"); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("Chat after Leave: %v", err)
		}
		if err := b.Send(t.Context(), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("Send after Leave: %v", err)
		}
		if _, err := b.Publish(t.Context(), newTestCamera(t), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("Publish after Leave: %v", err)
		}
	})
}
