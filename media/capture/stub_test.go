//go:build !capture || !cgo

package capture

import (
	"errors"
	"strings"
	"testing"
)

// Without the tag everything says how to get it.
func TestNotBuilt(t *testing.T) {
	_, list := Devices()
	_, camera := OpenCamera("웹캠", nil)
	_, microphone := OpenMicrophone("")
	_, encoder := NewOpusEncoder(48000)
	_, screen := OpenScreen("", nil)
	for _, err := range []error{list, camera, microphone, encoder, screen} {
		if !errors.Is(err, ErrNotBuilt) {
			t.Fatal(err)
		}
		for _, word := range []string{"CGO_ENABLED=1", "-tags capture", "gcc", "g++"} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%q does not say %s", err, word)
			}
		}
	}
}
