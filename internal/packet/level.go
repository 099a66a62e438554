package packet

import (
	"slices"

	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/speaker"
)

// LevelVoice is the bit of the header extension of RFC 6464 that marks a packet as voice. Like
// browsers, noom always sets it, and on receipt uses only the level.
const LevelVoice = 0x80

// ExtensionID returns the id of a header extension among those negotiated, or 0 if it was not negotiated.
func ExtensionID(negotiated []webrtc.RTPHeaderExtensionParameter, uri string) uint8 {
	i := slices.IndexFunc(negotiated, func(e webrtc.RTPHeaderExtensionParameter) bool { return e.URI == uri })
	if i < 0 {
		return 0
	}
	return uint8(negotiated[i].ID)
}

// LevelID returns the id of the extension of RFC 6464 among those negotiated, or 0.
func LevelID(negotiated []webrtc.RTPHeaderExtensionParameter) uint8 {
	return ExtensionID(negotiated, sdp.AudioLevelURI)
}

// LevelIn returns the level in a header's extension with that id.
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

// Loudness converts a level to what a track stores: a larger number is louder, and 0 is no level.
func Loudness(dBov int) int32 { return int32(dBov - speaker.Silence + 1) }

// LevelOf converts a Loudness back to a level. ok is false if there is none.
func LevelOf(v int32) (dBov int, ok bool) {
	if v == 0 {
		return 0, false
	}
	return int(v) - 1 + speaker.Silence, true
}
