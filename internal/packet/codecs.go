// Package packet knows what the bytes of RTP packets mean: which codecs there are and
// which of them can carry which, where key frames start, where pictures have numbers, and
// how loud sound is. It is pure and owns nothing.
package packet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
)

// ReceiveMTU bounds the packets read from the network, in bytes. Larger ones are
// dropped; no path in use carries more in one datagram.
const ReceiveMTU = 1500

var videoFeedback = []webrtc.RTCPFeedback{
	{Type: webrtc.TypeRTCPFBGoogREMB},
	{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
	{Type: webrtc.TypeRTCPFBNACK},
	{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
	{Type: webrtc.TypeRTCPFBTransportCC},
}

var audioFeedback = []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}}

// CodecsFor returns noom's codecs of a kind, best first and without retransmission. A source
// chooses one of them. The slice is the caller's.
//
// Video has numbers from 35 to 46: Firefox uses none of them in sections of its own, and
// Chromium gives way to what it has been offered.
func CodecsFor(kind webrtc.RTPCodecType) []webrtc.RTPCodecParameters {
	codec := func(pt webrtc.PayloadType, mime string, rate uint32, channels uint16, fmtp string) webrtc.RTPCodecParameters {
		feedback := videoFeedback
		if kind == webrtc.RTPCodecTypeAudio {
			feedback = audioFeedback
		}
		return webrtc.RTPCodecParameters{
			RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: mime, ClockRate: rate, Channels: channels, SDPFmtpLine: fmtp, RTCPFeedback: feedback,
			},
			PayloadType: pt,
		}
	}
	const h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id="
	switch kind {
	case webrtc.RTPCodecTypeAudio:
		return []webrtc.RTPCodecParameters{
			codec(111, webrtc.MimeTypeOpus, 48000, 2, "minptime=10;useinbandfec=1"),
			codec(9, webrtc.MimeTypeG722, 8000, 0, ""),
			codec(0, webrtc.MimeTypePCMU, 8000, 0, ""),
			codec(8, webrtc.MimeTypePCMA, 8000, 0, ""),
		}
	case webrtc.RTPCodecTypeVideo:
		return []webrtc.RTPCodecParameters{
			codec(35, webrtc.MimeTypeVP8, 90000, 0, ""),
			codec(37, webrtc.MimeTypeH264, 90000, 0, h264+"42e01f"),
			codec(39, webrtc.MimeTypeH264, 90000, 0, h264+"42001f"),
			codec(41, webrtc.MimeTypeH264, 90000, 0, h264+"64001f"),
			codec(43, webrtc.MimeTypeVP9, 90000, 0, "profile-id=0"),
			codec(45, webrtc.MimeTypeAV1, 90000, 0, ""),
		}
	case webrtc.RTPCodecTypeUnknown:
	}
	return nil
}

// Retransmission returns the RTX format (RFC 4588) that goes with one of noom's codecs.
func Retransmission(codec webrtc.RTPCodecParameters) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    webrtc.MimeTypeRTX,
			ClockRate:   codec.ClockRate,
			SDPFmtpLine: "apt=" + strconv.Itoa(int(codec.PayloadType)),
		},
		PayloadType: codec.PayloadType + 1,
	}
}

// CanonicalMIME returns pion's constant for a MIME type, which peers and tracks may spell
// in any case (RFC 6838 section 4.2). If it is none of noom's, it returns mime as it is.
func CanonicalMIME(mime string) string {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, codec := range CodecsFor(kind) {
			if strings.EqualFold(codec.MimeType, mime) {
				return codec.MimeType
			}
		}
	}
	return mime
}

// isOpus reports whether a MIME type is that of Opus.
func isOpus(mime string) bool { return strings.EqualFold(mime, webrtc.MimeTypeOpus) }

// AlsoMono returns offered with a second entry for Opus, which has one channel: SDP always
// has two (RFC 7587 section 7), but a track may declare what it really has.
func AlsoMono(offered []webrtc.RTPCodecParameters) []webrtc.RTPCodecParameters {
	for _, format := range offered {
		if isOpus(format.MimeType) {
			format.Channels = 1
			return append(slices.Clip(offered), format)
		}
	}
	return offered
}

// SendsStereo reports whether a track of that codec may send two channels: it is Opus, and
// does not declare that it has one.
func SendsStereo(codec webrtc.RTPCodecCapability) bool {
	asked := FormatParameter(codec.SDPFmtpLine, "stereo", "1")
	return isOpus(codec.MimeType) && codec.Channels != 1 && FormatParameter(codec.SDPFmtpLine, "sprop-stereo", asked) == "1"
}

// WrongCodec returns the error for a track whose codec none of known can carry.
func WrongCodec(codec webrtc.RTPCodecCapability, known []webrtc.RTPCodecParameters) error {
	if len(known) == 0 { // the kind is neither audio nor video
		known = slices.Concat(CodecsFor(webrtc.RTPCodecTypeAudio), CodecsFor(webrtc.RTPCodecTypeVideo))
	}
	var names []string
	for _, format := range known {
		name := format.MimeType
		if len(known) == 1 && format.SDPFmtpLine != "" {
			name += " (" + format.SDPFmtpLine + ")"
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	what := cmp.Or(codec.MimeType, "an unknown codec")
	if codec.ClockRate != 0 {
		what += fmt.Sprintf("/%d", codec.ClockRate)
	}
	if codec.Channels > 1 {
		what += fmt.Sprintf("/%d", codec.Channels)
	}
	if codec.SDPFmtpLine != "" {
		what += " (" + codec.SDPFmtpLine + ")"
	}
	return fmt.Errorf("%w: the track sends %s; supported: %s", fault.Codec, what, strings.Join(names, ", "))
}

// Carries reports whether a receiver of format can decode what a source of codec
// sends. A parameter that the source leaves out is assumed to fit.
func Carries(format, codec webrtc.RTPCodecCapability) bool {
	switch {
	case !strings.EqualFold(format.MimeType, codec.MimeType),
		codec.ClockRate != 0 && codec.ClockRate != format.ClockRate,
		isOpus(codec.MimeType) && codec.Channels > 2,
		!isOpus(codec.MimeType) && codec.Channels != 0 && codec.Channels != max(1, format.Channels):
		return false
	case codec.SDPFmtpLine == "":
		return true
	}
	same := func(key, missing string) bool {
		return FormatParameter(format.SDPFmtpLine, key, missing) == FormatParameter(codec.SDPFmtpLine, key, missing)
	}
	switch strings.ToLower(codec.MimeType) {
	case "video/h264":
		return carriesH264(format.SDPFmtpLine, codec.SDPFmtpLine)
	case "video/vp9":
		return same("profile-id", "0")
	case "video/av1":
		return same("profile", "0")
	}
	return true
}

// carriesH264 compares packetization-mode and profile_idc (RFC 6184 section 8.1).
// Mode 1 includes mode 0. Of the profiles in use here, a higher number includes
// the lower ones: baseline 42, main 4d, high 64.
func carriesH264(format, codec string) bool {
	mode := func(fmtp string) string { return FormatParameter(fmtp, "packetization-mode", "0") }
	profile := func(fmtp string) string {
		return strings.ToLower(FormatParameter(fmtp, "profile-level-id", "420010")[:2])
	}
	return mode(codec) <= mode(format) && profile(codec) <= profile(format)
}

// FormatParameter returns the value of key in an SDP format line. It returns missing if
// there is none, or if it is shorter than missing.
func FormatParameter(line, key, missing string) string {
	for parameter := range strings.SplitSeq(line, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, key) && len(value) >= len(missing) {
			return value
		}
	}
	return missing
}
