package noom_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
)

// relay is a bot that is in two rooms, and forwards the one track of the first into the second.
type relay struct {
	inside, outside noom.Room
	sender          noom.Sender
}

// forwards joins the rooms, and forwards the track as soon as it is known, before its first packet.
func forwards(t *testing.T, w *world) relay {
	t.Helper()
	r := relay{inside: w.join("안", "중계 안", nil), outside: w.join("밖", "중계 밖", nil)}
	track := until[noom.TrackAdded](t, r.inside, nil).Track
	var err error
	r.sender, err = r.outside.Publish(t.Context(), noom.Forward(track), nil)
	must(t, err)
	return r
}

// TestForward: what is forwarded is shown to everyone, from a key frame of the source on that they ask for, whoever
// comes later; it has the source's name.
func TestForward(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		source := newLens(webrtc.MimeTypeVP8)
		w.join("안", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: source, Name: "화면"}}})
		forwards(t, w)
		b := w.join("밖", "b", nil)
		atB := pictureOf(t, b)
		time.Sleep(3 * time.Second)
		atB.check(t, b, time.Now().Add(-time.Second), source, aKeyframe)
		if name := atB.track.Name(); name != "화면" {
			t.Errorf("it is called %q", name)
		}
		_, before := source.state()
		c := w.join("밖", "c", nil)
		atC := pictureOf(t, c)
		time.Sleep(3 * time.Second)
		shots := atC.since(time.Time{})
		if len(shots) == 0 || !shots[0].key {
			t.Fatalf("a newcomer gets no key frame first: %d frames", len(shots))
		}
		atC.check(t, c, shots[0].at, source, aKeyframe)
		atB.check(t, b, time.Now().Add(-3*time.Second), source, aKeyframe)
		if _, now := source.state(); now == before || now > before+2 {
			t.Errorf("%d key frames for one newcomer", now-before)
		}
		if bound, _ := source.state(); bound != 1 {
			t.Errorf("the source is bound %d times", bound)
		}
	})
}

// TestForwardFollowsTheSource: a swap of the source, within its codec or to another one, reaches those to whom it is
// forwarded. To another codec the source was asked for a key frame just before, and is asked again after the time between
// two of them. So does a codec that is not the likely one from the start.
func TestForwardFollowsTheSource(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		source := newLens(webrtc.MimeTypeH264)
		a := w.join("안", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: source}}})
		bot := forwards(t, w)
		b := w.join("밖", "b", nil)
		atB := pictureOf(t, b)
		time.Sleep(3 * time.Second)
		atB.check(t, b, time.Now().Add(-time.Second), source, aKeyframe)
		for _, mime := range []string{webrtc.MimeTypeH264, webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeVP8} {
			next := newLens(mime)
			since := swap(t, a.Senders()[0], next)
			time.Sleep(3 * keyframeEvery) // so that the bot may ask again
			atB.check(t, b, since, next, keyframeInterval+2*aKeyframe)
		}
		quiet(t, b)
		if n := len(bot.outside.Senders()); n != 1 || bot.sender.Track() == nil {
			t.Errorf("%d senders, the track is %v", n, bot.sender.Track())
		}
		must(t, bot.sender.ReplaceTrack(nil)) // which no change of the source undoes
		swap(t, a.Senders()[0], newLens(webrtc.MimeTypeH264))
		time.Sleep(3 * time.Second)
		if track := bot.sender.Track(); track != nil || !atB.track.Muted() {
			t.Errorf("a paused sender has the track %v", track)
		}
	})
}

// TestForwardOfASilentSource: a source that is muted, also before it is forwarded, is muted for those to whom it is
// forwarded. Its end is an event.
func TestForwardOfASilentSource(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		source := newLens(webrtc.MimeTypeVP8)
		a := w.join("안", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: source, Muted: true}}})
		bot := forwards(t, w)
		b := w.join("밖", "b", nil)
		atB := pictureOf(t, b)
		time.Sleep(3 * time.Second)
		camera := a.Senders()[0]
		for range 2 {
			if !atB.track.Muted() {
				t.Error("the source is muted, and what is forwarded is not")
			}
			waiting(t, b)
			since := time.Now()
			must(t, camera.SetMuted(false))
			if e := until[noom.TrackMuted](t, b, nil); e.Muted || atB.track.Muted() {
				t.Error("it is still muted")
			}
			time.Sleep(2 * time.Second)
			atB.check(t, b, since.Add(time.Second), source, aKeyframe)
			must(t, camera.SetMuted(true))
			until[noom.TrackMuted](t, b, nil)
		}
		if bot.sender.Muted() {
			t.Error("SetMuted was not called")
		}
		waiting(t, bot.outside)
		must(t, camera.Close())
		if e := until[noom.SourceEnded](t, bot.outside, nil); e.Sender != bot.sender || e.Err != nil {
			t.Errorf("%v, %v", e.Sender, e.Err)
		}
		if !atB.track.Muted() {
			t.Error("the source is gone, and what is forwarded goes on")
		}
	})
}

// TestForwardOfSound: who is forwarded speaks as loud as the source; when the bot leaves where that is, it is over.
func TestForwardOfSound(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		voice := mediatest.NewVoice(t)
		go voice.Speak(ctx)
		w.join("안", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: voice}}})
		bot := forwards(t, w)
		b := w.join("밖", "b", nil)
		track := until[noom.TrackAdded](t, b, nil).Track
		voice.SetLevel(-25)
		if e := until[noom.ActiveSpeaker](t, b, nil); e.Peer == nil || e.Peer.ID() != bot.outside.Self().ID {
			t.Errorf("%v speaks", e.Peer)
		}
		if dBov, ok := track.AudioLevel(); !ok || dBov != -25 {
			t.Errorf("level %d, %v; want -25", dBov, ok)
		}
		if err := flow(track); err != nil {
			t.Error(err)
		}
		must(t, bot.inside.Leave(t.Context()))
		if e := until[noom.SourceEnded](t, bot.outside, nil); e.Sender != bot.sender || e.Err != nil {
			t.Errorf("%v, %v", e.Sender, e.Err)
		}
	})
}

// TestForwardOfAnUnknownCodec: a source that goes over to a codec that the other room does not know has ended there.
func TestForwardOfAnUnknownCodec(t *testing.T) {
	inWorld(t, filmDelay, func(t *testing.T, w *world) {
		extra := noom.Config{Codecs: []webrtc.RTPCodecParameters{{
			RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: "video/H265", ClockRate: 90000}, PayloadType: 96,
		}}}
		known, unknown := newLens(webrtc.MimeTypeVP8), newLens("video/H265")
		first := extra
		first.Tracks = []noom.LocalTrack{{Track: known}}
		a, inside := w.join("안", "a", &first), w.join("안", "중계 안", &extra)
		outside, b := w.join("밖", "중계 밖", nil), w.join("밖", "b", nil)
		track := until[noom.TrackAdded](t, inside, nil).Track
		sender, err := outside.Publish(t.Context(), noom.Forward(track), nil)
		must(t, err)
		atB := pictureOf(t, b)
		time.Sleep(3 * time.Second)
		swap(t, a.Senders()[0], unknown)
		if e := until[noom.SourceEnded](t, outside, nil); e.Sender != sender || !errors.Is(e.Err, noom.ErrCodec) {
			t.Errorf("%v, %v, want ErrCodec", e.Sender, e.Err)
		}
		time.Sleep(time.Second)
		if !atB.track.Muted() {
			t.Error("what cannot be forwarded is not muted")
		}
	})
}
