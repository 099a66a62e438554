package fanout

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/mediatest"
)

// TestPublishFindsTheFormat: the profile of a static track decides, although pion's Bind
// chooses by MIME type alone.
func TestPublishFindsTheFormat(t *testing.T) {
	for fmtp, want := range map[string]webrtc.PayloadType{
		"": 37,
		"packetization-mode=1;profile-level-id=42e01f": 37,
		"packetization-mode=1;profile-level-id=42001f": 39,
		"packetization-mode=1;profile-level-id=4d0028": 41,
		"packetization-mode=1;profile-level-id=640028": 41,
	} {
		codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, SDPFmtpLine: fmtp}
		track, err := webrtc.NewTrackLocalStaticSample(codec, "x", "y")
		must(t, err)
		if s := publishTrack(t, track); s.Codec().PayloadType != want {
			t.Errorf("%q: format %d, want %d", fmtp, s.Codec().PayloadType, want)
		}
	}
}

// TestUnknownCodecIsNamed: the error for a track that cannot be sent names its codec, and those that can.
func TestUnknownCodecIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track := func(codec webrtc.RTPCodecCapability) webrtc.TrackLocal {
			track, err := webrtc.NewTrackLocalStaticRTP(codec, "x", "y")
			must(t, err)
			return track
		}
		s := publishTrack(t, mediatest.NewDeviceCamera())
		for _, test := range []struct {
			codec      webrtc.RTPCodecCapability
			says, hint string
		}{
			{
				webrtc.RTPCodecCapability{MimeType: "video/H266", ClockRate: 90000},
				"video/H266/90000", "video/VP8, video/H264, video/VP9, video/AV1",
			},
			{
				webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, SDPFmtpLine: "profile-id=2"},
				"video/VP9 (profile-id=2)", "video/VP8, ",
			},
			{
				webrtc.RTPCodecCapability{MimeType: "audio/L16", ClockRate: 44100, Channels: 2},
				"audio/L16/44100/2", "audio/opus, audio/G722, audio/PCMU, audio/PCMA",
			},
			{webrtc.RTPCodecCapability{MimeType: "text/plain"}, "text/plain", "audio/PCMA, video/VP8"},
		} {
			_, err := NewSender(track(test.codec), Options{}, Hooks{})
			if !errors.Is(err, fault.Codec) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.hint) {
				t.Errorf("%v, want %q and %q", err, test.says, test.hint)
			}
			err = s.ReplaceTrack(track(test.codec))
			hint := test.hint
			if !strings.HasPrefix(test.codec.MimeType, "video/") {
				hint = "publish it as another track"
			}
			if !errors.Is(err, fault.Codec) || !strings.Contains(err.Error(), hint) {
				t.Errorf("swap: %v, want %q", err, hint)
			}
		}
	})
}
