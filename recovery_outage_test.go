package noom_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"noom"
)

// TestOutages: whatever is cut for however long, data moves both ways again
// within three seconds of the cut being mended.
func TestOutages(t *testing.T) {
	const bound = 3 * time.Second
	for _, cut := range []struct {
		name      string
		path, hub bool
	}{{"path", true, false}, {"hub", false, true}, {"path and hub", true, true}} {
		for _, length := range []time.Duration{2, 3, 7, 20, 35, 130, 3600} {
			length *= time.Second
			t.Run(fmt.Sprintf("%s for %v", cut.name, length), func(t *testing.T) {
				inWorld(t, 25*time.Millisecond, func(t *testing.T, w *world) {
					a, b := w.join("r", "a", nil), w.join("r", "b", nil)
					until(t, a, connected)
					until(t, b, connected)
					if cut.path {
						w.Cut()
					}
					if cut.hub {
						w.CutSignaling("a")
						w.CutSignaling("b")
					}
					time.Sleep(length)
					w.Heal()
					w.HealSignaling("a")
					w.HealSignaling("b")
					healed := time.Now()
					for _, dir := range [][2]noom.Room{{a, b}, {b, a}} {
						reach(t, dir[0], dir[1])
					}
					took := time.Since(healed)
					t.Logf("%v", took)
					if took > bound {
						t.Errorf("took %v", took)
					}
				})
			})
		}
	}
}

// reach sends from one room to the other as soon as there is a peer, until
// it arrives.
func reach(t *testing.T, from, to noom.Room) {
	t.Helper()
	for {
		if p, ok := from.Peer(to.Self().ID); ok {
			if p.Send(t.Context(), []byte(from.Self().ID)) == nil {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	until(t, to, func(e noom.DataReceived) bool { return string(e.Data) == from.Self().ID })
}

// TestCutAtEachFrame cuts a joining member's connection to the hub at its k-th
// frame, in either direction, for every k there is: all recover.
func TestCutAtEachFrame(t *testing.T) {
	atEachFrame(t, func(w *world) { w.bounce("b") })
}

// TestHubKilledAtEachFrame kills the hub at a joining member's k-th frame, for
// every k there is. It comes back at once or after a second, and empty: all
// recover.
func TestHubKilledAtEachFrame(t *testing.T) {
	for _, away := range []time.Duration{0, time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			atEachFrame(t, func(w *world) {
				w.Hub().Kill()
				if away == 0 {
					w.Hub().Start()
					return
				}
				back := time.AfterFunc(away, w.Hub().Start)
				w.t.Cleanup(func() { back.Stop() })
			})
		})
	}
}

// atEachFrame lets one member join another and calls strike at its k-th frame,
// for every k there is; then both must see each other's camera.
func atEachFrame(t *testing.T, strike func(w *world)) {
	t.Helper()
	struck := 0
	for k := 1; ; k++ {
		reached := false
		inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			camera := func() *noom.Config {
				track := newTestCamera(t)
				go film(ctx, track)
				return &noom.Config{Tracks: []noom.LocalTrack{{Track: track}}}
			}
			a := w.join("r", "a", camera())
			joiner := &wire{Dialer: w.Dialer("b")}
			var frames atomic.Int32
			joiner.count = func() {
				if frames.Add(1) == int32(k) {
					reached = true
					strike(w)
				}
			}
			cfg := w.config("b", camera())
			b, err := noom.Join(t.Context(), joiner, "r", cfg)
			for range 20 { // struck before it was in: Join says so, and is called again
				if err == nil {
					break
				}
				time.Sleep(100 * time.Millisecond)
				cfg.Tracks = camera().Tracks
				b, err = noom.Join(t.Context(), joiner, "r", cfg)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.leaveAtEnd(b)
			receives(t, a, b.Self().ID, "camera")
			receives(t, b, a.Self().ID, "camera")
			for _, r := range []noom.Room{a, b} {
				if len(r.Peers()) != 1 {
					t.Fatalf("struck at frame %d: %s has %d peers", k, r.Self().Name, len(r.Peers()))
				}
			}
		})
		if t.Failed() || !reached {
			break
		}
		struck++
	}
	t.Logf("at each of %d frames", struck)
	if struck < 6 {
		t.Errorf("a join has only %d frames", struck)
	}
}
