package noom_test

import (
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

// A call over a TURN server whose credentials last a minute goes on for twenty,
// and the picture never freezes for long.
func TestRelayOutlivesItsCredentials(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("데모", &noom.Config{Name: "지우"})
		b := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		if d := expect(t, a, b, noom.VerdictConnected); !d.Path.Relayed() {
			t.Fatalf("the path is %v", d.Path)
		}
		peer, _ := a.Peer(b.Self().ID)
		connection := peer.Connection()
		time.Sleep(18 * time.Minute)
		if _, err := a.Publish(t.Context(), w.Camera(), nil); err != nil {
			t.Fatal(err)
		}
		sink := w.Sink(noomtest.Await[noom.TrackAdded](w, b, nil).Track)
		time.Sleep(2 * time.Minute)
		report := sink.Report()
		t.Logf("%d frames, %d missing, frozen for %v", report.Frames, report.Missing, report.Freeze)
		if err := sink.Check(50, time.Second); err != nil {
			t.Error(err)
		}
		if peer.Connection() != connection {
			t.Error("the connection was rebuilt, not restarted")
		}
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		for e := range a.Events(t.Context()) {
			if e, ok := e.(noom.PeerStateChanged); ok && e.State == noom.PeerInterrupted {
				t.Error("the path was interrupted")
			}
		}
	}, noomtest.WithNAT(noomtest.SymmetricNAT), noomtest.WithTURNLifetime(time.Minute))
}

// TestCredentialsAreFreshWhenNeeded: a member that comes long after the credentials of joined have
// expired is reached over a relay at once, and so is one that comes back after an outage.
func TestCredentialsAreFreshWhenNeeded(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("r", &noom.Config{Name: "a"})
		time.Sleep(20 * time.Minute)
		b := w.Join("r", &noom.Config{Name: "b"})
		joined := time.Now()
		expect(t, a, b, noom.VerdictConnected)
		if took := time.Since(joined); took > 2*time.Second {
			t.Errorf("took %v", took)
		}
		w.Cut("a", "b")
		w.Cut("a", noomtest.TURNName)
		w.CutSignaling("a")
		time.Sleep(10 * time.Minute)
		w.Heal()
		w.HealSignaling("a")
		healed := time.Now()
		expect(t, a, b, noom.VerdictConnected)
		if took := time.Since(healed); took > 4*time.Second {
			t.Errorf("after the outage it took %v", took)
		}
	}, noomtest.WithNAT(noomtest.SymmetricNAT), noomtest.WithTURNLifetime(time.Minute))
}

// A hub that knows no frame servers costs a moment and no connection.
func TestHubThatTellsNoServers(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Config("a")
		w.Drop(noomtest.Frames{From: "a", To: noomtest.HubName, Type: signal.TypeServers})
		a := w.Join("r", &noom.Config{Name: "a"})
		time.Sleep(time.Hour)
		b := w.Join("r", &noom.Config{Name: "b"})
		joined := time.Now()
		expect(t, a, b, noom.VerdictConnected)
		if took := time.Since(joined); took < time.Second || took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	}, noomtest.WithTURNLifetime(time.Minute))
}
