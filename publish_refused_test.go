package noom_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
	"noom/internal/packet"
	"noom/signal"
)

// TestTooManyTracks: what a description has no room for is refused, one track
// at a time; the call and its other tracks go on, and what is closed makes room.
func TestTooManyTracks(t *testing.T) {
	const many = 40
	for name, late := range map[string]bool{"from the start": false, "one after the other": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				cfg := &noom.Config{}
				if !late {
					for i := range many {
						cfg.Tracks = append(cfg.Tracks, noom.LocalTrack{Name: fmt.Sprint("카메라 ", i), Track: mediatest.NewSampleCamera(t)})
					}
				}
				a, b := w.join("방", "a", cfg), w.join("방", "b", nil)
				until(t, b, connected)
				for i := 0; late && i < many; i++ {
					if _, err := a.Publish(t.Context(), mediatest.NewSampleCamera(t), &noom.PublishOptions{Name: fmt.Sprint("카메라 ", i)}); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Second)
				}
				time.Sleep(5 * time.Second)
				p, q := peerOf(t, a, b), peerOf(t, b, a)
				taken := len(q.Tracks())
				if taken != 24 || p.State() != noom.PeerConnected {
					t.Fatalf("%s with %d tracks", p.State(), taken)
				}
				// So much a connection reckons with, when it still can leave a section out.
				if size := len(p.Connection().LocalDescription().SDP); size > 4096+2880+(taken-1)*1280 {
					t.Errorf("they take %d bytes", size)
				}
				for range many - taken {
					if e := until[noom.TrackRefused](t, a, nil); !errors.Is(e.Err, noom.ErrTooMany) {
						t.Fatalf("refused: %v", e.Err)
					}
				}
				if err := a.Senders()[0].Close(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				if _, err := a.Publish(t.Context(), mediatest.NewSampleCamera(t), &noom.PublishOptions{Name: "화면"}); err != nil {
					t.Fatal(err)
				}
				until(t, b, func(e noom.TrackAdded) bool { return e.Track.Name() == "화면" })
			})
		})
	}
}

// TestSectionRejected: of the very first section the other end knows no codec at
// all. It is rejected; all else is negotiated beside it, from either end: where
// pion can no longer offer, in the next epoch.
func TestSectionRejected(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		sound, err := webrtc.NewTrackLocalStaticSample(mediatest.Opus, "a", "s")
		must(t, err)
		a := w.join("방", "a", &noom.Config{Tracks: []noom.LocalTrack{{Track: sound}}})
		named := make(map[string]bool)
		poor := w.joinPoor("방", &noom.Config{NoCard: true, TraceBodies: true, Trace: func(e noom.Trace) {
			var b signal.Candidates
			if e.Kind == noom.TraceSent && e.Message.Type == signal.TypeCandidates && e.Message.Epoch.Number == 1 &&
				signal.DecodeBody(e.Message.Body, &b) == nil {
				for _, c := range b.Candidates {
					named[c.SDPMid] = true
				}
			}
		}})
		if e := until[noom.TrackRefused](t, a, nil); !errors.Is(e.Err, noom.ErrCodec) || e.Codec != webrtc.MimeTypeOpus {
			t.Fatalf("refused: %+v", e)
		}
		until(t, poor, connected)
		for from, to := range map[noom.Room]noom.Room{a: poor, poor: a} {
			camera := newTestCamera(t)
			go film(ctx, camera)
			_, err := from.Publish(t.Context(), camera, &noom.PublishOptions{Name: "화면"})
			must(t, err)
			receives(t, to, from.Self().ID, "화면")
		}
		p := peerOf(t, a, poor)
		must(t, p.Send(t.Context(), []byte("still friends")))
		until[noom.DataReceived](t, poor, nil)
		if named["0"] || len(named) == 0 {
			t.Errorf("candidates name the sections %v", named)
		}
	})
}

// joinPoor enters a room as "poor", which knows VP8 and no other codec.
func (w *world) joinPoor(room string, cfg *noom.Config) noom.Room {
	w.t.Helper()
	media := &webrtc.MediaEngine{}
	for _, c := range packet.CodecsFor(webrtc.RTPCodecTypeVideo) {
		if c.MimeType == webrtc.MimeTypeVP8 {
			must(w.t, media.RegisterCodec(c, webrtc.RTPCodecTypeVideo))
		}
	}
	poor, err := noom.JoinKnowing(w.t.Context(), w.Dialer("poor"), room, w.config("poor", cfg), media)
	must(w.t, err)
	w.leaveAtEnd(poor)
	return poor
}

// TestCodecNobodyShares: one peer cannot take a codec, the other can.
func TestCodecNobodyShares(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		poor := w.joinPoor("r", nil)
		rich := w.join("r", "rich", nil)
		a := w.join("r", "a", nil)
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1}, "v", "s")
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Publish(t.Context(), track, nil)
		if err != nil {
			t.Fatal(err)
		}
		e := until[noom.TrackRefused](t, a, nil)
		if e.Peer.ID() != poor.Self().ID || e.Sender != s || e.Codec != webrtc.MimeTypeAV1 {
			t.Fatalf("refused: %+v", e)
		}
		until[noom.TrackAdded](t, rich, nil)
		p, _ := a.Peer(poor.Self().ID)
		for p.State() != noom.PeerConnected {
			until[noom.PeerStateChanged](t, a, nil)
		}
		if d := expect(t, a, poor, noom.VerdictCodec); len(d.Codecs) != 1 || d.Codecs[0] != webrtc.MimeTypeAV1 || d.Path == nil {
			t.Errorf("diagnosed as %+v", d)
		}
		if err := p.Send(t.Context(), []byte("still friends")); err != nil {
			t.Fatal(err)
		}
		until[noom.DataReceived](t, poor, nil)
	})
}
