package noomtest_test

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

// call publishes alice's camera; the sink is at the other end.
func call(t *testing.T, w *noomtest.World) (noom.Sender, *noomtest.Sink) {
	t.Helper()
	alice, bob := pair(w)
	sender, err := alice.Publish(t.Context(), w.Camera(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sink := w.Sink(noomtest.Await[noom.TrackAdded](w, bob, nil).Track)
	if !sink.Wait(25) {
		t.Fatal("no second of video within a minute")
	}
	return sender, sink
}

func TestSourceAndSink(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		sender, sink := call(t, w)
		if err := sender.ReplaceTrack(w.Camera()); err != nil {
			t.Fatal(err)
		}
		sink.Wait(50)
		if err := sink.Check(0, 200*time.Millisecond); err != nil {
			t.Error(err)
		}
		if r := sink.Report(); r.Sources != 2 || r.Ended {
			t.Errorf("saw %+v", r)
		}
		if err := sender.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if r := sink.Report(); !r.Ended {
			t.Errorf("saw %+v", r)
		}
	})
}

func TestSinkSeesWhatIsWrong(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		sender, sink := call(t, w)
		w.Cut("alice", "밥")
		time.Sleep(time.Second)
		w.Heal()
		sink.Wait(25)
		if r := sink.Report(); r.Freeze < time.Second || r.Freeze > 2*time.Second || r.Missing > 30 {
			t.Errorf("an outage of a second was seen as %+v", r)
		}
		sink.Reset()
		if err := sender.SetMuted(true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if err := sink.Check(0, 2*time.Second); err == nil {
			t.Error("nothing wrong with a source that is muted")
		}
	})
}

func TestMicrophone(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Join("r", &noom.Config{Name: "a", Tracks: []noom.LocalTrack{{Track: w.Microphone()}}})
		b := w.Join("r", &noom.Config{Name: "b"})
		sink := w.Sink(noomtest.Await[noom.TrackAdded](w, b, nil).Track)
		if !sink.Wait(100) {
			t.Fatalf("saw %+v", sink.Report())
		}
		if err := sink.Check(0, 100*time.Millisecond); err != nil {
			t.Error(err)
		}
	}, noomtest.WithJitter(5*time.Millisecond))
}

// TestBandwidth: a camera needs about 25 × 100 bytes a second, twenty-five of
// them ten times what a modem can carry.
func TestBandwidth(t *testing.T) {
	for bits, enough := range map[int]bool{1_000_000: true, 8_000: false} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			alice, bob := pair(w)
			w.Settle()
			if _, err := alice.Publish(t.Context(), w.Camera(), nil); err != nil {
				t.Fatal(err)
			}
			sink := w.Sink(noomtest.Await[noom.TrackAdded](w, bob, nil).Track)
			time.Sleep(10 * time.Second)
			if r := sink.Report(); (r.Frames > 200) != enough || (r.Missing == 0) != enough {
				t.Errorf("at %d bit/s: %+v", bits, r)
			}
		}, noomtest.WithBandwidth(bits))
	}
}

func TestLossAndLatency(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		_, sink := call(t, w)
		before := sink.Report().Frames
		w.Latency(time.Second, "alice", "밥")
		time.Sleep(900 * time.Millisecond)
		if n := sink.Report().Frames - before; n > 2 {
			t.Errorf("%d frames in 900 ms at a latency of 1 s", n)
		}
		if !sink.Wait(25) {
			t.Error("nothing comes at a latency of 1 s")
		}
	}, noomtest.WithLoss(0.02), noomtest.WithLatency(5*time.Millisecond))
}

func TestSignalerPair(t *testing.T) {
	member, hub := noomtest.SignalerPair(t)
	if err := member.Send(t.Context(), signal.Message{Type: signal.TypePing}); err != nil {
		t.Fatal(err)
	}
	if m, err := hub.Receive(t.Context()); err != nil || m.Type != signal.TypePing {
		t.Fatal(m.Type, err)
	}
	spy := &spy{TB: t}
	member, _ = noomtest.SignalerPair(spy)
	_ = member.Close()
	for range 2 {
		if err := member.Send(t.Context(), signal.Message{Type: signal.TypePing}); err == nil {
			t.Error("sent after Close")
		}
	}
	if spy.errors != 1 {
		t.Errorf("a use after an error was noticed %d times", spy.errors)
	}
}

type spy struct {
	testing.TB
	errors int
}

func (s *spy) Errorf(string, ...any) { s.errors++ }

func TestExplore(t *testing.T) {
	noomtest.Explore(t, 5, func(_ *testing.T, w *noomtest.World) {
		pair(w)
		if w.Rand().IntN(2) == 0 {
			w.Hub().Restart()
		}
		w.Drop(noomtest.Frames{Type: signal.TypeAsk}).Optional()
		w.Settle()
	}, noomtest.WithLoss(0.05))
}
