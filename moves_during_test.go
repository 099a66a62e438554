package noom_test

import (
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
)

// TestReplaceTrackTwice: the last of several swaps in a row counts.
func TestReplaceTrackTwice(t *testing.T) {
	const vp8, h264, vp9 = webrtc.MimeTypeVP8, webrtc.MimeTypeH264, webrtc.MimeTypeVP9
	for name, test := range map[string]struct {
		codecs []string // the last may be empty: back to the first lens
		pause  time.Duration
	}{
		"three codecs at once":          {[]string{h264, vp9}, 0},
		"three codecs":                  {[]string{h264, vp9}, 70 * time.Millisecond},
		"three codecs, later":           {[]string{h264, vp9}, 130 * time.Millisecond},
		"there and back at once":        {[]string{h264, vp8}, 0},
		"there and back":                {[]string{h264, vp8}, 70 * time.Millisecond},
		"there and back, later":         {[]string{h264, vp8}, 130 * time.Millisecond},
		"back to the first one at once": {[]string{h264, ""}, 0},
		"back to the first one":         {[]string{h264, ""}, 70 * time.Millisecond},
		"back and there again":          {[]string{h264, vp8, h264}, 45 * time.Millisecond},
		"all of them":                   {[]string{h264, vp9, vp8, vp9, h264, ""}, 30 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, filmDelay, func(t *testing.T, w *world) {
				lens := newLens(vp8)
				first := lens
				a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: lens}}})
				b := w.join("r", "b", nil)
				atB := pictureOf(t, b)
				time.Sleep(3 * time.Second)
				since := time.Now()
				for _, codec := range test.codecs {
					lens = first
					if codec != "" {
						lens = newLens(codec)
					}
					swap(t, a.Senders()[0], lens)
					time.Sleep(test.pause)
				}
				time.Sleep(12 * time.Second)
				atB.check(t, b, since, lens, aKeyframe)
				quiet(t, b)
				if bound, _ := lens.state(); bound != 1 {
					t.Errorf("the last lens is bound %d times", bound)
				}
				if n := sections(peerOf(t, a, b)); n > 3 {
					t.Errorf("%d sections", n)
				}
			})
		})
	}
}

// TestReplaceTrackByAnotherCodecDuring: whatever happens to a sender and its peer in the middle of a swap.
func TestReplaceTrackByAnotherCodecDuring(t *testing.T) {
	type scene struct {
		w      *world
		a, b   noom.Room
		s      noom.Sender
		screen *screen
		to     *lens
	}
	for name, test := range map[string]func(t *testing.T, sc *scene) (still time.Duration){
		"a mute": func(t *testing.T, sc *scene) time.Duration {
			must(t, sc.s.SetMuted(true))
			until(t, sc.b, func(e noom.TrackMuted) bool { return e.Muted })
			time.Sleep(12 * time.Second)
			must(t, sc.s.SetMuted(false))
			until(t, sc.b, func(e noom.TrackMuted) bool { return !e.Muted })
			return time.Minute
		},
		"a short mute": func(t *testing.T, sc *scene) time.Duration {
			must(t, sc.s.SetMuted(true))
			time.Sleep(45 * time.Millisecond)
			must(t, sc.s.SetMuted(false))
			return time.Second
		},
		"a pause": func(t *testing.T, sc *scene) time.Duration {
			must(t, sc.s.ReplaceTrack(nil))
			until(t, sc.b, func(e noom.TrackMuted) bool { return e.Muted })
			if bound, _ := sc.to.state(); bound != 0 {
				t.Error("it is bound while it is paused")
			}
			time.Sleep(time.Second)
			must(t, sc.s.ReplaceTrack(sc.to))
			until(t, sc.b, func(e noom.TrackMuted) bool { return !e.Muted })
			return time.Minute
		},
		"a rebuild": func(t *testing.T, sc *scene) time.Duration {
			breakUp(peerOf(t, sc.a, sc.b))
			return time.Second
		},
		"a rebuild from the other end": func(t *testing.T, sc *scene) time.Duration {
			breakUp(peerOf(t, sc.b, sc.a))
			return time.Second
		},
		"an outage": func(_ *testing.T, sc *scene) time.Duration {
			sc.w.Cut("b")
			time.Sleep(20 * time.Second)
			sc.w.Heal("b")
			return time.Minute
		},
		"a track that is not wanted": func(_ *testing.T, sc *scene) time.Duration {
			sc.screen.track.Want(0)
			time.Sleep(15 * time.Second)
			sc.screen.track.Want(-1)
			return time.Minute
		},
	} {
		for after, pause := range map[string]time.Duration{" at once": 0, " in the middle": 65 * time.Millisecond, " later": 110 * time.Millisecond} {
			t.Run(name+after, func(t *testing.T) {
				inWorld(t, filmDelay, func(t *testing.T, w *world) {
					from, to := newLens(webrtc.MimeTypeVP8), newLens(webrtc.MimeTypeH264)
					a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: from}}})
					b := w.join("r", "b", nil)
					sc := &scene{w: w, a: a, b: b, s: a.Senders()[0], screen: pictureOf(t, b), to: to}
					time.Sleep(3 * time.Second)
					since := swap(t, sc.s, to)
					time.Sleep(pause)
					still := test(t, sc)
					time.Sleep(30 * time.Second)
					sc.screen.check(t, b, since, to, still)
					if bound, _ := from.state(); bound != 0 {
						t.Errorf("the old lens is bound %d times", bound)
					}
					for _, e := range waiting(t, b) {
						switch e.(type) {
						case noom.TrackAdded, noom.TrackRemoved:
							t.Errorf("%T", e)
						}
					}
				})
			})
		}
	}
}

// TestCloseDuringASwap: a sender that is closed in the middle of a swap leaves nothing behind.
func TestCloseDuringASwap(t *testing.T) {
	for _, pause := range []time.Duration{0, 65 * time.Millisecond, 110 * time.Millisecond, time.Second} {
		t.Run(pause.String(), func(t *testing.T) {
			inWorld(t, filmDelay, func(t *testing.T, w *world) {
				from, to := newLens(webrtc.MimeTypeVP8), newLens(webrtc.MimeTypeH264)
				a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: from}}})
				b := w.join("r", "b", nil)
				pictureOf(t, b)
				time.Sleep(3 * time.Second)
				swap(t, a.Senders()[0], to)
				time.Sleep(pause)
				must(t, a.Senders()[0].Close())
				until[noom.TrackRemoved](t, b, nil)
				one, _ := from.state()
				if two, _ := to.state(); one+two != 0 {
					t.Errorf("the lenses are bound %d and %d times", one, two)
				}
				again := newLens(webrtc.MimeTypeH264)
				_, err := a.Publish(t.Context(), again, nil)
				must(t, err)
				atB := pictureOf(t, b)
				time.Sleep(2 * time.Second)
				atB.check(t, b, time.Now().Add(-time.Second), again, aKeyframe)
			})
		})
	}
}
