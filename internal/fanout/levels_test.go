package fanout

import (
	"fmt"
	"testing"
	"testing/synctest"

	"noom/internal/mediatest"
)

// The level that a source knows goes out under the number that was negotiated for that
// leg; where it knows none, nothing does, and neither does what it brings along itself.
func TestLegSendsAudioLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := mediatest.NewVoice(t)
		_, wire := boundLeg(t, publish(t, v))
		want := map[int]string{
			0: "80", -1: "81", -127: "ff", -20: "94", -200: "ff", 40: "80", mediatest.UnknownLevel: "",
		}
		for level, extension := range want {
			v.SetLevel(level)
			must(t, v.Say())
			headers := wire.headers()
			h := headers[len(headers)-1]
			if got := fmt.Sprintf("%x", h.GetExtension(9)); got != extension || len(h.GetExtensionIDs()) > 1 {
				t.Errorf("level %d: extension %q of %v, want %q", level, got, h.GetExtensionIDs(), extension)
			}
		}
	})
}
