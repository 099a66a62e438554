//go:build !capture || !cgo

package join

import "testing"

// Without the tag the flags say how to get it.
func TestNoCapture(t *testing.T) {
	for _, flag := range []string{"-camera", "-microphone", "-screen", "-list-devices"} {
		args := []string{flag, "웹캠"}
		if flag == "-list-devices" {
			args = args[:1]
		}
		fails(t, 1, []string{flag, "-tags capture", "CGO_ENABLED=1", "gcc and g++"}, args...)
	}
}
