package packet

import (
	"slices"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/speaker"
)

// The header extension of RFC 6464: one byte, of which the first bit says
// whether it is voice. As browsers do, noom always says so, and heeds the level
// alone.
const LevelVoice = 0x80

// LevelID finds the extension among those negotiated; 0: it was not.
func LevelID(negotiated []webrtc.RTPHeaderExtensionParameter) uint8 {
	i := slices.IndexFunc(negotiated, func(e webrtc.RTPHeaderExtensionParameter) bool { return e.URI == sdp.AudioLevelURI })
	if i < 0 {
		return 0
	}
	return uint8(negotiated[i].ID)
}

// LevelIn reads the extension.
func LevelIn(header *rtp.Header, id uint8) (dBov int, ok bool) {
	if id == 0 {
		return 0, false
	}
	payload := header.GetExtension(id)
	if len(payload) == 0 {
		return 0, false
	}
	return -int(payload[0] &^ LevelVoice), true
}

// Loudness is a level as a track keeps it: more is louder, and 0 is none.
func Loudness(dBov int) int32 { return int32(dBov - speaker.Silence + 1) }

func LevelOf(v int32) (dBov int, ok bool) {
	if v == 0 {
		return 0, false
	}
	return int(v) - 1 + speaker.Silence, true
}
