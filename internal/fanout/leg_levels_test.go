package fanout

import (
	"fmt"
	"testing"
	"testing/synctest"

	"noom/internal/mediatest"
)

// TestLegSendsAudioLevels: the source's level is sent under the id that was negotiated for
// the leg. Without a level there is no extension, and the source's own are never sent.
func TestLegSendsAudioLevels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := mediatest.NewVoice(t)
		_, wire := boundLeg(t, publishTrack(t, v))
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
