package packet_test

import (
	"testing"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

var opus = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2}

func TestCarries(t *testing.T) {
	video := func(mime, fmtp string) webrtc.RTPCodecCapability {
		return webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp}
	}
	format := func(pt webrtc.PayloadType) webrtc.RTPCodecCapability {
		for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
			for _, codec := range packet.CodecsFor(kind) {
				if codec.PayloadType == pt {
					return codec.RTPCodecCapability
				}
			}
		}
		t.Fatalf("no format %d", pt)
		return webrtc.RTPCodecCapability{}
	}
	for _, test := range []struct {
		format webrtc.PayloadType
		codec  webrtc.RTPCodecCapability
		want   bool
	}{
		{111, opus, true},
		{111, webrtc.RTPCodecCapability{MimeType: "audio/OPUS"}, true},
		{111, webrtc.RTPCodecCapability{MimeType: "audio/opus", ClockRate: 48000, Channels: 1}, true},
		{111, webrtc.RTPCodecCapability{MimeType: "audio/opus", ClockRate: 48000, Channels: 6}, false},
		{111, webrtc.RTPCodecCapability{MimeType: "audio/opus", ClockRate: 16000, Channels: 1}, false},
		{0, webrtc.RTPCodecCapability{MimeType: "audio/PCMU", ClockRate: 8000, Channels: 2}, false},
		{0, webrtc.RTPCodecCapability{MimeType: "audio/PCMU", ClockRate: 8000, Channels: 1}, true},
		{0, webrtc.RTPCodecCapability{MimeType: "audio/PCMU", ClockRate: 16000}, false},
		{35, video("video/vp8", ""), true},
		{35, video("video/vp9", ""), false},
		{43, video("video/vp9", "profile-id=0"), true},
		{43, video("video/vp9", "profile-id=2"), false},
		{45, video("video/AV1", "level-idx=5;profile=0;tier=0"), true},
		{45, video("video/AV1", "profile=1"), false},
		{37, video("video/H264", ""), true},
		{37, video("video/H264", "packetization-mode=1;profile-level-id=42001f"), true},
		{37, video("video/H264", "packetization-mode=0;profile-level-id=42e01f"), true},
		{37, video("video/H264", "packetization-mode=2;profile-level-id=42e01f"), false},
		{37, video("video/H264", "packetization-mode=1; profile-level-id=4D001F"), false},
		{41, video("video/H264", "packetization-mode=1; profile-level-id=4D001F"), true},
		{37, video("video/H264", "packetization-mode=1;profile-level-id=6"), true}, // malformed, and so ignored
	} {
		if got := packet.Carries(format(test.format), test.codec); got != test.want {
			t.Errorf("%d, %s %s: %v, want %v", test.format, test.codec.MimeType, test.codec.SDPFmtpLine, got, test.want)
		}
	}
}
