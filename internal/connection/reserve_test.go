package connection

import (
	"testing"

	"github.com/pion/sdp/v3"
)

// TestRejects: a section with the port 0 may still be one that uses the port of another.
func TestRejects(t *testing.T) {
	section := func(port int, attributes ...sdp.Attribute) *sdp.MediaDescription {
		return &sdp.MediaDescription{MediaName: sdp.MediaName{Media: "video", Port: sdp.RangedPort{Value: port}}, Attributes: attributes}
	}
	for name, test := range map[string]struct {
		section *sdp.MediaDescription
		want    bool
	}{
		"a port":           {section(9), false},
		"none":             {section(0, sdp.NewPropertyAttribute("recvonly")), true},
		"that of another":  {section(0, sdp.NewPropertyAttribute("bundle-only"), sdp.NewPropertyAttribute("recvonly")), false},
		"its own, bundled": {section(9, sdp.NewPropertyAttribute("bundle-only")), false},
	} {
		if got := rejects(test.section); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
