package noom_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
	"noom/noomtest"
)

// starved is a call of three in which the connection to bob takes too little for the picture that alice sends.
func starved(t *testing.T, w *world) (alice, bob noom.Room, sender noom.Sender) {
	t.Helper()
	alice, bob = w.join("r", "alice", nil), w.join("r", "bob", nil)
	w.join("r", "carol", nil)
	w.Settle()
	w.SetDownload("bob", noomtest.Link{Bandwidth: 70_000})
	sender, err := alice.Publish(t.Context(), w.Video(nil), nil)
	must(t, err)
	until(t, alice, func(e noom.SenderPaused) bool { return e.Peer.ID() == bob.Self().ID && e.Paused })
	return alice, bob, sender
}

// TestPublishRightComesBack: a peer that gets too little for a picture does not get it because its sender may publish
// again.
func TestPublishRightComesBack(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		alice, bob, _ := starved(t, w)
		noom.TakeForViewer(alice)
		until[noom.TrackRemoved](t, bob, nil)
		noom.TakeForPublisher(alice)
		track := until[noom.TrackAdded](t, bob, nil).Track
		time.Sleep(500 * time.Millisecond)
		view := w.View(track)
		time.Sleep(5 * time.Second)
		if r := view.Report(); !track.Paused() || r.Frames > 0 {
			t.Errorf("paused %v, bob sees %v", track.Paused(), r)
		}
	})
}

// layered is a source that brings encodings of its own.
type layered struct {
	*noomtest.Video
	encodings []noom.Encoding
}

func (l *layered) Encodings() []noom.Encoding { return l.encodings }

// TestOtherEncodingsFit: a track that comes with an encoding that fits is flowing for the sender's application too.
func TestOtherEncodingsFit(t *testing.T) {
	inWorld(t, 30*time.Millisecond, func(t *testing.T, w *world) {
		alice, bob, sender := starved(t, w)
		high := &layered{Video: w.Video(nil)}
		low := w.Video(&noomtest.VideoOptions{Height: 180, Width: 320})
		high.encodings = []noom.Encoding{
			{Track: high, Height: 720, MinBitrate: 300_000}, {Track: low, Height: 180, MinBitrate: 10_000, MaxBitrate: 20_000},
		}
		must(t, sender.ReplaceTrack(high))
		time.Sleep(20 * time.Second)
		paused := true
		for _, e := range waiting(t, alice) {
			if e, is := e.(noom.SenderPaused); is && e.Peer.ID() == bob.Self().ID {
				paused = e.Paused
			}
		}
		track := peerOf(t, bob, alice).Tracks()[0]
		if track.Paused() || paused {
			t.Errorf("for bob it is paused: %v; for alice: %v", track.Paused(), paused)
		}
	})
}

// parting is a source that lets a peer go while it is bound.
type parting struct {
	*mediatest.DeviceCamera
	part func()
}

func (p *parting) Bind(to webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	p.part()
	return p.DeviceCamera.Bind(to)
}

// TestPublishToOneWhoLeaves: Publish to a peer that goes meanwhile says so, and nothing is left of the track, whether the
// peer has left or may come back.
func TestPublishToOneWhoLeaves(t *testing.T) {
	for name, leave := range map[string]func(t *testing.T, w *world, bob noom.Room){
		"left": func(t *testing.T, _ *world, bob noom.Room) { must(t, bob.Leave(t.Context())) },
		"lost": func(_ *testing.T, w *world, _ noom.Room) {
			w.CutSignaling("bob")
			w.Cut("bob")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
				alice, bob := w.join("r", "alice", nil), w.join("r", "bob", nil)
				w.Settle()
				bound := mediatest.NewDeviceCamera()
				source := &parting{bound, func() {
					leave(t, w, bob)
					until[noom.PeerLeft](t, alice, nil)
					time.Sleep(10 * time.Second)
				}}
				s, err := peerOf(t, alice, bob).Publish(t.Context(), source, nil)
				if s != nil || !errors.Is(err, noom.ErrClosed) {
					t.Errorf("Publish returned %v, %v", s, err)
				}
				time.Sleep(time.Second)
				if n := noom.SharedAlone(alice); n != 0 {
					t.Errorf("%d tracks are still shared", n)
				}
				if _, _, n := bound.Asked(); n != 0 {
					t.Error("the camera is still on")
				}
			})
		})
	}
}
