package packet_test

import (
	"testing"

	"github.com/pion/rtp"

	"noom/internal/packet"
)

// TestLevelIn reads extensions as they may come from the network.
func TestLevelIn(t *testing.T) {
	for payload, want := range map[string]int{"\x80": 0, "\x94": -20, "\x14": -20, "\xff": -127, "\x85\x01\x02": -5} {
		h := rtp.Header{}
		if err := h.SetExtension(3, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		if got, ok := packet.LevelIn(&h, 3); got != want || !ok {
			t.Errorf("%x: %d, %v; want %d", payload, got, ok, want)
		}
		for _, id := range []uint8{0, 4} {
			if _, ok := packet.LevelIn(&h, id); ok {
				t.Errorf("%x: a level under id %d", payload, id)
			}
		}
	}
	empty := rtp.Header{Extension: true, ExtensionProfile: rtp.ExtensionProfileTwoByte}
	if err := empty.SetExtension(3, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := packet.LevelIn(&empty, 3); ok {
		t.Error("a level in an empty extension")
	}
}
