package engine

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
	"go.uber.org/goleak"

	"noom/internal/packet"
	"noom/internal/repair"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestForeignExtensionsKeepTheirIDs: a browser that begins with video numbers its own
// extensions from 1. The audio level, which we offer later, must not get one of these ids,
// and we accept no extension that we do not know.
func TestForeignExtensionsKeepTheirIDs(t *testing.T) {
	connection := func(register func(m *webrtc.MediaEngine)) *webrtc.PeerConnection {
		m := &webrtc.MediaEngine{}
		register(m)
		// Without a registry, pion would register extensions of its own.
		api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		must(t, err)
		t.Cleanup(func() { _ = pc.Close() })
		return pc
	}
	browser := connection(func(m *webrtc.MediaEngine) {
		must(t, m.RegisterDefaultCodecs())
		for _, uri := range slices.Concat(foreignExtensions[:6], videoExtensions) {
			must(t, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo))
		}
	})
	ours := connection(func(m *webrtc.MediaEngine) { must(t, registerCodecs(m, nil)) })
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
	if len(theirs) != 10 {
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
			t.Errorf("%s takes the id %s of %s", uri, number, was)
		}
	}
}

// TestExtensionsAreAcceptedAlone: those that we only receive have the ids that the peer has given them, and are not offered.
func TestExtensionsAreAcceptedAlone(t *testing.T) {
	connection := func(register func(m *webrtc.MediaEngine) error) *webrtc.PeerConnection {
		m := &webrtc.MediaEngine{}
		must(t, register(m))
		api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(&interceptor.Registry{}))
		pc, err := api.NewPeerConnection(webrtc.Configuration{})
		must(t, err)
		t.Cleanup(func() { _ = pc.Close() })
		return pc
	}
	browser := connection(func(m *webrtc.MediaEngine) error {
		for _, uri := range slices.Concat(foreignExtensions[:3], receivedExtensions, videoExtensions) {
			must(t, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: uri}, webrtc.RTPCodecTypeVideo))
		}
		return m.RegisterDefaultCodecs()
	})
	ours := connection(func(m *webrtc.MediaEngine) error { return registerCodecs(m, nil) })
	add := func(pc *webrtc.PeerConnection, direction webrtc.RTPTransceiverDirection) {
		_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: direction})
		must(t, err)
	}
	add(browser, webrtc.RTPTransceiverDirectionSendonly)
	offer, err := browser.CreateOffer(nil)
	must(t, err)
	must(t, ours.SetRemoteDescription(offer))
	answer, err := ours.CreateAnswer(nil)
	must(t, err)
	must(t, ours.SetLocalDescription(answer))
	add(ours, webrtc.RTPTransceiverDirectionSendonly)
	next, err := ours.CreateOffer(nil)
	must(t, err)
	for _, uri := range receivedExtensions {
		if want, id := extensionsOf(offer.SDP)[0][uri], extensionsOf(answer.SDP)[0][uri]; id != want || id == "" {
			t.Errorf("%s: accepted under the id %q of %s", uri, id, want)
		}
		if id := extensionsOf(next.SDP)[1][uri]; id != "" {
			t.Errorf("%s: offered under the id %q", uri, id)
		}
	}
}

// extensionsOf returns the ids of each section's header extensions, by URI.
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

// TestOfferedExtensions: audio and video offer the same extensions with the same ids, except
// the audio level, and what says the layers of pictures, and nothing else.
func TestOfferedExtensions(t *testing.T) {
	m, registry := &webrtc.MediaEngine{}, &interceptor.Registry{}
	must(t, registerCodecs(m, nil))
	registerInterceptors(registry, repair.NewAsker(), repair.NewAnswerer())
	api := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry))
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
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
		packet.DependencyURI:                                                        "5",
	}
	if !maps.Equal(extensions[1], want) {
		t.Errorf("video %v, want %v", extensions[1], want)
	}
	delete(want, packet.DependencyURI)
	want["urn:ietf:params:rtp-hdrext:ssrc-audio-level"] = "1"
	if !maps.Equal(extensions[0], want) {
		t.Errorf("audio %v, want %v", extensions[0], want)
	}
	for _, line := range []string{"a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc"} {
		if !strings.Contains(sections[0], line) {
			t.Errorf("audio lacks %s", line)
		}
	}
	for _, line := range []string{
		"a=rtcp-fb:35 nack pli", "a=rtcp-fb:35 transport-cc", "a=rtcp-fb:45 ccm fir", "a=fmtp:36 apt=35",
	} {
		if !strings.Contains(sections[1], line) {
			t.Errorf("video lacks %s", line)
		}
	}
}
