//go:build capture && cgo && !vpx

package capture

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/mediadevices/pkg/driver"

	"noom"
	"noom/noomtest"
)

// TestCameraInACall: the encoder of a camera in a call follows the network, through a cut and its heal.
func TestCameraInACall(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		const most, wide, narrow = 800_000, 2_000_000, 250_000
		register(t, &storm{}, driver.Camera, "눈보라")
		camera, err := OpenCamera("눈보라", &CameraOptions{Width: 320, Height: 240, BitRate: most})
		if err != nil {
			t.Fatal(err)
		}
		defer finish(t, camera)
		w.Config("지우") // makes her host
		w.SetUpload("지우", noomtest.Link{Bandwidth: wide})
		jiwoo := w.Join("데모", &noom.Config{Name: "지우", Tracks: []noom.LocalTrack{{Track: camera}}})
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		var frames atomic.Int64
		go func() {
			for p := range bob.Peers()[0].Tracks()[0].Packets() {
				if p.Marker {
					frames.Add(1)
				}
			}
		}()
		meter := w.MeterUpload("지우")
		judge := func(what string, d time.Duration) (noomtest.Traffic, float64) {
			t.Helper()
			meter.Reset()
			before := frames.Load()
			time.Sleep(d)
			got, fps := meter.Report(), float64(frames.Load()-before)/d.Seconds()
			t.Logf("%s: %v, %.1f frames a second; %+v", what, got, fps, jiwoo.Peers()[0].Bandwidth())
			return got, fps
		}
		enough := func(got noomtest.Traffic, fps float64) {
			t.Helper()
			if got.Bitrate() < most*8/10 || fps < 20 {
				t.Errorf("%v, %.1f frames a second of a camera that makes %d bit/s", got, fps, most)
			}
		}
		judge("begin", 10*time.Second)
		enough(judge("wide", 5*time.Second))
		w.SetUpload("지우", noomtest.Link{Bandwidth: narrow})
		judge("the first 5 s of the cut", 5*time.Second)
		got, fps := judge("then", 10*time.Second)
		if got.QueueDelay(0.95) > 150*time.Millisecond || got.Loss() > 0.02 || got.Bitrate() < narrow/2 || fps < 10 {
			t.Errorf("after a cut to %d bit/s: %v, %.1f frames a second", narrow, got, fps)
		}
		w.SetUpload("지우", noomtest.Link{Bandwidth: wide})
		judge("the first 15 s of the heal", 15*time.Second)
		enough(judge("then", 5*time.Second))
	})
}
