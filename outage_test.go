package noom

import (
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
