package traffic

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"

	"noom/internal/bandwidth"
)

// ticking returns a Control, with its alarm or without, and what sends a packet of its video.
func ticking(t *testing.T, b bandwidth.Config, rings bool) (c *Control, w *wire, send func(size int)) {
	t.Helper()
	c, w = New(Options{Bandwidth: b}), &wire{up: true}
	video := bind(c, w, "video/VP8", 1, 2)
	if !rings {
		c.alarm.Close()
	}
	t.Cleanup(func() { must(t, c.Close()) })
	n := uint16(0)
	return c, w, func(size int) {
		n++
		_, err := video.Write(&rtp.Header{Version: 2, SSRC: 1, SequenceNumber: n}, make([]byte, size), nil)
		must(t, err)
	}
}

// TestTheEstimateGoesOn: the target falls while nobody reports, by what is sent and also if no more is.
func TestTheEstimateGoesOn(t *testing.T) {
	for name, more := range map[string]bool{"while packets leave": true, "while none leave": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, _, send := ticking(t, bandwidth.Config{}, !more)
				time.Sleep(time.Minute)
				before := c.Target()
				send(100)
				for range 840 { // 8.4 s: the peer is silent from 7 s on
					time.Sleep(10 * time.Millisecond)
					if more {
						send(100)
					}
				}
				if got := c.Target(); got > before/4 || got < before/16 {
					t.Errorf("the target is %d, was %d", got, before)
				}
			})
		})
	}
}

// TestPaddingFillsProbes: while the estimator wants a probe, padding and what the sources send are as much as it wants
// together, evenly.
func TestPaddingFillsProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, w, send := ticking(t, bandwidth.Config{}, true)
		c.Want(2_000_000)
		time.Sleep(time.Until(time.Now().Truncate(referenceUnit).Add(referenceUnit)))
		var want, got, most int
		reported := uint16(0)
		for n := range int(20 * time.Second / referenceUnit) {
			if n%2 == 0 {
				send(300)
				synctest.Wait()
			}
			for range 64 {
				c.mu.Lock()
				rate := c.estimator.Padding()
				c.mu.Unlock()
				packets, bytes := w.total()
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if rate > 0 {
					packetsNow, bytesNow := w.total()
					want, got = want+rate/1000, got+8*(bytesNow-bytes)
					most = max(most, packetsNow-packets)
				}
			}
			numbers := w.numbers()
			next := numbers[len(numbers)-1] + 1
			c.Report(1, feedback(reported, int(next-reported), uint32(time.Now().UnixMilli()/referenceUnit.Milliseconds()), 0))
			reported = next
		}
		if want < 200_000 || got < want*85/100 || got > want*105/100 {
			t.Errorf("%d bits were sent in probes, want %d", got, want)
		}
		if most > 10 {
			t.Errorf("%d packets of padding at once", most)
		}
	})
}
