package noom

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v5/vnet"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
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
					var down atomic.Bool
					w.router.AddChunkFilter(func(vnet.Chunk) bool { return !down.Load() })
					line := &wire{Dialer: w.dialer}
					w.dialer = line
					a, b := w.join("r", "a", nil), w.join("r", "b", nil)
					until(t, a, connected)
					until(t, b, connected)
					down.Store(cut.path)
					if cut.hub {
						line.cut(true)
					}
					time.Sleep(length)
					down.Store(false)
					line.cut(false)
					healed := time.Now()
					for _, dir := range [][2]Room{{a, b}, {b, a}} {
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
func reach(t *testing.T, from, to Room) {
	t.Helper()
	for {
		if p, ok := from.Peer(to.Self().ID); ok {
			if p.Send(t.Context(), []byte(from.Self().ID)) == nil {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	until(t, to, func(e DataReceived) bool { return string(e.Data) == from.Self().ID })
}

// TestCutAtEachFrame cuts a joining member's connection to the hub at its k-th
// frame, in either direction, for every k there is: all recover.
func TestCutAtEachFrame(t *testing.T) {
	atEachFrame(t, func(_ *world, _, joiner *wire) { joiner.cut(false) })
}

// TestHubKilledAtEachFrame kills the hub at a joining member's k-th frame, for
// every k there is. It comes back at once or after a second, and empty: all
// recover.
func TestHubKilledAtEachFrame(t *testing.T) {
	for _, away := range []time.Duration{0, time.Second} {
		t.Run(away.String(), func(t *testing.T) {
			atEachFrame(t, func(w *world, resident, joiner *wire) {
				down := away > 0
				resident.cut(down)
				joiner.cut(down)
				w.mu.Lock()
				w.hub = hub.New(nil)
				w.mu.Unlock()
				if down {
					time.AfterFunc(away, func() {
						resident.cut(false)
						joiner.cut(false)
					})
				}
			})
		})
	}
}

// atEachFrame lets one member join another and calls strike at its k-th frame,
// for every k there is; then both must see each other's camera.
func atEachFrame(t *testing.T, strike func(w *world, resident, joiner *wire)) {
	t.Helper()
	struck := 0
	for k := 1; ; k++ {
		reached := false
		inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			camera := func() *Config {
				track := newTestCamera(t)
				go film(ctx, track)
				return &Config{Tracks: []LocalTrack{{Track: track}}}
			}
			toHub := signal.DialerFunc(func(ctx context.Context) (Signaler, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				return mem.Dialer(w.hub).Dial(ctx)
			})
			resident, joiner := &wire{Dialer: toHub}, &wire{Dialer: toHub}
			w.dialer = resident
			a := w.join("r", "a", camera())
			var frames atomic.Int32
			joiner.count = func() {
				if frames.Add(1) == int32(k) {
					reached = true
					strike(w, resident, joiner)
				}
			}
			cfg := camera()
			cfg.Name, cfg.Settings = "b", w.host()
			b, err := Join(t.Context(), joiner, "r", cfg)
			for range 20 { // struck before it was in: Join says so, and is called again
				if err == nil {
					break
				}
				time.Sleep(100 * time.Millisecond)
				again := camera()
				again.Name, again.Settings, again.Identity = "b", cfg.Settings, cfg.Identity
				b, err = Join(t.Context(), joiner, "r", again)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.rooms = append(w.rooms, b)
			receives(t, a, b.Self().ID, "camera")
			receives(t, b, a.Self().ID, "camera")
			for _, r := range []Room{a, b} {
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
	if struck < 8 {
		t.Errorf("a join has only %d frames", struck)
	}
}
