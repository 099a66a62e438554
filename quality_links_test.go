package noom_test

import (
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

const (
	kbit = 1000
	mbit = 1000 * kbit
)

// scene is a call in which alice shows herself to bob and speaks.
type scene struct {
	*world
	alice, bob noom.Room
	video      *noomtest.Video
	view       *noomtest.Viewer
	sound      *noomtest.Sink
	up         *noomtest.Meter // alice's upload
}

// play runs f in a scene in which alice's upload is link from the start. The picture needs 30 kbit/s
// and takes up to most.
func play(t *testing.T, latency time.Duration, link noomtest.Link, most int, f func(t *testing.T, s *scene), options ...noomtest.Option) {
	t.Helper()
	inWorld(t, latency, func(t *testing.T, w *world) {
		s := &scene{world: w}
		w.Config("alice") // makes her host
		w.SetUpload("alice", link)
		s.alice, s.bob = w.join("r", "alice", nil), w.join("r", "bob", nil)
		w.Settle()
		s.video = w.Video(&noomtest.VideoOptions{Bitrate: 300 * kbit})
		_, err := s.alice.Publish(t.Context(), s.video, &noom.PublishOptions{
			Encodings: []noom.Encoding{{Track: s.video, Height: 720, MinBitrate: 30 * kbit, MaxBitrate: most}},
		})
		must(t, err)
		_, err = s.alice.Publish(t.Context(), w.Microphone(), nil)
		must(t, err)
		s.view, s.sound = w.receive(s.bob, s.alice)
		s.up = w.MeterUpload("alice")
		f(t, s)
		if r := s.video.Report(); r.Busiest > 2 {
			t.Errorf("%d changes of the target within a second", r.Busiest)
		}
	}, options...)
}

// receive begins to read what from sends, a picture and a sound, once it is there.
func (w *world) receive(to, from noom.Room) (view *noomtest.Viewer, sound *noomtest.Sink) {
	w.t.Helper()
	w.Settle()
	for _, track := range peerOf(w.t, to, from).Tracks() {
		if track.Name() == "camera" {
			view = w.View(track)
		} else {
			sound = w.Sink(track)
		}
	}
	return view, sound
}

// judge looks at d from now on alone.
func (s *scene) judge(d time.Duration) (noomtest.Traffic, noomtest.ViewReport, noomtest.SinkReport) {
	s.up.Reset()
	s.view.Reset()
	s.sound.Reset()
	time.Sleep(d)
	return s.up.Report(), s.view.Report(), s.sound.Report()
}

// uses fails the test if less than a share of a link was used.
func uses(t *testing.T, what string, traffic noomtest.Traffic, share float64, link int) {
	t.Helper()
	if least := int(share * float64(link)); traffic.Bitrate() < least {
		t.Errorf("%s: %v; at least %d kbit/s is to be expected", what, traffic, least/kbit)
	}
}

// TestSteadyLinks: a call uses a link that does not change, and fills its queue no further than it
// must.
func TestSteadyLinks(t *testing.T) {
	for _, bandwidth := range []int{300 * kbit, mbit, 3 * mbit} {
		for _, trip := range []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d kbit/s, %v", bandwidth/kbit, trip), func(t *testing.T) {
				play(t, trip/2, noomtest.Link{Bandwidth: bandwidth}, 10*mbit, func(t *testing.T, s *scene) {
					time.Sleep(15 * time.Second)
					traffic, seen, _ := s.judge(20 * time.Second)
					t.Logf("%v; %v", traffic, seen)
					uses(t, "a steady link", traffic, 0.85, bandwidth)
					if d := traffic.QueueDelay(0.95); d >= 100*time.Millisecond {
						t.Errorf("the queue's p95 is %v", d)
					}
				})
			})
		}
	}
}

// TestCutAndHealed: a link that becomes narrow is not overrun for long, and is used again when it is
// wide again.
func TestCutAndHealed(t *testing.T) {
	play(t, 30*time.Millisecond, noomtest.Link{Bandwidth: 2 * mbit}, 4*mbit, func(t *testing.T, s *scene) {
		time.Sleep(20 * time.Second)
		s.SetUpload("alice", noomtest.Link{Bandwidth: 300 * kbit})
		time.Sleep(5 * time.Second)
		traffic, seen, sound := s.judge(15 * time.Second)
		t.Logf("cut: %v; %v; sound: %v", traffic, seen, sound)
		if traffic.QueueDelay(0.95) >= 150*time.Millisecond || traffic.Loss() >= 0.02 {
			t.Errorf("from 5 s after the cut on: %v", traffic)
		}
		if seen.Rate() < 10 {
			t.Errorf("from 5 s after the cut on: %v", seen)
		}
		if sound.Freeze > 200*time.Millisecond {
			t.Errorf("from 5 s after the cut on, sound: %v", sound)
		}
		s.SetUpload("alice", noomtest.Link{Bandwidth: 2 * mbit})
		time.Sleep(15 * time.Second)
		traffic, _, _ = s.judge(5 * time.Second)
		t.Logf("healed: %v", traffic)
		uses(t, "15 s after the heal", traffic, 0.8, 2*mbit)
	})
}

// TestRandomLoss: losses that nobody's queue has caused do not starve a call, one by one or in bursts.
func TestRandomLoss(t *testing.T) {
	for _, c := range []struct{ loss, share float64 }{{0.02, 0.8}, {0.05, 0.6}, {0.1, 0.4}} {
		for _, burst := range []float64{1, 4} {
			t.Run(fmt.Sprintf("%g %% in %g", 100*c.loss, burst), func(t *testing.T) {
				link := noomtest.Link{Bandwidth: 2 * mbit, Loss: c.loss, Burst: burst}
				play(t, 30*time.Millisecond, link, 4*mbit, func(t *testing.T, s *scene) {
					time.Sleep(15 * time.Second)
					traffic, seen, _ := s.judge(20 * time.Second)
					t.Logf("%v; %v", traffic, seen)
					uses(t, "a link that loses", traffic, c.share, 2*mbit)
				})
			})
		}
	}
}

// TestBesideTCP: somebody's upload takes a fair share and not all.
func TestBesideTCP(t *testing.T) {
	play(t, 30*time.Millisecond, noomtest.Link{Bandwidth: 2 * mbit}, 4*mbit, func(t *testing.T, s *scene) {
		time.Sleep(10 * time.Second)
		flow := s.UploadTCP("alice")
		time.Sleep(10 * time.Second)
		flow.Reset()
		traffic, seen, _ := s.judge(30 * time.Second)
		t.Logf("%v; %v; the flow has %d kbit/s", traffic, seen, flow.Bitrate()/kbit)
		uses(t, "beside TCP", traffic, 0.25, 2*mbit)
		if seen.Rate() < 10 {
			t.Errorf("beside TCP: %v", seen)
		}
	})
}

// TestRelayOverTCP: a TCP connection on the way does not become a queue of seconds.
func TestRelayOverTCP(t *testing.T) {
	play(t, 30*time.Millisecond, noomtest.Link{Bandwidth: 300 * kbit}, 4*mbit, func(t *testing.T, s *scene) {
		time.Sleep(10 * time.Second)
		traffic, seen, sound := s.judge(30 * time.Second)
		t.Logf("%v; %v; sound: %v", traffic, seen, sound)
		if seen.Delay(0.95) >= 500*time.Millisecond || sound.Delay(0.95) >= 500*time.Millisecond {
			t.Errorf("over a relay: %v; sound: %v", seen, sound)
		}
		if seen.Rate() < 10 {
			t.Errorf("over a relay: %v", seen)
		}
	}, noomtest.WithTURNOverTCP())
}
