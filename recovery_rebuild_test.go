package noom_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
)

// TestRebuildKeepsTracks: a rebuild, from either end, is a pause in the
// packets and nothing else.
func TestRebuildKeepsTracks(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var rooms [2]noom.Room
		for i := range rooms {
			camera := newTestCamera(t)
			go film(ctx, camera)
			rooms[i] = w.join("r", fmt.Sprint(i), &noom.Config{Tracks: []noom.LocalTrack{{Track: camera}}})
		}
		var peers [2]noom.Peer
		var tracks [2]noom.RemoteTrack
		for i, r := range rooms {
			tracks[i] = until[noom.TrackAdded](t, r, nil).Track
			peers[i] = r.Peers()[0]
			until(t, r, connected)
		}
		for round := range 6 {
			before := [2]*webrtc.PeerConnection{peers[0].Connection(), peers[1].Connection()}
			breakUp(peers[round%2])
			time.Sleep(20 * time.Second)
			for i, r := range rooms {
				if peers[i].Connection() == before[i] || peers[i].State() != noom.PeerConnected {
					t.Fatalf("round %d: no new connection, %s", round, peers[i].State())
				}
				if err := flow(tracks[i]); err != nil {
					t.Fatalf("round %d: to %d: %v", round, i, err)
				}
				for _, e := range waiting(t, r) {
					switch e.(type) {
					case noom.TrackAdded, noom.TrackRemoved, noom.PeerLeft, noom.PeerJoined:
						t.Fatalf("round %d: %T", round, e)
					}
				}
			}
		}
	})
}
