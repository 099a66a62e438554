package noom_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
)

// TestReplaceTrackByAnotherCodec: the sender and the tracks stay, and no picture stands still for longer than a key frame
// takes, there and back again, whoever comes meanwhile.
func TestReplaceTrackByAnotherCodec(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		first, second, third := newLens(webrtc.MimeTypeVP8), newLens(webrtc.MimeTypeH264), newLens(webrtc.MimeTypeVP8)
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: first, Name: "화면"}}})
		b, c := w.join("r", "b", nil), w.join("r", "c", nil)
		atB, atC := pictureOf(t, b), pictureOf(t, c)
		time.Sleep(3 * time.Second)
		atB.check(t, b, time.Now().Add(-time.Second), first, aKeyframe)

		since := swap(t, a.Senders()[0], second)
		d := w.join("r", "d", nil) // in the middle
		atD := pictureOf(t, d)
		time.Sleep(3 * time.Second)
		atB.check(t, b, since, second, aKeyframe)
		atC.check(t, c, since, second, aKeyframe)
		atD.check(t, d, time.Now().Add(-time.Second), second, aKeyframe)
		if bound, keys := first.state(); bound != 0 || keys > 4 {
			t.Errorf("the old lens is bound %d times, and had %d key frames", bound, keys)
		}

		since = swap(t, a.Senders()[0], third)
		time.Sleep(3 * time.Second)
		for r, s := range map[noom.Room]*screen{b: atB, c: atC, d: atD} {
			s.check(t, r, since, third, aKeyframe)
			quiet(t, r)
		}
		for r, want := range map[noom.Room]int{b: 2, c: 2, d: 2} {
			if n := sections(peerOf(t, a, r)); n != want {
				t.Errorf("%d sections to %s, want %d", n, r.Self().Name, want)
			}
		}
		if bound, keys := second.state(); bound != 0 || keys > 4 {
			t.Errorf("the lens between is bound %d times, and had %d key frames", bound, keys)
		}
	})
}

// TestReplaceTrackByACodecThatAPeerLacks: that peer no longer gets the track, and gets it again in the codec that it
// knows. The others notice nothing. A codec that nobody knows is an error, and nothing changes.
func TestReplaceTrackByACodecThatAPeerLacks(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		one, two := newLens(webrtc.MimeTypeVP8), newLens(webrtc.MimeTypeH264)
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: one}}})
		rich, poor := w.join("r", "rich", nil), w.joinPoor("r", nil)
		atRich, atPoor := pictureOf(t, rich), pictureOf(t, poor)
		time.Sleep(3 * time.Second)
		s := a.Senders()[0]
		since := time.Now()
		if err := s.ReplaceTrack(newLens("video/none")); !errors.Is(err, noom.ErrCodec) || s.Track() != webrtc.TrackLocal(one) {
			t.Errorf("a codec that nobody knows: %v", err)
		}
		time.Sleep(time.Second)
		atPoor.check(t, poor, since, one, aKeyframe)
		for range 3 {
			since := swap(t, s, two)
			e := until[noom.TrackRefused](t, a, nil)
			if e.Peer.ID() != poor.Self().ID || e.Codec != webrtc.MimeTypeH264 || !errors.Is(e.Err, noom.ErrCodec) || e.Sender != s {
				t.Errorf("refused: %+v", e)
			}
			if gone := until[noom.TrackRemoved](t, poor, nil).Track; gone != atPoor.track {
				t.Errorf("removed %v", gone)
			}
			time.Sleep(2 * time.Second)
			atRich.check(t, rich, since, two, aKeyframe)
			since = swap(t, s, one)
			atPoor = pictureOf(t, poor)
			time.Sleep(2 * time.Second)
			atRich.check(t, rich, since, one, aKeyframe)
			atPoor.check(t, poor, time.Now().Add(-time.Second), one, aKeyframe)
		}
		quiet(t, rich)
		for r, want := range map[noom.Room]int{rich: 2, poor: 2} {
			if n := sections(peerOf(t, a, r)); n > want {
				t.Errorf("%d sections to %s, want %d", n, r.Self().Name, want)
			}
		}
		must(t, rich.Leave(t.Context())) // so that nobody but the poor one needs the source
		swap(t, s, two)
		time.Sleep(10 * time.Second)
		swap(t, s, one)
		atPoor = pictureOf(t, poor)
		time.Sleep(2 * time.Second)
		atPoor.check(t, poor, time.Now().Add(-time.Second), one, aKeyframe)
	})
}

// TestSwapOfSound: Opus to PCMU and back.
func TestSwapOfSound(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		opus, pcmu := newLens(webrtc.MimeTypeOpus), newLens(webrtc.MimeTypePCMU)
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: opus}}})
		b := w.join("r", "b", nil)
		atB := pictureOf(t, b)
		time.Sleep(3 * time.Second)
		for _, lens := range []*lens{pcmu, opus, pcmu} {
			since := swap(t, a.Senders()[0], lens)
			time.Sleep(2 * time.Second)
			atB.check(t, b, since, lens, aKeyframe)
		}
		quiet(t, b)
	})
}

// TestSwapDoesNotWaitForThoseWhoAreCutOff: a peer that cannot agree on the new codec keeps the old source for some seconds.
func TestSwapDoesNotWaitForThoseWhoAreCutOff(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		from, to := newLens(webrtc.MimeTypeVP8), newLens(webrtc.MimeTypeH264)
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: from}}})
		b, c := w.join("r", "b", nil), w.join("r", "c", nil)
		atB, atC := pictureOf(t, b), pictureOf(t, c)
		time.Sleep(3 * time.Second)
		w.Cut("c")
		w.CutSignaling("c")
		since := swap(t, a.Senders()[0], to)
		time.Sleep(2 * time.Second)
		if bound, _ := from.state(); bound != 1 {
			t.Error("the old lens is no longer bound")
		}
		time.Sleep(7 * time.Second)
		if bound, _ := from.state(); bound != 0 {
			t.Error("the old lens is still bound")
		}
		atB.check(t, b, since, to, aKeyframe)
		w.Heal("c")
		w.HealSignaling("c")
		time.Sleep(30 * time.Second)
		atC.check(t, c, time.Now().Add(-time.Second), to, aKeyframe)
	})
}
