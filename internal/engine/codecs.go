package engine

import (
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
	"noom/internal/reports"
	"noom/internal/traffic"
)

// Header extensions, in the order in which pion numbers them.
var (
	audioExtensions = []string{sdp.AudioLevelURI, sdp.ABSSendTimeURI, sdp.TransportCCURI, sdp.SDESMidURI}
	videoExtensions = []string{sdp.ABSSendTimeURI, sdp.TransportCCURI, sdp.SDESMidURI, packet.DependencyURI}
	// Those of video that are accepted and not offered, because legs send none: which of several encodings a packet is of,
	// without which a browser refuses the answer to its offer of several.
	receivedExtensions = []string{sdp.SDESRTPStreamIDURI, sdp.SDESRepairRTPStreamIDURI}
	// Others that Chromium and Firefox offer, by default or if configured to.
	foreignExtensions = []string{
		"urn:ietf:params:rtp-hdrext:toffset",
		"urn:3gpp:video-orientation",
		"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
		"http://www.webrtc.org/experiments/rtp-hdrext/color-space",
		"urn:ietf:params:rtp-hdrext:csrc-audio-level",
		"http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
		"http://www.webrtc.org/experiments/rtp-hdrext/inband-cn",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
		"http://www.webrtc.org/experiments/rtp-hdrext/generic-frame-descriptor-00",
		"http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection",
		"http://www.webrtc.org/experiments/rtp-hdrext/video-frame-tracking-id",
	}
)

// registerCodecs registers noom's codecs, those in extra, and header extensions with m.
//
// The extensions are not pion's defaults. When pion first offers a kind, it numbers
// the extensions that only this kind has, such as the audio level. It may then give
// them ids that a browser already uses for extensions that pion does not know, and the
// browser refuses all further offers. So every extension of browsers is registered, most
// of them for no kind: their ids stay reserved, and they are neither offered nor accepted.
func registerCodecs(m *webrtc.MediaEngine, extra []webrtc.RTPCodecParameters) error {
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, codec := range packet.WithExtra(kind, extra) {
			if err := m.RegisterCodec(codec, kind); err != nil {
				return err
			}
			if kind == webrtc.RTPCodecTypeAudio {
				continue
			}
			if err := m.RegisterCodec(packet.Retransmission(codec), kind); err != nil {
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
	for _, uri := range receivedExtensions {
		e := webrtc.RTPHeaderExtensionCapability{URI: uri}
		if err := m.RegisterHeaderExtension(e, webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverDirectionRecvonly); err != nil {
			return err
		}
	}
	return nil
}

// registerInterceptors adds to r what every call needs: retransmission in both
// directions, sender and receiver reports, and transport-wide feedback, without which a
// browser keeps its bitrate at the minimum. It does not register header extensions;
// registerCodecs does.
func registerInterceptors(r *interceptor.Registry, repairs, answers interceptor.Factory) {
	for _, f := range []interceptor.Factory{answers, repairs, reports.Factory{}, traffic.NewReporter()} {
		r.Add(f)
	}
}
