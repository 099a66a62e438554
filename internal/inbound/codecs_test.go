package inbound_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/mediatest"
	"noom/internal/packet"
)

// Opus of one channel, and names in any case, are what they are: tracks are sent, and
// everybody sees pion's names.
func TestNamesInAnyCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		network.Respell = strings.NewReplacer("opus/48000", "OPUS/48000", "VP8/90000", "vp8/90000")
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
			peer := receive(t, network, []*fanout.Leg{legOf(s)})
			must(t, track.WriteRTP(&rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: 1}, Payload: []byte{0x10, 0, 0}}))
			want := packet.CanonicalMIME(codec.MimeType)
			if want != webrtc.MimeTypeOpus && want != webrtc.MimeTypeVP8 {
				t.Fatalf("%s is called %s", codec.MimeType, want)
			}
			if peer.tapes[0].All(t); peer.tapes[0].track.Codec().MimeType != want || s.Codec().MimeType != want {
				t.Errorf("%s is sent as %s and received as %s", codec.MimeType, s.Codec().MimeType, peer.tapes[0].track.Codec().MimeType)
			}
			if codec.Channels == 1 && s.SendsStereo() {
				t.Errorf("%v is taken for stereo", codec)
			}
		}
	})
}
