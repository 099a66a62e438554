package noomtest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/noomtest/transcript"
	"noom/signal"
)

// pair joins two members. alice offers.
func pair(w *noomtest.World) (alice, bob noom.Room) {
	return w.Join("데모", &noom.Config{Name: "alice"}), w.Join("데모", &noom.Config{Name: "밥", NoCard: true})
}

func TestSignalingFaults(t *testing.T) {
	for name, inject := range map[string]func(w *noomtest.World){
		"the first offer is lost": func(w *noomtest.World) { w.Drop(noomtest.Frames{From: "alice", Type: signal.TypeOffer, Nth: 1}) },
		"the first answer is lost": func(w *noomtest.World) {
			w.Drop(noomtest.Frames{From: "밥", To: "alice", Type: signal.TypeAnswer, Nth: 1})
		},
		"all candidates are late":      func(w *noomtest.World) { w.Delay(noomtest.Frames{Type: signal.TypeCandidates}, 3*time.Second) },
		"everything comes three times": func(w *noomtest.World) { w.Repeat(noomtest.Frames{To: "밥"}, 2) },
		"the welcome is lost, and found": func(w *noomtest.World) {
			w.Delay(noomtest.Frames{From: noomtest.HubName, Type: signal.TypeWelcome}, time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
				inject(w)
				pair(w)
				w.Settle()
				if text := w.Transcript().String(); !strings.Contains(text, "-- fault: ") {
					t.Errorf("the transcript has no fault:\n%s", text)
				}
			})
		})
	}
}

// arrivals returns when frames of a type arrived, each after it was sent.
func arrivals(w *noomtest.World, kind signal.Type) (after []time.Duration) {
	sent := make(map[string]time.Duration)
	for _, l := range w.Transcript().Lines() {
		if l.Type != kind || l.InBand {
			continue
		}
		switch l.Kind {
		case transcript.Sent:
			sent[fmt.Sprint(l.Self, l.Number, l.Seq)] = l.At
		case transcript.Received:
			after = append(after, l.At-sent[fmt.Sprint(l.Peer, l.Number, l.Seq)])
		default:
		}
	}
	return after
}

func TestDelayAndRepeat(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		w.Delay(noomtest.Frames{Type: signal.TypeOffer, Nth: 1}, 300*time.Millisecond)
		w.Repeat(noomtest.Frames{Type: signal.TypeAnswer, Nth: 1}, 2)
		pair(w)
		w.Settle()
		if got := arrivals(w, signal.TypeOffer); len(got) != 1 || got[0] != 320*time.Millisecond {
			t.Errorf("the offer arrived after %v", got)
		}
		if got := arrivals(w, signal.TypeAnswer); len(got) != 3 {
			t.Errorf("the answer arrived after %v", got)
		}
	})
}

func TestHold(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		held := w.Hold(noomtest.Frames{From: "밥", Type: signal.TypeAnswer})
		alice, bob := pair(w)
		time.Sleep(5 * time.Second)
		if held.Hits() == 0 {
			t.Fatal("no answer was held")
		}
		p, _ := alice.Peer(bob.Self().ID)
		if s := p.State(); s == noom.PeerConnected {
			t.Fatalf("%s without an answer", s)
		}
		held.Release()
		time.Sleep(50 * time.Millisecond) // less than until it would be said again
		if got := arrivals(w, signal.TypeAnswer); len(got) == 0 {
			t.Fatal("what was held has not arrived")
		}
		w.Settle()
	})
}

func TestCutAndHeal(t *testing.T) {
	for name, cut := range map[string]func(w *noomtest.World){
		"between the two": func(w *noomtest.World) { w.Cut("alice", "밥") },
		"one of them":     func(w *noomtest.World) { w.Cut("alice") },
		"one way":         func(w *noomtest.World) { w.OneWay("alice", "밥") },
		"all is lost":     func(w *noomtest.World) { w.Loss(1, "alice", "밥") },
	} {
		t.Run(name, func(t *testing.T) {
			noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
				alice, bob := pair(w)
				w.Settle()
				p, _ := bob.Peer(alice.Self().ID)
				cut(w)
				time.Sleep(20 * time.Second)
				if s := p.State(); s == noom.PeerConnected {
					t.Fatalf("%s after 20 s without a path", s)
				}
				w.Heal()
				w.Loss(0)
				w.Settle()
				if s := p.State(); s != noom.PeerConnected {
					t.Fatalf("%s, though settled", s)
				}
			})
		})
	}
}

func TestNewAddress(t *testing.T) {
	for _, nat := range []noomtest.NAT{noomtest.NoNAT, noomtest.PortRestrictedNAT} {
		t.Run(nat.String(), func(t *testing.T) {
			noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
				alice, bob := pair(w)
				w.Settle()
				if err := alice.Send(t.Context(), []byte("before")); err != nil {
					t.Fatal(err)
				}
				w.NewAddress("밥")
				if err := alice.Send(t.Context(), []byte("after")); err != nil {
					t.Fatal(err)
				}
				w.Settle()
				for _, want := range []string{"before", "after"} {
					if e := noomtest.Await[noom.DataReceived](w, bob, nil); string(e.Data) != want {
						t.Fatalf("got %q, not %q", e.Data, want)
					}
				}
			}, noomtest.WithNAT(nat))
		})
	}
}

func TestCutSignaling(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		w.Settle()
		w.CutSignaling("밥")
		w.Settle() // the call goes on
		noomtest.Await[noom.SignalingLost](w, bob, nil)
		if err := alice.Send(t.Context(), []byte("still here")); err != nil {
			t.Fatal(err)
		}
		noomtest.Await[noom.DataReceived](w, bob, nil)
		w.HealSignaling("밥")
		w.Settle()
		noomtest.Await[noom.SignalingRestored](w, bob, nil)
	})
}

func TestSleep(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		w.Settle()
		w.Sleep("밥", time.Hour)
		w.Settle()
		if err := alice.Send(t.Context(), []byte("good morning")); err != nil {
			t.Fatal(err)
		}
		noomtest.Await[noom.DataReceived](w, bob, nil)
		if w.Elapsed() < time.Hour {
			t.Fatalf("an hour took %v", w.Elapsed())
		}
	})
}

func TestHubRestart(t *testing.T) {
	for name, outage := range map[string]func(w *noomtest.World){
		"restart":          func(w *noomtest.World) { w.Hub().Restart() },
		"kill, then start": func(w *noomtest.World) { w.Hub().Kill(); w.Settle(); time.Sleep(time.Minute); w.Hub().Start() },
		"at the same time ": func(w *noomtest.World) {
			w.Hub().Kill()
			w.Cut("alice")
			time.Sleep(time.Minute)
			w.Heal()
			w.Hub().Start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
				alice, bob := pair(w)
				w.Settle()
				outage(w)
				w.Settle()
				if len(w.Hub().Running().Members("데모")) != 2 {
					t.Error("the members are not at the hub again")
				}
				if err := alice.Send(t.Context(), []byte("on")); err != nil {
					t.Fatal(err)
				}
				noomtest.Await[noom.DataReceived](w, bob, nil)
			})
		})
	}
}

func TestTwoHubs(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		pair(w)
		w.Settle()
		first, second := w.Hubs()[0], w.Hubs()[1]
		if n := len(first.Running().Members("데모")); n != 2 {
			t.Fatalf("%d members at the first hub", n)
		}
		first.Kill()
		w.Settle()
		if n := len(second.Running().Members("데모")); n != 2 {
			t.Fatalf("%d members at the second hub", n)
		}
	}, noomtest.WithHubs(2))
}

func TestNATs(t *testing.T) {
	kinds := []noomtest.NAT{
		noomtest.NoNAT, noomtest.FullConeNAT, noomtest.RestrictedNAT, noomtest.PortRestrictedNAT, noomtest.SymmetricNAT,
	}
	for _, a := range kinds {
		for _, b := range kinds {
			relay := a == noomtest.SymmetricNAT && b >= noomtest.PortRestrictedNAT || b == noomtest.SymmetricNAT && a >= noomtest.PortRestrictedNAT
			t.Run(fmt.Sprint(a, " and ", b), func(t *testing.T) {
				opts := []noomtest.Option{noomtest.WithNAT(a, "alice"), noomtest.WithNAT(b, "밥")}
				if relay {
					opts = append(opts, noomtest.WithTURN())
				}
				noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
					alice, bob := pair(w)
					w.Settle()
					p, _ := alice.Peer(bob.Self().ID)
					selected, err := p.Connection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
					if err != nil {
						t.Fatal(err)
					}
					relayed := strings.Contains(selected.String(), "relay")
					if relayed != relay {
						t.Errorf("relayed is %t: %s", relayed, selected)
					}
				}, opts...)
			})
		}
	}
}
