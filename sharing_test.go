package noom_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/noomtest"
)

// watched publishes what a member sends, and returns what the others see of it, in that order.
func watched(t *testing.T, w *world, from noom.Room, video *noomtest.Video, o *noom.PublishOptions, to ...noom.Room) (tracks []noom.RemoteTrack, views []*noomtest.Viewer) {
	t.Helper()
	_, err := from.Publish(t.Context(), video, o)
	must(t, err)
	for _, r := range to {
		track := until(t, r, func(e noom.TrackAdded) bool { return e.Track.Kind().String() == "video" }).Track
		tracks, views = append(tracks, track), append(views, w.View(track))
	}
	time.Sleep(3 * time.Second)
	for i, v := range views {
		if r := v.Reset(); r.Frames == 0 {
			t.Fatalf("%s sees nothing", to[i].Self().Name)
		}
	}
	return tracks, views
}

// TestNobodyIsThere: nothing is encoded for an empty room, and the first who comes sees a picture.
func TestNobodyIsThere(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		video := w.Video(nil)
		alice := w.join("r", "alice", &noom.Config{Tracks: []noom.LocalTrack{{Track: video}}})
		time.Sleep(2 * time.Second)
		if r := video.Report(); r.Running || r.Since < time.Second {
			t.Errorf("alone: %+v", r)
		}
		bob := w.join("r", "bob", nil)
		view := w.View(until[noom.TrackAdded](t, bob, nil).Track)
		until(t, bob, connected)
		time.Sleep(500 * time.Millisecond)
		if r := view.Report(); r.Frames == 0 {
			t.Errorf("half a second after bob is connected he sees %v", r)
		}
		must(t, bob.Leave(t.Context()))
		until[noom.PeerLeft](t, alice, nil)
		time.Sleep(1500 * time.Millisecond)
		if r := video.Report(); r.Running {
			t.Errorf("alone again: %+v", r)
		}
	})
}

// boundSound is a track of sound that counts how often it is bound, less how often it is unbound.
type boundSound struct {
	*webrtc.TrackLocalStaticSample

	bound, unbound atomic.Int32
}

func (s *boundSound) Bind(c webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s.bound.Add(1)
	return s.TrackLocalStaticSample.Bind(c)
}

func (s *boundSound) Unbind(c webrtc.TrackLocalContext) error {
	s.unbound.Add(1)
	return s.TrackLocalStaticSample.Unbind(c)
}

// TestNobodyListens: sound stays bound in an empty room, as Publish says.
func TestNobodyListens(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}, "소리", "소리")
		must(t, err)
		sound := &boundSound{TrackLocalStaticSample: track}
		alice := w.join("r", "alice", &noom.Config{Tracks: []noom.LocalTrack{{Track: sound}}})
		time.Sleep(2 * time.Second)
		if b, u := sound.bound.Load(), sound.unbound.Load(); b != 1 || u != 0 {
			t.Errorf("alone: bound %d times, unbound %d times", b, u)
		}
		bob := w.join("r", "bob", nil)
		until(t, bob, connected)
		must(t, bob.Leave(t.Context()))
		until[noom.PeerLeft](t, alice, nil)
		time.Sleep(1500 * time.Millisecond)
		if b, u := sound.bound.Load(), sound.unbound.Load(); b != 1 || u != 0 {
			t.Errorf("alone again: bound %d times, unbound %d times", b, u)
		}
	})
}

// TestNobodyLooks: an encoder that nobody looks at stops within a second, and is back with a picture within a round trip
// and 300 ms.
func TestNobodyLooks(t *testing.T) {
	inWorld(t, 50*time.Millisecond, func(t *testing.T, w *world) {
		video := w.Video(nil)
		alice, bob, carol := w.join("r", "alice", nil), w.join("r", "bob", nil), w.join("r", "carol", nil)
		w.Settle()
		tracks, views := watched(t, w, alice, video, nil, bob, carol)

		tracks[0].Want(0)
		time.Sleep(time.Second)
		for _, v := range views {
			v.Reset()
		}
		time.Sleep(time.Second)
		if hidden, seen := views[0].Report(), views[1].Report(); hidden.Frames > 0 || seen.Frames < 20 || !video.Report().Running {
			t.Errorf("bob does not look and sees %v, carol sees %v", hidden, seen)
		}
		tracks[1].Want(0)
		time.Sleep(time.Second)
		if r := video.Report(); r.Running {
			t.Errorf("nobody has looked for a second: %+v", r)
		}
		for _, paused := range waiting(t, alice) {
			if e, is := paused.(noom.SenderPaused); is {
				t.Errorf("what is not shown is not paused: %+v", e)
			}
		}
		time.Sleep(5 * time.Second)
		views[1].Reset()
		tracks[1].Want(-1)
		time.Sleep(2*50*time.Millisecond + 300*time.Millisecond)
		if r := views[1].Report(); r.Frames == 0 {
			t.Errorf("carol looks again and sees %v", r)
		}
		if r := video.Report(); r.Busiest > 2 {
			t.Errorf("the encoder was told %d targets in a second", r.Busiest)
		}
	})
}

// TestTooLittleForAPicture: who takes too little gets no picture and clear sound, both ends are told, the others lose
// nothing, and the picture comes back by itself.
func TestTooLittleForAPicture(t *testing.T) {
	t.Run("with sound", func(t *testing.T) { eachSeed(t, 40, func(t *testing.T, seed uint64) { tooLittle(t, true, seed) }) })
	t.Run("alone", func(t *testing.T) { eachSeed(t, 40, func(t *testing.T, seed uint64) { tooLittle(t, false, seed) }) })
}

func tooLittle(t *testing.T, sound bool, seed uint64) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		video := w.Video(nil)
		cfg := &noom.Config{}
		if sound {
			cfg.Tracks = []noom.LocalTrack{{Name: "microphone", Track: w.Speech(24_000)}}
		}
		alice := w.join("r", "alice", cfg)
		bob, carol := w.join("r", "bob", nil), w.join("r", "carol", nil)
		w.Settle()
		tracks, views := watched(t, w, alice, video, nil, bob, carol)
		time.Sleep(12 * time.Second)
		before := video.Report().Target

		w.SetDownload("bob", noomtest.Link{Bandwidth: 70_000})
		for _, paused := range []bool{true, false} {
			changed := time.Now()
			sent := until(t, alice, func(e noom.SenderPaused) bool { return e.Peer.ID() == bob.Self().ID })
			got := until[noom.TrackPaused](t, bob, nil)
			if sent.Paused != paused || got.Paused != paused || got.Track != tracks[0] || tracks[0].Paused() != paused {
				t.Errorf("alice is told %v, bob %v, and his track says %v; want %v", sent.Paused, got.Paused, tracks[0].Paused(), paused)
			}
			took := time.Since(changed)
			t.Logf("paused %v after %v", paused, took)
			if took > 10*time.Second {
				t.Errorf("paused %v after %v", paused, took)
			}
			if !paused {
				break
			}
			time.Sleep(10 * time.Second)
			for _, v := range views {
				v.Reset()
			}
			time.Sleep(20 * time.Second)
			hidden, seen := views[0].Report(), views[1].Report()
			if hidden.Frames > 0 || seen.Rate() < 24 || video.Report().Target < before*95/100 {
				t.Errorf("bob sees %v; carol sees %v; at %d bit/s, before %d", hidden, seen, video.Report().Target, before)
			}
			w.SetDownload("bob", noomtest.Link{})
		}
		time.Sleep(time.Second)
		views[0].Reset()
		time.Sleep(2 * time.Second)
		if r := views[0].Report(); r.Rate() < 20 {
			t.Errorf("afterwards bob sees %v", r)
		}
		for _, r := range []noom.Room{alice, carol} {
			for _, e := range waiting(t, r) {
				switch e := e.(type) {
				case noom.TrackPaused, noom.SenderPaused:
					t.Errorf("%s is told %+v", r.Self().Name, e)
				}
			}
		}
	}, noomtest.WithSeed(seed))
}

// TestTwoEncodings: a low encoding runs only while somebody needs it, and everyone gets what suits.
func TestTwoEncodings(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		high := w.Video(&noomtest.VideoOptions{Height: 720})
		low := w.Video(&noomtest.VideoOptions{Height: 180, Width: 320})
		alice, bob, carol := w.join("r", "alice", nil), w.join("r", "bob", nil), w.join("r", "carol", nil)
		w.Settle()
		tracks, views := watched(t, w, alice, high, &noom.PublishOptions{Encodings: []noom.Encoding{
			{Track: high, Height: 720, MaxBitrate: 1_500_000}, {Track: low, Height: 180},
		}}, bob, carol)
		see := func(what string, bobs, carols int) {
			t.Helper()
			time.Sleep(2 * time.Second)
			for i, want := range []int{bobs, carols} {
				if r := views[i].Reset(); r.Height != want || r.Frames == 0 {
					t.Errorf("%s: %d sees %v, want %dp", what, i, r, want)
				}
			}
			if h, l := high.Report().Running, low.Report().Running; h != (max(bobs, carols) == 720) || l != (min(bobs, carols) == 180) {
				t.Errorf("%s: high runs %v, low %v", what, h, l)
			}
		}
		see("both large", 720, 720)
		tracks[0].Want(150)
		see("bob small", 180, 720)
		tracks[1].Want(180)
		see("both small", 180, 180)
		tracks[0].Want(200)
		see("bob larger", 720, 180)
		tracks[0].Want(-1)
		tracks[1].Want(-1)
		see("both large again", 720, 720)
		for _, v := range views {
			if r := v.Report(); r.Freeze > 200*time.Millisecond {
				t.Errorf("a picture stood still: %v", r)
			}
		}
	})
}

// TestShareOfOne: a track that only one peer gets is shared as the others are, and ends with it.
func TestShareOfOne(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		alice, bob, carol := w.join("r", "alice", nil), w.join("r", "bob", nil), w.join("r", "carol", nil)
		w.Settle()
		video := w.Video(nil)
		_, err := peerOf(t, alice, bob).Publish(t.Context(), video, nil)
		must(t, err)
		track := until[noom.TrackAdded](t, bob, nil).Track
		time.Sleep(2 * time.Second)
		if r := video.Report(); !r.Running || r.Changes == 0 {
			t.Errorf("for bob: %+v", r)
		}
		track.Want(0)
		time.Sleep(time.Second)
		if r := video.Report(); r.Running {
			t.Errorf("bob does not look: %+v", r)
		}
		_ = carol
	})
}

// TestMindStorm: a receiver that changes its mind all the time moves no encoder more than twice a second.
func TestMindStorm(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		video := w.Video(nil)
		alice, bob := w.join("r", "alice", nil), w.join("r", "bob", nil)
		w.Settle()
		tracks, _ := watched(t, w, alice, video, nil, bob)
		video.Reset()
		for i := range 10_000 {
			tracks[0].Want([]int{0, 720, 100, 0, -1}[i%5])
			time.Sleep(time.Millisecond)
		}
		if r := video.Report(); r.Busiest > 2 {
			t.Errorf("%+v", r)
		}
		_ = alice
	})
}

// TestOutageIsNoPause: what was sent before an outage is sent after it at once, however little the path seems to take.
func TestOutageIsNoPause(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		video := w.Video(nil)
		alice, bob := w.join("r", "alice", nil), w.join("r", "bob", nil)
		w.Settle()
		tracks, views := watched(t, w, alice, video, nil, bob)
		w.Cut("alice", "bob")
		time.Sleep(20 * time.Second)
		w.Heal("alice", "bob")
		until(t, alice, connected)
		views[0].Reset()
		time.Sleep(time.Second)
		if r := views[0].Reset(); r.Frames == 0 || tracks[0].Paused() {
			t.Errorf("within a second: %v, paused %v", r, tracks[0].Paused())
		}
		time.Sleep(8 * time.Second)
		views[0].Reset()
		time.Sleep(time.Second)
		if r := views[0].Report(); r.Frames < 20 {
			t.Errorf("afterwards: %v", r)
		}
	})
}

// unmoved is a source that is told what to make, and says that it cannot.
type unmoved struct{ *noomtest.Video }

func (unmoved) FollowsTarget() bool { return false }

// TestFileThatDoesNotFit: a source that cannot follow is not sent where it does not fit, so that sound is.
func TestFileThatDoesNotFit(t *testing.T) {
	inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
		alice, bob := w.join("r", "alice", nil), w.join("r", "bob", nil)
		w.Settle()
		w.SetUpload("alice", noomtest.Link{Bandwidth: 300_000})
		video := w.Video(nil)
		for _, track := range []webrtc.TrackLocal{unmoved{video}, w.Speech(32_000)} {
			_, err := alice.Publish(t.Context(), track, nil)
			must(t, err)
		}
		_, sound := w.receive(bob, alice)
		until(t, alice, func(e noom.SenderPaused) bool { return e.Paused })
		time.Sleep(time.Second)
		sound.Reset()
		time.Sleep(10 * time.Second)
		if err := sound.Check(0, 200*time.Millisecond); err != nil {
			t.Error(err)
		}
		if r := video.Report(); r.Changes > 0 {
			t.Errorf("it was told what to make: %+v", r)
		}
	})
}
