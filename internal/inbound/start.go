package inbound

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// keyframeStart says whether a packet is the first of a key frame, as far as its payload tells.
type keyframeStart int

const (
	startsNothing keyframeStart = iota
	startsKeyframe
	startsUnlessCut // it is, unless the parameter sets of H.264 are in a packet before it
)

// isWhole reports whether what begins is whole: nothing of the key frame is missing. follows says that what the packet before
// it brought is there.
func isWhole(start keyframeStart, follows bool) bool {
	return start == startsKeyframe || start == startsUnlessCut && follows
}

// keyframeStarts returns what says it of the payloads of a codec, by its canonical MIME type.
func keyframeStarts(mimeType string) func(payload []byte) keyframeStart {
	starts := packet.KeyframeStart(mimeType)
	return func(payload []byte) keyframeStart {
		switch {
		case !starts(payload):
			return startsNothing
		case mimeType == webrtc.MimeTypeH264 && packet.IsH264IDRAlone(payload):
			return startsUnlessCut
		}
		return startsKeyframe
	}
}
