package noomtest_test

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/noomtest"
)

// watched returns a room of two in which alice shows a video to bob.
func watched(t *testing.T, w *noomtest.World, o *noomtest.VideoOptions) (*noomtest.Video, *noomtest.Viewer, noom.Sender) {
	t.Helper()
	alice, bob := pair(w)
	w.Settle()
	video := w.Video(o)
	if r := video.Report(); r.Running || r.Frames > 0 {
		t.Errorf("before it is published: %+v", r)
	}
	sender, err := alice.Publish(t.Context(), alone{video}, nil)
	if err != nil {
		t.Fatal(err)
	}
	view := w.View(noomtest.Await[noom.TrackAdded](w, bob, nil).Track)
	time.Sleep(time.Second)
	return video, view, sender
}

// alone hides from the room that a source takes a target, so that only the test sets one.
type alone struct{ webrtc.TrackLocal }

// TestVideo: it makes what it is told to, with a key frame for each request, while it is published.
func TestVideo(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		video, view, sender := watched(t, w, &noomtest.VideoOptions{Bitrate: 800_000, Most: 2_000_000, FrameRate: 20, Height: 360})
		m := w.MeterUpload("alice")
		for _, c := range []struct{ target, bits int }{{0, 800_000}, {300_000, 300_000}, {50_000_000, 2_000_000}} {
			if c.target > 0 {
				video.SetTargetBitrate(c.target)
				time.Sleep(time.Second)
			}
			video.Reset()
			m.Reset()
			view.Reset()
			time.Sleep(10 * time.Second)
			v, seen, traffic := video.Report(), view.Report(), m.Report()
			if v.Target != c.bits || !near(float64(v.Bytes*8/10), float64(c.bits), 0.05) || !near(float64(traffic.Bitrate()), float64(c.bits), 0.15) {
				t.Errorf("at %d bit/s: %+v, %v", c.bits, v, traffic)
			}
			if !v.Running || v.Frames < 199 || v.Keyframes > 0 || seen.Frames < 198 || seen.Height != 360 ||
				!near(float64(seen.Bitrate()), float64(c.bits), 0.05) || seen.Freeze > 120*time.Millisecond || seen.Delay(1) > 100*time.Millisecond || seen.Requests > 0 {
				t.Errorf("at %d bit/s: %+v; %v", c.bits, v, seen)
			}
		}
		video.Reset()
		view.Reset()
		m.Reset()
		if err := sender.ReplaceTrack(nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if v, seen := video.Report(), view.Report(); v.Running || v.Frames > 1 || v.Since < 4*time.Second || seen.Freeze < 4*time.Second {
			t.Errorf("without a place to be shown: %+v, %v", v, seen)
		}
	})
}

// TestVideoKeyframes: a key frame is as large as it should be, one comes for each request, and the
// bitrate is kept.
func TestVideoKeyframes(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		video := w.Video(&noomtest.VideoOptions{Bitrate: 1_000_000, Keyframe: 8})
		if _, err := w.Join("데모", &noom.Config{Name: "alice"}).Publish(t.Context(), alone{video}, nil); err != nil {
			t.Fatal(err)
		}
		bob := w.Join("데모", &noom.Config{Name: "bob"})
		track := noomtest.Await[noom.TrackAdded](w, bob, nil).Track
		view := w.View(track)
		time.Sleep(3 * time.Second)
		video.Reset()
		view.Reset()
		for range 4 {
			if err := track.RequestKeyframe(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Second)
		}
		v, seen := video.Report(), view.Report()
		if v.Requests != 4 || v.Keyframes != 4 || seen.Keyframes != 4 || seen.Requests != 0 {
			t.Errorf("after 4 requests: %+v, %v", v, seen)
		}
		if !near(float64(v.Bytes*8/20), 1_000_000, 0.05) {
			t.Errorf("%d bytes in 20 s at 1 Mbit/s", v.Bytes)
		}
		video.Reset()
		for range 6 {
			video.SetTargetBitrate(500_000)
			time.Sleep(300 * time.Millisecond)
		}
		if v := video.Report(); v.Changes != 6 || v.Busiest != 4 {
			t.Errorf("after 6 changes, each 300 ms after the other: %+v", v)
		}
	})
}

// TestViewerLosses: what is lost is repaired or asked for, and a picture without the one before it
// does not count.
func TestViewerLosses(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		video, view, _ := watched(t, w, nil)
		w.SetDownload("밥", noomtest.Link{Loss: 0.05, Burst: 2})
		video.Reset()
		view.Reset()
		time.Sleep(20 * time.Second)
		if seen := view.Report(); seen.Frames < 450 || seen.Delay(1) < 30*time.Millisecond || seen.Freeze > 1500*time.Millisecond {
			t.Errorf("at 5 %% loss: %v", seen)
		}
		w.SetDownload("밥", noomtest.Link{Bandwidth: 4_000_000})
		time.Sleep(time.Second)
		for before := video.Report().Frames; video.Report().Frames == before; {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(24 * time.Millisecond) // the first packets of a picture have arrived
		w.SetDownload("밥", noomtest.Link{Bandwidth: 4_000_000, Loss: 1})
		time.Sleep(time.Second)
		view.Reset()
		time.Sleep(2 * time.Second)
		if seen := view.Report(); seen.Frames > 0 || seen.Requests > 0 {
			t.Errorf("nothing comes: %v", seen)
		}
		w.SetDownload("밥", noomtest.Link{})
		video.Reset()
		view.Reset()
		time.Sleep(10 * time.Second)
		v, seen := video.Report(), view.Report()
		if v.Requests == 0 || seen.Requests == 0 || seen.Keyframes == 0 || seen.Frames < 200 {
			t.Errorf("after an outage: %+v, %v", v, seen)
		}
	}, noomtest.WithLatency(20*time.Millisecond))
}

// TestSpeech: sound of a bitrate, whose delay and gaps are seen.
func TestSpeech(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, bob := pair(w)
		if _, err := alice.Publish(t.Context(), w.Speech(32_000), nil); err != nil {
			t.Fatal(err)
		}
		sink := w.Sink(noomtest.Await[noom.TrackAdded](w, bob, nil).Track)
		w.Settle()
		w.SetUpload("alice", noomtest.Link{Latency: 100 * time.Millisecond})
		time.Sleep(time.Second)
		sink.Reset()
		m := w.MeterUpload("alice")
		time.Sleep(10 * time.Second)
		// 80 bytes, and 12 to 32 of RTP, 10 of SRTP, 28 of IP and UDP.
		if bits := m.Report().Bitrate(); bits < (80+50)*400 || bits > (80+74)*400 {
			t.Errorf("%d bit/s", bits)
		}
		if r := sink.Report(); r.Delay(0) != 110*time.Millisecond || r.Delay(1) != 110*time.Millisecond || r.Freeze > 25*time.Millisecond {
			t.Errorf("%+v", r)
		}
	})
}
