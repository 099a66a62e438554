package packet

import (
	"iter"
	"strings"
)

// KeyframeStart returns a function that reports whether an RTP payload of that codec
// is the first of a key frame. For audio and unknown codecs it is always true, because
// a stream may start anywhere.
func KeyframeStart(mimeType string) func(payload []byte) bool {
	switch strings.ToLower(mimeType) {
	case "video/vp8":
		return startsVP8Keyframe
	case "video/vp9":
		return startsVP9Keyframe
	case "video/h264":
		return startsH264Keyframe
	case "video/av1":
		return startsAV1Keyframe
	}
	return func([]byte) bool { return true }
}

// startsVP8Keyframe: RFC 7741, the payload descriptor of section 4.2 (S set,
// partition 0), then the P bit of the payload header of section 4.3.
func startsVP8Keyframe(p []byte) bool {
	size, ok := vp8Descriptor(p)
	return ok && p[0]&(vp8Start|vp8Partition) == vp8Start && p[size]&0x01 == 0
}

// startsVP9Keyframe: RFC 9628 section 4.2: B set, P clear, and the lowest
// spatial layer, because the higher ones predict from it.
func startsVP9Keyframe(p []byte) bool {
	if len(p) < 2 || p[0]&vp9Begin == 0 || p[0]&vp9Predicted != 0 {
		return false
	}
	if p[0]&vp9Layers == 0 {
		return true
	}
	at := 1
	if p[0]&vp9PictureID != 0 {
		at += 1 + int(p[1]>>7)
	}
	return len(p) > at && p[at]>>1&0x07 == 0
}

// NAL unit types of RFC 6184, table 1 and section 5.2.
const (
	nalIDR  = 5
	nalSPS  = 7
	nalPPS  = 8
	nalSTAP = 24
	nalFUA  = 28

	nalType          = 0x1f // of a unit's first byte
	nalMostImportant = 0x60 // nal_ref_idc
)

// startsH264Keyframe: a sequence parameter set, or the first slice of an IDR
// picture, alone, aggregated (STAP-A) or fragmented (FU-A, S bit set).
func startsH264Keyframe(p []byte) bool {
	return beginsNAL(p, func(header byte, body []byte) bool {
		return header&nalType == nalSPS || startsIDR(header, body)
	})
}

// StartsH264IDR reports whether a payload has the first slice of an IDR picture.
func StartsH264IDR(p []byte) bool { return beginsNAL(p, startsIDR) }

// IsH264IDRAlone reports whether a payload has the first slice of an IDR picture, and no sequence parameter set: if the
// picture brings one, that is in an earlier packet.
func IsH264IDRAlone(p []byte) bool {
	return StartsH264IDR(p) && !beginsNAL(p, func(header byte, _ []byte) bool { return header&nalType == nalSPS })
}

// beginsNAL reports whether a wanted unit begins in the payload. wanted gets the unit's
// first byte and what follows it.
func beginsNAL(p []byte, wanted func(header byte, body []byte) bool) bool {
	if len(p) > 1 && p[0]&nalType == nalFUA {
		return p[1]&0x80 != 0 && wanted(p[1], p[2:])
	}
	for nal := range wholeNALs(p) {
		if wanted(nal[0], nal[1:]) {
			return true
		}
	}
	return false
}

// wholeNALs returns the units that are complete in a payload and not empty: the only one,
// or those of a STAP-A packet up to the first with a wrong size.
func wholeNALs(p []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		switch {
		case len(p) < 2 || p[0]&nalType > nalSTAP:
		case p[0]&nalType < nalSTAP:
			yield(p)
		default:
			for rest := p[1:]; len(rest) > 3; {
				size := int(rest[0])<<8 | int(rest[1])
				rest = rest[2:]
				if size == 0 || size > len(rest) || !yield(rest[:size]) {
					return
				}
				rest = rest[size:]
			}
		}
	}
}

// startsIDR reports whether a unit is the first slice of an IDR picture. Its first field,
// first_mb_in_slice, is then 0, which Exp-Golomb encodes as a leading 1 bit.
func startsIDR(header byte, body []byte) bool {
	return header&nalType == nalIDR && len(body) > 0 && body[0]&0x80 != 0
}

// startsAV1Keyframe: the aggregation header's N bit, which marks the first
// packet of a coded video sequence (RTP payload format for AV1, section 4.4).
// N may only be set where Z, a continued fragment, is not.
func startsAV1Keyframe(p []byte) bool {
	return len(p) > 1 && p[0]&0x88 == 0x08
}
