package noom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom"
)

// camera is a VP8 source whose frames are all key frames.
func newTestCamera(t *testing.T) *webrtc.TrackLocalStaticSample {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "camera", "test")
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// film writes frames to a camera until ctx ends.
func film(ctx context.Context, track *webrtc.TrackLocalStaticSample) {
	filmEvery(ctx, track, 40*time.Millisecond)
}

func filmEvery(ctx context.Context, track *webrtc.TrackLocalStaticSample, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	frame := append([]byte{0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a, 16, 0, 16, 0}, make([]byte, 100)...)
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = track.WriteSample(media.Sample{Data: frame, Duration: pause})
		}
	}
}

// receives waits until packets of the track that peer id sends arrive at r.
func receives(t *testing.T, r noom.Room, id, name string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		if p, ok := r.Peer(id); ok {
			for _, track := range p.Tracks() {
				if track.Name() == name {
					if _, err := track.ReadRTP(); err != nil {
						t.Fatalf("%s reads %s: %v", r.Self().Name, name, err)
					}
					return
				}
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s never sees %s of %s", r.Self().Name, name, id)
}

func TestPublish(t *testing.T) {
	for n := 2; n <= 8; n += 3 {
		t.Run(fmt.Sprintf("%d members", n), func(t *testing.T) {
			inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				var rooms []noom.Room
				for i := range n {
					track := newTestCamera(t)
					go film(ctx, track)
					var cfg noom.Config
					if i%2 == 0 {
						cfg.Tracks = []noom.LocalTrack{{Name: "camera", Track: track}}
					}
					r := w.join("데모", fmt.Sprint("member ", i), &cfg)
					if i%2 == 1 {
						if _, err := r.Publish(ctx, track, nil); err != nil {
							t.Fatal(err)
						}
					}
					rooms = append(rooms, r)
				}
				for _, r := range rooms {
					for _, o := range rooms {
						if r != o {
							receives(t, r, o.Self().ID, "camera")
						}
					}
				}
			})
		})
	}
}

func TestUnpublishAndPublishAgain(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		track := newTestCamera(t)
		go film(ctx, track)
		var sections int
		for i := range 5 {
			s, err := a.Publish(ctx, track, &noom.PublishOptions{Name: fmt.Sprint("take ", i)})
			if err != nil {
				t.Fatal(err)
			}
			added := until[noom.TrackAdded](t, b, nil)
			if added.Track.Name() != fmt.Sprint("take ", i) {
				t.Fatalf("got track %q", added.Track.Name())
			}
			if _, err = added.Track.ReadRTP(); err != nil {
				t.Fatal(err)
			}
			if err = s.SetMuted(true); err != nil {
				t.Fatal(err)
			}
			if e := until[noom.TrackMuted](t, b, nil); e.Track != added.Track || !e.Muted || !e.Track.Muted() {
				t.Fatalf("mute was told as %+v", e)
			}
			if err = s.Close(); err != nil {
				t.Fatal(err)
			}
			if e := until[noom.TrackRemoved](t, b, nil); e.Track != added.Track {
				t.Fatal("another track was removed")
			}
			for err == nil {
				_, err = added.Track.ReadRTP()
			}
			if !errors.Is(err, io.EOF) {
				t.Fatalf("a removed track reads %v", err)
			}
			p, _ := b.Peer(a.Self().ID)
			n := strings.Count(p.Connection().RemoteDescription().SDP, "m=")
			if i > 0 && n != sections {
				t.Fatalf("publishing again made %d sections of %d", n, sections)
			}
			sections = n
		}
	})
}

func TestPeerPublish(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b, c := w.join("r", "a", nil), w.join("r", "b", nil), w.join("r", "c", nil)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		until(t, b, connected)
		until(t, b, connected)
		p, _ := a.Peer(b.Self().ID)
		track := newTestCamera(t)
		go film(ctx, track)
		if _, err := p.Publish(t.Context(), track, &noom.PublishOptions{Name: "너만"}); err != nil {
			t.Fatal(err)
		}
		receives(t, b, a.Self().ID, "너만")
		if pc, _ := c.Peer(a.Self().ID); len(pc.Tracks()) != 0 {
			t.Fatal("c got it too")
		}
		_ = b.Leave(t.Context())
		until[noom.PeerLeft](t, a, nil)
		if _, err := p.Publish(t.Context(), track, nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("publish to who is gone: %v", err)
		}
		if err := p.Send(t.Context(), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("send to who is gone: %v", err)
		}
	})
}
