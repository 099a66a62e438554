package noom_test

import (
	"testing"
	"time"

	"noom"
)

// TestPublishedMuted: a track published muted is muted for the others and sends nothing, until it is unmuted.
func TestPublishedMuted(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		first, second, third := newThrifty(), newThrifty(), newThrifty()
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Name: "first", Track: first, Muted: true}}})
		b := w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		_, err := a.Publish(t.Context(), second, &noom.PublishOptions{Name: "second", Muted: true})
		must(t, err)
		s, err := peerOf(t, a, b).Publish(t.Context(), third, &noom.PublishOptions{Name: "third", Muted: true})
		must(t, err)
		time.Sleep(5 * time.Second)
		tracks := peerOf(t, b, a).Tracks()
		if len(tracks) != 3 {
			t.Fatalf("%d tracks", len(tracks))
		}
		for i, c := range []*thrifty{first, second, third} {
			requests, _ := c.counts()
			if !tracks[i].Muted() || tracks[i].Codec().MimeType != "" || requests > 0 {
				t.Errorf("%s: told as muted: %v, codec %s, %d requests", tracks[i].Name(), tracks[i].Muted(), tracks[i].Codec().MimeType, requests)
			}
		}
		for _, s := range append(a.Senders(), s) {
			must(t, s.SetMuted(false))
			shown(t, b, a, s.Name())
		}
		for _, s := range append(a.Senders(), s) {
			must(t, s.Close())
		}
		for _, c := range []*thrifty{first, second, third} {
			c.running.Wait()
		}
	})
}

// TestSilenceIsTold: what the others see of a track and what they get is one thing: a paused sender, and one whose
// track has ended, is as silent as a muted one.
func TestSilenceIsTold(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		first, second := newDevice(t), newDevice(t)
		a := w.join("r", "a", &noom.Config{Tracks: []noom.LocalTrack{{Name: "camera", Track: first}}})
		b := w.join("r", "b", nil)
		track := until[noom.TrackAdded](t, b, nil).Track
		until(t, b, connected)
		camera := a.Senders()[0]
		for _, step := range []struct {
			what  string
			do    func() error
			muted bool
		}{
			{"paused", func() error { return camera.ReplaceTrack(nil) }, true},
			{"resumed", func() error { return camera.ReplaceTrack(first) }, false},
			{"muted", func() error { return camera.SetMuted(true) }, true},
			{"unmuted", func() error { return camera.SetMuted(false) }, false},
			{"ended", func() error { first.unplug(nil); return nil }, true},
			{"swapped", func() error { return camera.ReplaceTrack(second) }, false},
		} {
			must(t, step.do())
			if e := until[noom.TrackMuted](t, b, nil); e.Muted != step.muted || track.Muted() != step.muted {
				t.Errorf("%s: told as muted: %v", step.what, e.Muted)
			}
		}
		late := w.join("r", "late", nil)
		must(t, camera.ReplaceTrack(nil))
		if e := until[noom.TrackAdded](t, late, nil); !e.Track.Muted() {
			until[noom.TrackMuted](t, late, nil)
		}
	})
}
