//go:build capture && cgo && screen && linux

package capture

import (
	"bufio"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pion/mediadevices/pkg/driver/screen"
	"github.com/pion/webrtc/v4"
)

// display starts an X server without a screen of glass and makes it ours.
func display(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		t.Skip("SKIPPED: there is no Xvfb here; screens are not tested")
	}
	server := exec.CommandContext(context.Background(), path, "-displayfd", "1", "-screen", "0", "640x480x24")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // behind whatever uses it: Xlib would end the process
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	number, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DISPLAY", ":"+strings.TrimSpace(number))
	screen.Initialize()
}

func TestScreen(t *testing.T) {
	if _, err := OpenScreen("", nil); !errors.Is(err, ErrNotFound) {
		t.Skipf("SKIPPED: there is a screen already: %v", err)
	}
	display(t)
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
		// Beside a camera.
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
