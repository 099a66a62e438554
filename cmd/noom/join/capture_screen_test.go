//go:build capture && cgo && screen && linux

package join

import (
	"testing"

	"github.com/pion/mediadevices/pkg/driver/screen"

	"noom/internal/xvfbtest"
)

// A screen is a track of its own alongside the camera.
func TestScreenBesideCamera(t *testing.T) {
	xvfbtest.Start(t)
	screen.Initialize()

	url := serve(t, nil)
	jiwoo := start(t, url, "지우", "-video", "none", "-audio", "none")
	start(t, url, "화면", "-camera", "VideoTest", "-audio", "none", "-screen", "")
	jiwoo.until("camera and screen", func(l line) bool {
		moving := map[string]bool{}
		if l.Event == "stats" {
			for _, peer := range *l.Peers {
				for _, track := range peer.Tracks {
					moving[track.Name] = track.Codec == cameraCodec && track.Frames > 5
				}
			}
		}
		return moving["camera"] && moving["screen"]
	})
}
