//go:build capture && cgo && screen && linux

package main

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"

	"github.com/pion/mediadevices/pkg/driver/screen"
)

// A screen is a track of its own beside the camera.
func TestScreenBesideCamera(t *testing.T) {
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
