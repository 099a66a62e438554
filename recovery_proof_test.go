package noom_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/link"
	"noom/internal/recovery"
	"noom/noomtest"
)

// isICE reports whether a packet is one of ICE's own (RFC 7983 section 7).
func isICE(p noomtest.Packet) bool { return len(p.Payload) > 0 && p.Payload[0] < 4 }

// Two who are in a call and send nothing: no tracks, no data.
func inQuietCall(t *testing.T, f func(t *testing.T, w *world, a, b noom.Room)) {
	t.Helper()
	inWorld(t, 25*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("데모", "지우", nil), w.join("데모", "민서", nil)
		until(t, a, connected)
		until(t, b, connected)
		time.Sleep(10 * time.Second)
		f(t, w, a, b)
	})
}

// TestNewPathThatCarriesNothing: after a restart ICE finds a path, which then lets nothing but ICE's own
// through, to one end or to both. That is noticed within seconds, and a new connection takes its place.
func TestNewPathThatCarriesNothing(t *testing.T) {
	for name, deaf := range map[string][]string{
		"to the end that restarts": {"지우"}, "to the other": {"민서"}, "to both": {"지우", "민서"},
	} {
		t.Run(name, func(t *testing.T) {
			inQuietCall(t, func(t *testing.T, w *world, a, b noom.Room) {
				p := peerOf(t, a, b)
				before, generation := p.Connection(), ufragOf(p)
				var lost atomic.Bool
				lost.Store(true)
				w.Filter(func(packet noomtest.Packet) bool {
					to := "지우"
					if packet.Host == to {
						to = "민서"
					}
					isDeaf := to == deaf[0] || to == deaf[len(deaf)-1]
					return isICE(packet) || !isDeaf || !lost.Load()
				})
				must(t, p.RestartICE(t.Context()))
				start := time.Now()
				for ufragOf(p) == generation || p.Connection() != before {
					time.Sleep(10 * time.Millisecond)
				}
				for p.Connection() == before && time.Since(start) < time.Minute {
					time.Sleep(10 * time.Millisecond)
				}
				took := time.Since(start)
				lost.Store(false)
				if took < 3*time.Second || took > 5*time.Second {
					t.Errorf("given up after %v", took)
				}
				reach(t, a, b)
				reach(t, b, a)
				time.Sleep(10 * time.Second)
				reached(t, a, b)
				inspect(p, func(in link.Inside) {
					if in.Pending(recovery.Proof) || in.Machine.State().Unproven {
						t.Error("the new connection is still being watched")
					}
				})
			})
		})
	}
}

// TestQuietMemberIsNotRebuilt: one that sends nothing is no reason for a new connection, since what is
// watched has to be acknowledged; and while nothing changes, nothing is sent for the watch.
func TestQuietMemberIsNotRebuilt(t *testing.T) {
	inQuietCall(t, func(t *testing.T, w *world, a, b noom.Room) {
		p := peerOf(t, a, b)
		before, generation := p.Connection(), ufragOf(p)
		var sent atomic.Int64
		w.Filter(func(packet noomtest.Packet) bool {
			if !isICE(packet) {
				sent.Add(1)
			}
			return true
		})
		time.Sleep(time.Minute)
		if n := sent.Load(); n > 0 {
			t.Errorf("%d packets in a minute in which nothing changed", n)
		}
		saw := watch(t, a)
		must(t, p.RestartICE(t.Context()))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if ufragOf(p) == generation {
			t.Error("ICE was not restarted")
		}
		if p.Connection() != before || len(saw.states) > 0 {
			t.Errorf("the connection was replaced: %t; states %v", p.Connection() != before, saw.states)
		}
		if n := sent.Load(); n == 0 || n > 16 {
			t.Errorf("%d packets after the restart", n)
		}
	})
}
