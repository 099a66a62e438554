package noom_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

// expect diagnoses b at a, again and again, until the verdict is want, which must be
// within a minute.
func expect(t *testing.T, a, b noom.Room, want noom.Verdict) noom.Diagnosis {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var told []noom.Verdict
	for {
		var d noom.Diagnosis
		var err error
		if p, ok := a.Peer(b.Self().ID); ok {
			d, err = p.Diagnose(ctx)
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			t.Fatalf("told %q, then: %v", told, err)
		}
		if d.Verdict == want {
			if d.Words == "" || !strings.HasPrefix(d.String(), string(want)) {
				t.Errorf("says %q", d)
			}
			t.Logf("%v", d)
			return d
		}
		if !slices.Contains(told, d.Verdict) {
			told = append(told, d.Verdict)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// pair makes two members that have a room each, but no way to each other yet
// that f has not seen.
func pair(w *noomtest.World, f func()) (a, b noom.Room) {
	w.Config("지우")
	w.Config("bob")
	f()
	return w.Join("데모", &noom.Config{Name: "지우"}), w.Join("데모", &noom.Config{Name: "bob", NoCard: true})
}

func TestDiagnoseConnected(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a, b := pair(w, func() {})
		w.Settle()
		d := expect(t, a, b, noom.VerdictConnected)
		if d.Path == nil || d.Path.Relayed() || d.Path.Local.Typ != webrtc.ICECandidateTypeHost {
			t.Errorf("path is %v", d.Path)
		}
	})
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a, b := pair(w, func() {})
		w.Settle()
		if d := expect(t, a, b, noom.VerdictConnected); d.Path == nil || !d.Path.Relayed() {
			t.Errorf("between symmetric NATs the path is %v", d.Path)
		}
	}, noomtest.WithNAT(noomtest.SymmetricNAT), noomtest.WithTURN())
}

func TestDiagnoseHubUnreachable(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a, b := pair(w, func() {})
		w.Settle()
		w.CutSignaling("지우")
		time.Sleep(time.Second)
		expect(t, a, b, noom.VerdictConnected) // the call goes on
		w.Cut("지우", "bob")
		expect(t, a, b, noom.VerdictHubUnreachable)
		w.HealSignaling("지우")
		w.Heal()
		expect(t, a, b, noom.VerdictConnected)
	})
}

func TestDiagnoseUndelivered(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var f *noomtest.Fault
		a, b := pair(w, func() { f = w.Drop(noomtest.Frames{From: "지우", To: "bob"}) })
		expect(t, a, b, noom.VerdictUndelivered) // it has offered
		expect(t, b, a, noom.VerdictNoAnswer)    // it waits for the offer
		time.Sleep(40 * time.Second)             // through several epochs
		if d := expect(t, a, b, noom.VerdictUndelivered); d.Attempts < 2 {
			t.Errorf("after 40 s there were %d attempts", d.Attempts)
		}
		f.Stop()
		expect(t, a, b, noom.VerdictConnected)
	})
}

func TestDiagnoseNoAnswer(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var f *noomtest.Fault
		a, b := pair(w, func() { f = w.Drop(noomtest.Frames{From: "bob", To: "지우", Type: signal.TypeAnswer}) })
		expect(t, a, b, noom.VerdictNoAnswer)
		f.Stop()
		expect(t, a, b, noom.VerdictConnected)
	})
}

func TestDiagnoseNoPair(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a, b := pair(w, func() { w.Cut("지우", "bob") })
		expect(t, a, b, noom.VerdictNoPair)
		w.Heal()
		expect(t, a, b, noom.VerdictConnected)
	})
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) { // a path that breaks later
		a, b := pair(w, func() {})
		w.Settle()
		w.Cut("지우", "bob")
		expect(t, a, b, noom.VerdictNoPair)
		w.Heal()
		w.Settle()
	})
}

// Between two symmetric NATs only a relay works: there is none, it refuses us,
// or it does not answer.
func TestDiagnoseRelays(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a, b := pair(w, func() {})
		expect(t, a, b, noom.VerdictRelayNeeded)
		expect(t, b, a, noom.VerdictRelayNeeded)
	}, noomtest.WithNAT(noomtest.SymmetricNAT))

	for want, cut := range map[noom.Verdict]bool{noom.VerdictTURNRefused: false, noom.VerdictTURNUnreachable: true} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			servers := []webrtc.ICEServer{{URLs: []string{"turn:192.0.2.1:3478?transport=udp"}, Username: "old", Credential: "expired"}}
			if !cut {
				servers = wrongPassword(t, w)
			}
			a := w.Join("r", &noom.Config{Name: "지우", ICEServers: servers})
			b := w.Join("r", &noom.Config{Name: "bob", ICEServers: servers})
			d := expect(t, a, b, want)
			if _, refused := errors.AsType[*stun.TurnError](d.Err); refused == cut {
				t.Errorf("error is %v", d.Err)
			}
		}, noomtest.WithNAT(noomtest.SymmetricNAT), noomtest.WithTURN())
	}
}

// wrongPassword is what the hub hands out, but for the password.
func wrongPassword(t *testing.T, w *noomtest.World) []webrtc.ICEServer {
	t.Helper()
	var servers []webrtc.ICEServer
	r := w.Join("elsewhere", &noom.Config{Name: "scout", Trace: func(e noom.Trace) {
		if e.Message != nil && e.Message.Type == signal.TypeJoined {
			for _, s := range e.Message.ICEServers {
				servers = append(servers, webrtc.ICEServer{URLs: s.URLs, Username: s.Username, Credential: "expired"})
			}
		}
	}})
	if err := r.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(servers) == 0 {
		t.Fatal("the hub has no servers")
	}
	return servers
}

func TestDiagnoseEnds(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a, b := pair(w, func() {})
		w.Settle()
		peer, _ := a.Peer(b.Self().ID)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := peer.Diagnose(over); !errors.Is(err, context.Canceled) {
			t.Errorf("context over: %v", err)
		}
		if err := b.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		noomtest.Await[noom.PeerLeft](w, a, nil)
		if d, err := peer.Diagnose(t.Context()); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("after it left: %v, %v", d, err)
		}
		if err := a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d, err := peer.Diagnose(t.Context()); !errors.Is(err, noom.ErrClosed) {
			t.Errorf("after both left: %v, %v", d, err)
		}
	})
}
