package packet

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
)

// Bounds of codecs beside noom's own, so that descriptions have room for several sections.
const (
	MaxExtra      = 4 // of both kinds together
	maxFormatLine = 256
	maxEncoding   = 32
	ExtraSize     = 768 // bytes that one takes in a section at most
	firstDynamic  = 96  // RFC 3551 section 6
	lastDynamic   = 127
	opusNumber    = 111 // noom's Opus
)

// KindOf returns the kind in a MIME type, 0 if it is neither audio nor video.
func KindOf(mime string) webrtc.RTPCodecType {
	kind, _, _ := strings.Cut(mime, "/")
	return webrtc.NewRTPCodecType(strings.ToLower(kind))
}

// WithExtra returns noom's codecs of a kind and those in extra, which CheckExtra has accepted. Extra video codecs are
// repaired as noom's are. The slice is the caller's.
func WithExtra(kind webrtc.RTPCodecType, extra []webrtc.RTPCodecParameters) []webrtc.RTPCodecParameters {
	all := CodecsFor(kind)
	for _, codec := range extra {
		if KindOf(codec.MimeType) != kind {
			continue
		}
		codec.RTCPFeedback = videoFeedback
		if kind == webrtc.RTPCodecTypeAudio {
			codec.RTCPFeedback = audioFeedback
		}
		all = append(all, codec)
	}
	return all
}

// CheckExtra returns an error that matches fault.Codec if noom cannot offer extra in addition to its own codecs.
func CheckExtra(extra []webrtc.RTPCodecParameters) error {
	if len(extra) > MaxExtra {
		return fmt.Errorf("%w: %d codecs, at most %d are allowed", fault.Codec, len(extra), MaxExtra)
	}
	taken := map[webrtc.PayloadType]string{opusNumber: "noom's Opus"}
	for _, codec := range extra {
		if err := checkExtra(codec, taken); err != nil {
			return fmt.Errorf("%w: %q with payload type %d: %w", fault.Codec, codec.MimeType, codec.PayloadType, err)
		}
	}
	return nil
}

// CheckPreferred returns an error that matches fault.Codec unless each of those MIME types is that of one of noom's
// codecs or of those in extra, and of another one than the others.
func CheckPreferred(preferred []string, extra []webrtc.RTPCodecParameters) error {
	var known []string
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, codec := range WithExtra(kind, extra) {
			if !slices.Contains(known, codec.MimeType) {
				known = append(known, codec.MimeType)
			}
		}
	}
	for i, mime := range preferred {
		same := func(other string) bool { return strings.EqualFold(other, mime) }
		if !slices.ContainsFunc(known, same) {
			return fmt.Errorf("%w: %q is unknown; known: %s", fault.Codec, mime, strings.Join(known, ", "))
		}
		if slices.ContainsFunc(preferred[:i], same) {
			return fmt.Errorf("%w: %q is there twice", fault.Codec, mime)
		}
	}
	return nil
}

// checkExtra checks one codec and takes its payload types.
func checkExtra(codec webrtc.RTPCodecParameters, taken map[webrtc.PayloadType]string) error {
	kind := KindOf(codec.MimeType)
	_, encoding, _ := strings.Cut(codec.MimeType, "/")
	numbers := []webrtc.PayloadType{codec.PayloadType}
	switch {
	case kind == 0:
		return errors.New("its MimeType must begin with audio/ or video/")
	case encoding == "" || len(encoding) > maxEncoding || strings.ContainsFunc(encoding, notInToken):
		return fmt.Errorf("its MimeType must end with an encoding of 1 to %d letters, digits, '-', '.' and '_'", maxEncoding)
	case strings.EqualFold(encoding, "rtx"):
		return errors.New("noom adds the retransmission of each video codec itself")
	case codec.ClockRate == 0:
		return errors.New("its ClockRate is missing")
	case codec.Channels > 2:
		return fmt.Errorf("it has %d channels, at most 2 are allowed", codec.Channels)
	case len(codec.SDPFmtpLine) > maxFormatLine || strings.ContainsFunc(codec.SDPFmtpLine, notInLine):
		return fmt.Errorf("its SDPFmtpLine must be printable ASCII of at most %d bytes", maxFormatLine)
	case slices.ContainsFunc(CodecsFor(kind), func(own webrtc.RTPCodecParameters) bool {
		return Carries(own.RTPCodecCapability, codec.RTPCodecCapability)
	}):
		return errors.New("noom has that codec already")
	case kind == webrtc.RTPCodecTypeVideo:
		numbers = append(numbers, codec.PayloadType+1) // its retransmission
	}
	for _, n := range numbers {
		if n < firstDynamic || n > lastDynamic {
			return fmt.Errorf("payload type %d is not from %d to %d", n, firstDynamic, lastDynamic)
		}
		if by := taken[n]; by != "" {
			return fmt.Errorf("payload type %d is taken by %s", n, by)
		}
		taken[n] = codec.MimeType
	}
	return nil
}

func notInToken(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '.' && r != '_'
}

func notInLine(r rune) bool { return r < ' ' || r > '~' }
