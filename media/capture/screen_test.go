//go:build capture && cgo && screen && linux

package capture

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pion/mediadevices/pkg/driver/screen"
	"github.com/pion/webrtc/v4"

	"noom/internal/xvfbtest"
)

func TestScreen(t *testing.T) {
	if _, err := OpenScreen("", nil); !errors.Is(err, ErrNotFound) {
		t.Skipf("SKIPPED: there is a screen already: %v", err)
	}
	xvfbtest.Start(t)
	screen.Initialize()
	list, err := Devices()
	if err != nil || !slices.Contains(list, Device{Screen, "X11Screen0", ""}) {
		t.Fatalf("%v, %v", list, err)
	}
	if _, err = OpenScreen("창문", nil); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), `"X11Screen0"`) {
		t.Errorf("%v; want what there is instead", err)
	}
	for range 2 { // it can be opened again after Close
		track, err := OpenScreen("", &ScreenOptions{FPS: 30})
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := OpenScreen("X11Screen0", nil); !errors.Is(twice, ErrBusy) {
			t.Errorf("opened twice: %v", twice)
		}
		if _, ok := track.AudioLevel(); ok {
			t.Error("a screen has a loudness")
		}
		// Alongside a camera.
		camera, err := OpenCamera("VideoTest", nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, source := range []*Track{track, camera} {
			p := newPlace("p", offer(webrtc.MimeTypeH264, 102))
			codec, err := source.Bind(p)
			if err != nil {
				t.Fatal(err)
			}
			seeKeyFrames(t, p, codec)
			p.leave()
			finish(t, source)
		}
	}
}
