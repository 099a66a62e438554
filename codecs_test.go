package noom

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// The profile a static track was made with counts, though pion's Bind finds
// some format by its MIME type alone.
func TestPublishFindsTheFormat(t *testing.T) {
	for fmtp, want := range map[string]webrtc.PayloadType{
		"": 102,
		"packetization-mode=1;profile-level-id=42e01f": 102,
		"packetization-mode=1;profile-level-id=42001f": 104,
		"packetization-mode=1;profile-level-id=4d0028": 112,
		"packetization-mode=1;profile-level-id=640028": 112,
	} {
		track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, SDPFmtpLine: fmtp}, "x", "y")
		must(t, err)
		if s := publish(t, track); s.codec.PayloadType != want {
			t.Errorf("%q: format %d, want %d", fmtp, s.codec.PayloadType, want)
		}
	}
}

// Opus of one channel, and names in any case, are what they are: tracks are sent, and
// everybody sees pion's names.
func TestNamesInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMediaNet(t)
		network.respell = strings.NewReplacer("opus/48000", "OPUS/48000", "VP8/90000", "vp8/90000")
		for _, codec := range []webrtc.RTPCodecCapability{
			{MimeType: "audio/OPUS", ClockRate: 48000, Channels: 1},
			{MimeType: "audio/Opus", Channels: 1, SDPFmtpLine: "stereo=0"},
			{MimeType: "audio/oPuS", ClockRate: 48000, Channels: 2},
			{MimeType: "Audio/OPUS", ClockRate: 48000, Channels: 1},
			{MimeType: "VIDEO/VP8", ClockRate: 90000},
			{MimeType: "video/vp8", ClockRate: 90000},
		} {
			track, err := webrtc.NewTrackLocalStaticRTP(codec, "x", "y")
			must(t, err)
			s := publish(t, track)
			peer := network.receive(t, []*leg{legOf(s)})
			must(t, track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1}, Payload: []byte{0x10, 0, 0}}))
			want := packet.CanonicalMIME(codec.MimeType)
			if want != webrtc.MimeTypeOpus && want != webrtc.MimeTypeVP8 {
				t.Fatalf("%s is called %s", codec.MimeType, want)
			}
			if peer.tapes[0].all(t); peer.tapes[0].track.Codec().MimeType != want || s.codec.MimeType != want {
				t.Errorf("%s is sent as %s and received as %s", codec.MimeType, s.codec.MimeType, peer.tapes[0].track.Codec().MimeType)
			}
			if codec.Channels == 1 && s.sendsStereo() {
				t.Errorf("%v is taken for stereo", codec)
			}
		}
	})
}

// Who publishes what cannot be sent is told what that was, and what can.
func TestUnknownCodecIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track := func(codec webrtc.RTPCodecCapability) webrtc.TrackLocal {
			track, err := webrtc.NewTrackLocalStaticRTP(codec, "x", "y")
			must(t, err)
			return track
		}
		s := publish(t, newDeviceCamera())
		for _, test := range []struct {
			codec      webrtc.RTPCodecCapability
			says, hint string
		}{
			{webrtc.RTPCodecCapability{MimeType: "video/H266", ClockRate: 90000}, "video/H266/90000", "video/VP8, video/H264, video/VP9, video/AV1"},
			{webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP9, SDPFmtpLine: "profile-id=2"}, "video/VP9 (profile-id=2)", "video/VP8, "},
			{webrtc.RTPCodecCapability{MimeType: "audio/L16", ClockRate: 44100, Channels: 2}, "audio/L16/44100/2", "audio/opus, audio/G722, audio/PCMU, audio/PCMA"},
			{webrtc.RTPCodecCapability{MimeType: "text/plain"}, "text/plain", "audio/PCMA, video/VP8"},
		} {
			_, err := newSender(track(test.codec), PublishOptions{}, senderHooks{})
			if !errors.Is(err, ErrCodec) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.hint) {
				t.Errorf("%v, want %q and %q", err, test.says, test.hint)
			}
			err = s.ReplaceTrack(track(test.codec))
			if !errors.Is(err, ErrCodec) || !strings.Contains(err.Error(), "publish it anew") {
				t.Errorf("swap: %v", err)
			}
		}
	})
}
