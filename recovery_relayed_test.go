package noom_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/internal/longtest"
	"noom/noomtest"
	"noom/signal"
)

// TestNATs: what two NATs let through connects without help, what they do not
// is diagnosed as that, and with a TURN server everything connects.
func TestNATs(t *testing.T) {
	kinds := []noomtest.NAT{noomtest.FullConeNAT, noomtest.PortRestrictedNAT, noomtest.SymmetricNAT}
	for _, a := range kinds {
		for _, b := range kinds {
			// A host that has another port for each peer is found only by one that lets any port in.
			reachable := a == noomtest.FullConeNAT || b == noomtest.FullConeNAT || a != noomtest.SymmetricNAT && b != noomtest.SymmetricNAT
			for _, relay := range []bool{false, true} {
				t.Run(fmt.Sprintf("%v to %v, TURN %v", a, b, relay), func(t *testing.T) {
					options := []noomtest.Option{noomtest.WithNAT(a, "지우"), noomtest.WithNAT(b, "bob"), noomtest.WithLatency(20 * time.Millisecond)}
					if relay {
						options = append(options, noomtest.WithTURN())
					}
					noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
						jiwoo, bob := pair(w, func() {})
						if !reachable && !relay {
							expect(t, jiwoo, bob, noom.VerdictRelayNeeded)
							expect(t, bob, jiwoo, noom.VerdictRelayNeeded)
							return
						}
						d := expect(t, jiwoo, bob, noom.VerdictConnected)
						if d.Path.Relayed() == reachable {
							t.Errorf("the path is %v", d.Path)
						}
						exchange(t, jiwoo, bob)
					}, options...)
				})
			}
		}
	}
}

// TestCheckOvertakesCandidate: a check that comes from a TURN server before the candidate
// it belongs to, and before any on the direct way, does not make the relay the path.
func TestCheckOvertakesCandidate(t *testing.T) {
	for _, symmetric := range []string{"지우", "bob"} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			jiwoo, bob := pair(w, func() {
				w.Delay(noomtest.Frames{From: symmetric, Type: signal.TypeCandidates}, 50*time.Millisecond)
				w.Latency(60*time.Millisecond, "지우", "bob")
			})
			if d := expect(t, jiwoo, bob, noom.VerdictConnected); d.Path.Relayed() {
				t.Errorf("%s is behind the symmetric NAT: the path is %v", symmetric, d.Path)
			}
		}, noomtest.WithNAT(noomtest.FullConeNAT), noomtest.WithNAT(noomtest.SymmetricNAT, symmetric),
			noomtest.WithTURN(), noomtest.WithLatency(time.Millisecond))
	}
}

// TestRelayedOutages: for a call over a TURN server the same holds as for a
// direct one: whatever is cut for however long, data moves both ways again
// within three seconds of the cut being mended.
func TestRelayedOutages(t *testing.T) {
	for _, cut := range []struct {
		name      string
		path, hub bool
	}{{"path", true, false}, {"hub", false, true}, {"path and hub", true, true}} {
		for _, length := range []time.Duration{2, 3, 7, 20, 35, 130, 3600} {
			if length == 3600 && !longtest.Asked() {
				continue // thousands of attempts
			}
			length *= time.Second
			t.Run(fmt.Sprintf("%s for %v", cut.name, length), func(t *testing.T) {
				noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
					a, b := pair(w, func() {})
					if d := expect(t, a, b, noom.VerdictConnected); !d.Path.Relayed() {
						t.Fatalf("the path is %v", d.Path)
					}
					exchange(t, a, b)
					if cut.path {
						w.Cut()
					}
					if cut.hub {
						w.Hub().Kill()
					}
					time.Sleep(length)
					w.Heal()
					w.Hub().Start()
					mended := time.Now()
					exchange(t, a, b)
					took := time.Since(mended)
					t.Logf("%v", took)
					if took > 3*time.Second {
						t.Errorf("took %v", took)
					}
				}, noomtest.WithNAT(noomtest.SymmetricNAT), noomtest.WithTURN(), noomtest.WithLatency(20*time.Millisecond))
			})
		}
	}
}

// exchange sends a message each way, as soon as there is a peer, and waits
// until both have come.
func exchange(t *testing.T, a, b noom.Room) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, way := range [][2]noom.Room{{a, b}, {b, a}} {
		from, to := way[0], way[1]
		text := fmt.Sprint(time.Now())
		for {
			p, ok := from.Peer(to.Self().ID)
			if ok && p.Send(ctx, []byte(text)) == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
			if ctx.Err() != nil {
				t.Fatalf("%s cannot send to %s", from.Self().Name, to.Self().Name)
			}
		}
		for {
			e, err := to.Next(ctx)
			if err != nil {
				t.Fatalf("%s waits for what %s sent: %v", to.Self().Name, from.Self().Name, err)
			}
			if d, ok := e.(noom.DataReceived); ok && string(d.Data) == text {
				break
			}
		}
	}
}
