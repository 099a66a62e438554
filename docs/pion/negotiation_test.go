package pion

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// newAPI returns an API with pion's own codecs and header extensions, and no interceptors.
func newAPI(t *testing.T) *webrtc.API {
	t.Helper()
	m := &webrtc.MediaEngine{}
	must(t, m.RegisterDefaultCodecs())
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(webrtc.SettingEngine{LoggerFactory: quiet()}))
}

// newConnection returns a connection that is closed when the test ends.
func newConnection(t *testing.T, api *webrtc.API) *webrtc.PeerConnection {
	t.Helper()
	pc, err := api.NewPeerConnection(webrtc.Configuration{})
	must(t, err)
	t.Cleanup(func() { must(t, pc.GracefulClose()) })
	return pc
}

// offerWith returns an offer of sections of a kind, as a browser writes them.
func offerWith(sections ...string) webrtc.SessionDescription {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE")
	for mid := range sections {
		fmt.Fprintf(&b, " %d", mid)
	}
	b.WriteString("\r\n")
	for mid, s := range sections {
		fmt.Fprintf(&b, "%sa=mid:%d\r\n", s, mid)
	}
	return webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: b.String()}
}

const (
	transportLines = "c=IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\na=rtcp-mux\r\na=sendrecv\r\n" +
		"a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n"
	opusSection = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" + transportLines + "a=rtpmap:111 opus/48000/2\r\n"
	oddSection  = "m=video 9 UDP/TLS/RTP/SAVPF 112\r\n" + transportLines + "a=rtpmap:112 unheard/90000\r\n"
)

// answer returns the answer to an offer.
func answer(t *testing.T, pc *webrtc.PeerConnection, offer webrtc.SessionDescription) webrtc.SessionDescription {
	t.Helper()
	must(t, pc.SetRemoteDescription(offer))
	a, err := pc.CreateAnswer(nil)
	must(t, err)
	return a
}

// TestRefusedOfferStays: an offer that SetRemoteDescription refuses has changed the signaling state.
func TestRefusedOfferStays(t *testing.T) {
	pc := newConnection(t, newAPI(t))
	refused := offerWith(strings.ReplaceAll(opusSection, "a=ice-ufrag:abcd\r\n", ""))
	if err := pc.SetRemoteDescription(refused); err == nil {
		t.Fatal("an offer without ice-ufrag is taken")
	}
	wrong := pc.SignalingState() == webrtc.SignalingStateHaveRemoteOffer
	if err := pc.SetRemoteDescription(offerWith(opusSection)); wrong && err == nil {
		t.Error("the next offer is taken")
	}
	stillWrong(t, wrong, "internal/connection/description.go: inspectDescription")
}

// TestNoRollback: pion takes no rollback, of a local offer or of a remote one.
func TestNoRollback(t *testing.T) {
	pc := newConnection(t, newAPI(t))
	_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio)
	must(t, err)
	offer, err := pc.CreateOffer(nil)
	must(t, err)
	must(t, pc.SetLocalDescription(offer))
	err = pc.SetLocalDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeRollback})
	implicit := pc.SetRemoteDescription(offerWith(opusSection)) // rolls back first
	stillWrong(t, err != nil && implicit != nil, "internal/negotiate, where only the holder of the turn may offer")
}

// TestRejectedWithoutMid: the answer that rejects a section does not say which.
func TestRejectedWithoutMid(t *testing.T) {
	a := answer(t, newConnection(t, newAPI(t)), offerWith(opusSection, oddSection))
	var parsed sdp.SessionDescription
	must(t, parsed.UnmarshalString(a.SDP))
	rejected := parsed.MediaDescriptions[1]
	if rejected.MediaName.Port.Value != 0 {
		t.Fatal("the section is not rejected")
	}
	_, has := rejected.Attribute("mid")
	err := newConnection(t, newAPI(t)).SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: a.SDP})
	if !has && err == nil {
		t.Error("pion takes a description with a section that has no mid")
	}
	stillWrong(t, !has, "internal/connection/description.go: addMids")
}

// TestStrayCandidatesAreTaken: candidates of an earlier generation, or of no section, are no error.
func TestStrayCandidatesAreTaken(t *testing.T) {
	pc := newConnection(t, newAPI(t))
	must(t, pc.SetRemoteDescription(offerWith(opusSection)))
	const c = "candidate:1 1 udp 2130706431 10.0.0.9 40000 typ host"
	ufrag, mid := "before", "nowhere"
	ofBefore := pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c, UsernameFragment: &ufrag})
	ofNothing := pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: c, SDPMid: &mid})
	stillWrong(t, ofBefore == nil && ofNothing == nil, "internal/connection/candidates.go, which drops them by ufrag")
}

// TestDataChannelTakesAMid: the section of a data channel gets the mid of a section that is there.
func TestDataChannelTakesAMid(t *testing.T) {
	pc := newConnection(t, newAPI(t))
	offer := offerWith(opusSection)
	offer.SDP = strings.NewReplacer("BUNDLE 0", "BUNDLE 1", "mid:0", "mid:1").Replace(offer.SDP)
	must(t, pc.SetLocalDescription(answer(t, pc, offer)))
	_, err := pc.CreateDataChannel("data", nil)
	must(t, err)
	ours, err := pc.CreateOffer(nil)
	must(t, err)
	stillWrong(t, strings.Count(ours.SDP, "a=mid:1\r\n") == 2, "internal/connection, which makes the channels before the first offer")
}

// TestExtensionIDMeansTwoThings: an offer gives an extension the id that the peer has given to one that pion does not know.
func TestExtensionIDMeansTwoThings(t *testing.T) {
	m := &webrtc.MediaEngine{}
	must(t, m.RegisterDefaultCodecs())
	must(t, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}, webrtc.RTPCodecTypeVideo))
	pc := newConnection(t, webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(webrtc.SettingEngine{LoggerFactory: quiet()})))
	theirs := opusSection + "a=extmap:1 urn:example:unheard\r\n"
	must(t, pc.SetLocalDescription(answer(t, pc, offerWith(theirs))))
	_, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo)
	must(t, err)
	ours, err := pc.CreateOffer(nil)
	must(t, err)
	if !strings.Contains(ours.SDP, sdp.SDESMidURI) {
		t.Fatal("the extension is not offered")
	}
	stillWrong(t, strings.Contains(ours.SDP, "a=extmap:1 "+sdp.SDESMidURI), "internal/engine/codecs.go: foreignExtensions")
}

// TestAnswersWhatWasNotOffered: a section without a format in common is answered with formats of another section.
func TestAnswersWhatWasNotOffered(t *testing.T) {
	odd := strings.NewReplacer("111", "112", "opus/48000/2", "unheard/8000").Replace(opusSection)
	a := answer(t, newConnection(t, newAPI(t)), offerWith(opusSection, odd))
	var parsed sdp.SessionDescription
	must(t, parsed.UnmarshalString(a.SDP))
	name := parsed.MediaDescriptions[1].MediaName
	stillWrong(t, name.Port.Value != 0 && name.Formats[0] == "111", "")
}

// TestCodecsAreParsedForEach: for each format of an offer, each codec of ours is parsed again.
func TestCodecsAreParsedForEach(t *testing.T) {
	const formats = 20
	var list, lines strings.Builder
	for i := range formats {
		fmt.Fprintf(&list, " %d", 96+i)
		fmt.Fprintf(&lines, "a=rtpmap:%d VP9/90000\r\na=fmtp:%d profile-id=%d\r\n", 96+i, 96+i, i)
	}
	offer := offerWith("m=video 9 UDP/TLS/RTP/SAVPF" + list.String() + "\r\n" + transportLines + lines.String())
	made := func(codecs int) float64 { // to take the offer, with so many codecs of ours, none of which is in it
		return testing.AllocsPerRun(10, func() {
			m := &webrtc.MediaEngine{}
			for i := range codecs {
				must(t, m.RegisterCodec(webrtc.RTPCodecParameters{
					RTPCodecCapability: webrtc.RTPCodecCapability{
						MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("profile-level-id=42%02x1f", i),
					},
					PayloadType: webrtc.PayloadType(96 + i),
				}, webrtc.RTPCodecTypeVideo))
			}
			pc, err := webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithSettingEngine(webrtc.SettingEngine{LoggerFactory: quiet()})).
				NewPeerConnection(webrtc.Configuration{})
			must(t, err)
			must(t, pc.SetRemoteDescription(offer))
			must(t, pc.GracefulClose())
		})
	}
	const more = 20
	each := (made(more+1) - made(1)) / more / formats
	t.Logf("%.1f objects for each format of the offer and codec of ours", each)
	stillWrong(t, each >= 1, "")
}

// TestNoCandidateError: a connection cannot say why a STUN or TURN server gave no candidate.
func TestNoCandidateError(t *testing.T) {
	has := false
	for m := range reflect.TypeFor[*webrtc.PeerConnection]().Methods() {
		has = has || strings.Contains(m.Name, "CandidateError")
	}
	stillWrong(t, !has, "internal/engine/turnwatch.go")
}
