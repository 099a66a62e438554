package noom

import (
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pion/interceptor"
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

// A browser that begins with video numbers its own extensions from 1. The audio
// level, which comes later and from us, must not take one of these numbers, and
// nothing that we do not know is accepted.
func TestForeignExtensionsKeepTheirNumbers(t *testing.T) {
	connection := func(register func(m *webrtc.MediaEngine)) *webrtc.PeerConnection {
		m := &webrtc.MediaEngine{}
		register(m)
		// Without a registry pion would register extensions of its own.
		pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{})).NewPeerConnection(webrtc.Configuration{})
		must(t, err)
		t.Cleanup(func() { _ = pc.Close() })
		return pc
	}
	browser := connection(func(m *webrtc.MediaEngine) {
		must(t, m.RegisterDefaultCodecs())
		for _, uri := range slices.Concat(foreignExtensions[:8], videoExtensions) {
			must(t, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo))
		}
	})
	ours := connection(func(m *webrtc.MediaEngine) { must(t, registerCodecs(m)) })
	add := func(pc *webrtc.PeerConnection, kind webrtc.RTPCodecType) {
		_, err := pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		must(t, err)
	}
	add(browser, webrtc.RTPCodecTypeVideo)
	offer, err := browser.CreateOffer(nil)
	must(t, err)
	must(t, ours.SetRemoteDescription(offer))
	answer, err := ours.CreateAnswer(nil)
	must(t, err)
	must(t, ours.SetLocalDescription(answer))
	add(ours, webrtc.RTPCodecTypeAudio)
	next, err := ours.CreateOffer(nil)
	must(t, err)

	theirs := extensionsOf(offer.SDP)[0]
	if len(theirs) != 11 {
		t.Fatalf("the browser offers %v", theirs)
	}
	taken := map[string]string{}
	for uri, number := range theirs {
		taken[number] = uri
	}
	accepted := slices.Sorted(maps.Keys(extensionsOf(answer.SDP)[0]))
	if !slices.Equal(accepted, slices.Sorted(slices.Values(videoExtensions))) {
		t.Errorf("accepted %v", accepted)
	}
	sections := extensionsOf(next.SDP)
	audio := sections[len(sections)-1]
	if len(audio) != len(audioExtensions) {
		t.Errorf("audio offers %v", audio)
	}
	for uri, number := range audio {
		if was, ok := taken[number]; ok && was != uri {
			t.Errorf("%s takes number %s of %s", uri, number, was)
		}
	}
}

// extensionsOf returns the numbers of each section's header extensions.
func extensionsOf(description string) (sections []map[string]string) {
	for _, section := range strings.Split(description, "\nm=")[1:] {
		of := map[string]string{}
		for line := range strings.Lines(section) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "a=extmap:"); ok {
				number, uri, _ := strings.Cut(rest, " ")
				of[uri] = number
			}
		}
		sections = append(sections, of)
	}
	return sections
}

// Audio and video offer the same extensions under the same numbers, the audio
// level apart, and nothing but what was asked for.
func TestOfferedExtensions(t *testing.T) {
	m, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	must(t, registerCodecs(m))
	must(t, registerInterceptors(registry, pionLog{slog.New(slog.DiscardHandler)}))
	pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry)).NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	defer func() { _ = pc.Close() }()
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		_, err = pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		must(t, err)
	}
	offer, err := pc.CreateOffer(nil)
	must(t, err)
	sections := strings.Split(offer.SDP, "\nm=")[1:]
	if len(sections) != 2 {
		t.Fatalf("%d sections", len(sections))
	}
	extensions := extensionsOf(offer.SDP)
	want := map[string]string{
		"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time":                "2",
		"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01": "3",
		"urn:ietf:params:rtp-hdrext:sdes:mid":                                       "4",
	}
	if !maps.Equal(extensions[1], want) {
		t.Errorf("video %v, want %v", extensions[1], want)
	}
	want["urn:ietf:params:rtp-hdrext:ssrc-audio-level"] = "1"
	if !maps.Equal(extensions[0], want) {
		t.Errorf("audio %v, want %v", extensions[0], want)
	}
	for _, line := range []string{"a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc"} {
		if !strings.Contains(sections[0], line) {
			t.Errorf("audio lacks %s", line)
		}
	}
	for _, line := range []string{"a=rtcp-fb:96 nack pli", "a=rtcp-fb:96 transport-cc", "a=rtcp-fb:45 ccm fir", "a=fmtp:97 apt=96"} {
		if !strings.Contains(sections[1], line) {
			t.Errorf("video lacks %s", line)
		}
	}
}
