package noom

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/transport/v5/vnet"
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
	cuts := 0
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
			a := w.join("r", "a", camera())
			line := &wire{Dialer: w.dialer}
			var frames atomic.Int32
			line.count = func() {
				if frames.Add(1) == int32(k) {
					reached = true
					line.cut(false)
				}
			}
			cfg := camera()
			cfg.Name, cfg.Settings = "b", w.host()
			b, err := Join(t.Context(), line, "r", cfg)
			if err != nil { // cut before it was in: Join says so, and is called again
				track := camera()
				track.Name, track.Settings, track.Identity = "b", cfg.Settings, cfg.Identity
				if b, err = Join(t.Context(), line, "r", track); err != nil {
					t.Fatal(err)
				}
			}
			w.rooms = append(w.rooms, b)
			receives(t, a, b.Self().ID, "camera")
			receives(t, b, a.Self().ID, "camera")
			for _, r := range []Room{a, b} {
				if len(r.Peers()) != 1 {
					t.Fatalf("cut at frame %d: %s has %d peers", k, r.Self().Name, len(r.Peers()))
				}
			}
		})
		if t.Failed() || !reached {
			break
		}
		cuts++
	}
	t.Logf("cut at each of %d frames", cuts)
	if cuts < 8 {
		t.Errorf("a join has only %d frames", cuts)
	}
}
