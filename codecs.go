package noom

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// nackHistory is how many sent packets of a video track are kept for
// retransmission: about a second of a 4 Mbit/s picture. A power of two.
const nackHistory = 512

// rtxOffset is from a codec's payload type to that of its retransmissions.
const rtxOffset = 1

// Header extensions, in the order in which pion numbers them.
var (
	audioExtensions = []string{sdp.AudioLevelURI, sdp.ABSSendTimeURI, sdp.TransportCCURI, sdp.SDESMidURI}
	videoExtensions = []string{sdp.ABSSendTimeURI, sdp.TransportCCURI, sdp.SDESMidURI}
	// What else Chromium and Firefox offer, by default or when told to.
	foreignExtensions = []string{
		"urn:ietf:params:rtp-hdrext:toffset",
		"urn:3gpp:video-orientation",
		"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
		"http://www.webrtc.org/experiments/rtp-hdrext/color-space",
		sdp.SDESRTPStreamIDURI,
		sdp.SDESRepairRTPStreamIDURI,
		"urn:ietf:params:rtp-hdrext:csrc-audio-level",
		"http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
		"http://www.webrtc.org/experiments/rtp-hdrext/inband-cn",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
		"http://www.webrtc.org/experiments/rtp-hdrext/generic-frame-descriptor-00",
		"http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-frame-tracking-id",
		"https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
	}
)

var videoFeedback = []webrtc.RTCPFeedback{
	{Type: webrtc.TypeRTCPFBGoogREMB},
	{Type: webrtc.TypeRTCPFBCCM, Parameter: "fir"},
	{Type: webrtc.TypeRTCPFBNACK},
	{Type: webrtc.TypeRTCPFBNACK, Parameter: "pli"},
	{Type: webrtc.TypeRTCPFBTransportCC},
}

var audioFeedback = []webrtc.RTCPFeedback{{Type: webrtc.TypeRTCPFBTransportCC}}

// codecsFor returns the codecs of noom of that kind, best first and without
// retransmission: what a source may choose from. The slice is the caller's.
func codecsFor(kind webrtc.RTPCodecType) []webrtc.RTPCodecParameters {
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
			codec(96, webrtc.MimeTypeVP8, 90000, 0, ""),
			codec(102, webrtc.MimeTypeH264, 90000, 0, h264+"42e01f"),
			codec(104, webrtc.MimeTypeH264, 90000, 0, h264+"42001f"),
			codec(112, webrtc.MimeTypeH264, 90000, 0, h264+"64001f"),
			codec(98, webrtc.MimeTypeVP9, 90000, 0, "profile-id=0"),
			codec(45, webrtc.MimeTypeAV1, 90000, 0, ""),
		}
	case webrtc.RTPCodecTypeUnknown:
	}
	return nil
}

// registerCodecs registers noom's codecs and header extensions with m.
//
// The extensions are never pion's defaults: when pion first offers a kind it
// numbers that kind's own extensions without regard to what it does not know of
// a browser's, and the browser then refuses its next offer for good. So those
// of the audio level, which video has not, must not meet anything unknown, and
// every extension of a browser is registered, most for no kind at all: their
// numbers are kept free, and they are neither offered nor accepted.
func registerCodecs(m *webrtc.MediaEngine) error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, codec := range codecsFor(kind) {
			if err := m.RegisterCodec(codec, kind); err != nil {
				return err
			}
			if kind == webrtc.RTPCodecTypeAudio {
				continue
			}
			if err := m.RegisterCodec(retransmission(codec), kind); err != nil {
				return err
			}
		}
	}
	for _, e := range []struct {
		kind webrtc.RTPCodecType
		uris []string
	}{
		{webrtc.RTPCodecTypeAudio, audioExtensions},
		{webrtc.RTPCodecTypeVideo, videoExtensions},
		{webrtc.RTPCodecTypeUnknown, foreignExtensions},
	} {
		for _, uri := range e.uris {
			if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, e.kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// retransmission returns the RTX format (RFC 4588) that goes with codec.
func retransmission(codec webrtc.RTPCodecParameters) webrtc.RTPCodecParameters {
	return webrtc.RTPCodecParameters{
		RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType:    webrtc.MimeTypeRTX,
			ClockRate:   codec.ClockRate,
			SDPFmtpLine: "apt=" + strconv.Itoa(int(codec.PayloadType)),
		},
		PayloadType: codec.PayloadType + rtxOffset,
	}
}

// registerInterceptors adds to r what calls cannot do without: retransmission
// both ways, sender and receiver reports, and the transport-wide feedback
// without which a browser keeps its bitrate at the minimum. Header extensions
// are registerCodecs' business alone.
func registerInterceptors(r *interceptor.Registry, logs logging.LoggerFactory) error {
	responder, err := nack.NewResponderInterceptor(nack.ResponderSize(nackHistory), nack.WithResponderLoggerFactory(logs))
	if err != nil {
		return err
	}
	generator, err := nack.NewGeneratorInterceptor(nack.WithGeneratorLoggerFactory(logs))
	if err != nil {
		return err
	}
	receiverReports, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(logs))
	if err != nil {
		return err
	}
	senderReports, err := report.NewSenderInterceptor(report.WithSenderLoggerFactory(logs))
	if err != nil {
		return err
	}
	feedback, err := twcc.NewSenderInterceptor(twcc.WithLoggerFactory(logs))
	if err != nil {
		return err
	}
	for _, f := range []interceptor.Factory{responder, generator, receiverReports, senderReports, feedback} {
		r.Add(f)
	}
	return nil
}

// canonicalMIME returns pion's constant for a MIME type that peers and tracks may spell
// in any case (RFC 6838 section 4.2), or mime as it is if it is none of noom's.
func canonicalMIME(mime string) string {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, codec := range codecsFor(kind) {
			if strings.EqualFold(codec.MimeType, mime) {
				return codec.MimeType
			}
		}
	}
	return mime
}

// isOpus reports whether a MIME type is that of Opus.
func isOpus(mime string) bool { return strings.EqualFold(mime, webrtc.MimeTypeOpus) }

// alsoMono returns offered with a second entry for Opus, of one channel: SDP always has
// two (RFC 7587 section 7), but a track may describe itself by what it has.
func alsoMono(offered []webrtc.RTPCodecParameters) []webrtc.RTPCodecParameters {
	for _, format := range offered {
		if isOpus(format.MimeType) {
			format.Channels = 1
			return append(slices.Clip(offered), format)
		}
	}
	return offered
}

// sendsStereo reports whether a track of that codec may send two channels: Opus that does
// not say that it has one.
func sendsStereo(codec webrtc.RTPCodecCapability) bool {
	asked := fmtpParameter(codec.SDPFmtpLine, "stereo", "1")
	return isOpus(codec.MimeType) && codec.Channels != 1 && fmtpParameter(codec.SDPFmtpLine, "sprop-stereo", asked) == "1"
}

// wrongCodec says that a track of that codec cannot be one of known.
func wrongCodec(codec webrtc.RTPCodecCapability, known []webrtc.RTPCodecParameters) error {
	if len(known) == 0 { // of another kind than sound or picture
		known = slices.Concat(codecsFor(webrtc.RTPCodecTypeAudio), codecsFor(webrtc.RTPCodecTypeVideo))
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
	what := cmp.Or(codec.MimeType, "what it does not tell")
	if codec.ClockRate != 0 {
		what += fmt.Sprintf("/%d", codec.ClockRate)
	}
	if codec.Channels > 1 {
		what += fmt.Sprintf("/%d", codec.Channels)
	}
	if codec.SDPFmtpLine != "" {
		what += " (" + codec.SDPFmtpLine + ")"
	}
	return fmt.Errorf("%w: the track sends %s; what can be sent is %s", ErrCodec, what, strings.Join(names, ", "))
}

// carries reports whether whoever takes format can decode what a source of
// codec sends. A source that leaves a parameter out is given the benefit of
// the doubt.
func carries(format, codec webrtc.RTPCodecCapability) bool {
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
		return fmtpParameter(format.SDPFmtpLine, key, missing) == fmtpParameter(codec.SDPFmtpLine, key, missing)
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

// carriesH264 compares what RFC 6184 section 8.1 calls packetization-mode and
// profile_idc. Mode 1 includes mode 0, and of the profiles in use here the one
// with the higher number includes the lower: baseline 42, main 4d, high 64.
func carriesH264(format, codec string) bool {
	mode := func(fmtp string) string { return fmtpParameter(fmtp, "packetization-mode", "0") }
	profile := func(fmtp string) string {
		return strings.ToLower(fmtpParameter(fmtp, "profile-level-id", "420010")[:2])
	}
	return mode(codec) <= mode(format) && profile(codec) <= profile(format)
}

// fmtpParameter returns the value of key in an SDP format line, or missing. It
// is never shorter than missing.
func fmtpParameter(line, key, missing string) string {
	for parameter := range strings.SplitSeq(line, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, key) && len(value) >= len(missing) {
			return value
		}
	}
	return missing
}
