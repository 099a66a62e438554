//go:build capture && cgo

package join

import (
	"bytes"
	"strings"
	"testing"

	_ "github.com/pion/mediadevices/pkg/driver/audiotest" // a microphone that hums
	_ "github.com/pion/mediadevices/pkg/driver/videotest" // a camera that sees bars
)

func TestCameraAndMicrophone(t *testing.T) {
	url := serve(t, nil)
	jiwoo := start(t, url, "지우", "-video", "none", "-audio", "none")
	start(t, url, "camera", "-camera", "VideoTest", "-microphone", "AudioTest")
	jiwoo.receives("camera", 15, cameraCodec, "audio/opus")
	fails(t, 1, []string{"-camera", "VideoTest", "busy"}, "-url", url, "-camera", "VideoTest")
	fails(t, 1, []string{"-camera", "없음", "not there"}, "-url", url, "-camera", "없음")
}

func TestListDevices(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-list-devices"}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
	for _, want := range []string{`-camera "VideoTest"`, `-microphone "AudioTest"`} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("%q is not in %q", want, &stdout)
		}
	}
}
