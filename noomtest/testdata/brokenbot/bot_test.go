package brokenbot

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

func TestGreeterGreetsEverybody(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		early := w.Join("lobby", &noom.Config{Name: "early"})
		go Greeter(t.Context(), w.Dialer("bot"), w.Config("bot"))
		w.Settle()
		late := w.Join("lobby", &noom.Config{Name: "late"})
		w.Settle()
		for _, r := range []noom.Room{early, late} {
			noomtest.Await(w, r, func(e noom.ChatReceived) bool { return e.Text == "hello, "+r.Self().Name })
		}
	})
}

func TestEchoEchoesAll(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		go Echo(t.Context(), w.Dialer("bot"), w.Config("bot"))
		alice := w.Join("lobby", &noom.Config{Name: "alice"})
		w.Settle()
		for _, text := range []string{"one", "wait", "two"} {
			alice.Chat(t.Context(), text)
		}
		noomtest.Await(w, alice, func(e noom.ChatReceived) bool { return e.Text == "two" })
	})
}

func TestCounter(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		go new(Counter).Run(t.Context(), w.Dialer("bot"), w.Config("bot"))
		alice := w.Join("lobby", &noom.Config{Name: "alice"})
		w.Settle()
		alice.Chat(t.Context(), "one")
		time.Sleep(time.Minute)
	})
}

func TestSeeds(t *testing.T) {
	noomtest.Explore(t, 20, func(t *testing.T, w *noomtest.World) {
		w.Join("lobby", &noom.Config{Name: "alice"})
		if w.Settle(); w.Rand().IntN(4) == 0 {
			t.Error("bad luck")
		}
	})
}

// TestOwnAssertion has nothing to do with connections.
func TestOwnAssertion(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		for _, name := range []string{"alice", "bob", "carol"} {
			w.Join("lobby", &noom.Config{Name: name})
		}
		w.Settle()
		w.Note("now it is added up")
		t.Error("wrong sum")
	})
}

// TestOwnWait does not wait until they are connected.
func TestOwnWait(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice := w.Join("lobby", &noom.Config{Name: "alice"})
		w.Join("lobby", &noom.Config{Name: "bob"})
		time.Sleep(time.Millisecond)
		if state := alice.Peers()[0].State(); state != noom.PeerConnected {
			t.Fatal("bob is", state)
		}
	}, noomtest.WithLatency(50*time.Millisecond))
}

// Misuse of the kit.

func TestRoomLeftOpen(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		if _, err := noom.Join(t.Context(), w.Dialer("careless"), "lobby", w.Config("careless")); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFaultOfNothing(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Drop(noomtest.Frames{From: "bbo", Type: signal.TypeAnswer})
		w.Drop(noomtest.Frames{From: "alice", Type: signal.TypeAnswer, Nth: 7})
		w.Drop(noomtest.Frames{From: "alice", Type: signal.TypeGrant})
		w.Join("lobby", &noom.Config{Name: "alice"})
		w.Join("lobby", &noom.Config{Name: "bob"})
		w.Settle()
	})
}

func TestNoSuchHost(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Join("lobby", &noom.Config{Name: "alice"})
		w.Cut("alcie")
	})
}

func TestNoSuchType(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Drop(noomtest.Frames{Type: "anwser"})
	})
}

func TestAfterTheEnd(t *testing.T) {
	var kept *noomtest.World
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) { kept = w })
	kept.Join("lobby", &noom.Config{Name: "too late"})
}

func TestWithoutConfig(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		noom.Join(t.Context(), w.Dialer("bot"), "lobby", nil)
	})
}

func TestWaitsForEver(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Join("lobby", &noom.Config{Name: "alice"})
		<-make(chan int)
	}, noomtest.WithLimit(time.Minute))
}

func TestNeedsTURN(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Join("lobby", &noom.Config{Name: "alice"})
		w.Join("lobby", &noom.Config{Name: "bob"})
		w.Settle()
	}, noomtest.WithNAT(noomtest.SymmetricNAT))
}

func TestHeldForEver(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Hold(noomtest.Frames{Type: signal.TypeAnswer})
		w.Join("lobby", &noom.Config{Name: "alice"})
		w.Join("lobby", &noom.Config{Name: "bob"})
		w.Hub().Kill()
		w.Hub().Start()
		w.Settle()
	})
}

func TestGoldenIsMissing(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) { w.Golden("none") })
}

// The kit goes on after all that.
func TestStillFine(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Join("lobby", &noom.Config{Name: "alice"})
		w.Join("lobby", &noom.Config{Name: "bob"})
		w.Settle()
	})
}
