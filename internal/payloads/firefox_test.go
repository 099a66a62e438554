package payloads_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/engine"
	"noom/internal/mediatest"
	"noom/internal/packet"
	"noom/internal/payloads"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// end is one end of a call: a real PeerConnection, and what stands between its descriptions and the other end's.
type end struct {
	pc   *webrtc.PeerConnection
	out  func(t *testing.T, text string) string // changes a description of pc's
	in   func(t *testing.T, text string) string // changes one of the other end's
	came chan string                            // of each section: mid, codec and number, when its first packet has come
}

func newEnd(t *testing.T, network *mediatest.Network, m *webrtc.MediaEngine, b engine.Bounds) *end {
	e := &end{pc: network.Connection(t, m, b), came: make(chan string, 64)}
	e.pc.OnTrack(func(track *webrtc.TrackRemote, receiver *webrtc.RTPReceiver) {
		go func() {
			p, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			e.came <- fmt.Sprintf("%s %s %d", receiver.RTPTransceiver().Mid(), track.Codec().MimeType, p.PayloadType)
			for {
				_, attributes, err := track.ReadRTP()
				if err != nil {
					return
				}
				if again := attributes.Get(webrtc.AttributeRtxPayloadType); again != nil {
					e.came <- fmt.Sprintf("again as %d", again)
				}
			}
		}()
	})
	return e
}

// newMember makes an end that translates numbers, as a connection does. Its engine has the numbers that Firefox's collide
// with, or noom's.
func newMember(t *testing.T, network *mediatest.Network, colliding bool) *end {
	packets, numbers := new(payloads.Packets), payloads.New()
	buffers := engine.Bounds{Wire: packets, Buffer: packets.Buffer(conduct.NewGuard(func(err error) { t.Error(err) }).Buffer)}
	var m *webrtc.MediaEngine
	if colliding {
		m = engineWith(t, collidingVideo)
	}
	e := newEnd(t, network, m, buffers)
	translate := func(t *testing.T, text string, f func(*sdp.SessionDescription) (bool, error)) string {
		s := new(sdp.SessionDescription)
		must(t, s.UnmarshalString(text))
		_, err := f(s)
		must(t, err)
		packets.Follow(numbers)
		b, err := s.Marshal()
		must(t, err)
		return string(b)
	}
	e.out = func(t *testing.T, text string) string {
		return translate(t, text, func(s *sdp.SessionDescription) (bool, error) { return numbers.Local(s), nil })
	}
	e.in = func(t *testing.T, text string) string { return translate(t, text, numbers.Remote) }
	return e
}

var collidingVideo = []string{
	"96 VP8/90000", "97 rtx/90000;apt=96", "102 H264/90000;packetization-mode=1;profile-level-id=42e01f", "103 rtx/90000;apt=102",
	"98 VP9/90000;profile-id=0", "99 rtx/90000;apt=98", "45 AV1/90000", "46 rtx/90000;apt=45",
}

func engineWith(t *testing.T, video []string) *webrtc.MediaEngine {
	m := new(webrtc.MediaEngine)
	for _, codec := range packet.CodecsFor(webrtc.RTPCodecTypeAudio) {
		must(t, m.RegisterCodec(codec, webrtc.RTPCodecTypeAudio))
	}
	feedback := packet.CodecsFor(webrtc.RTPCodecTypeVideo)[0].RTCPFeedback
	for _, line := range video {
		var c webrtc.RTPCodecParameters
		name, parameters, _ := strings.Cut(line, ";")
		_, err := fmt.Sscanf(name, "%d %s", &c.PayloadType, &c.MimeType)
		must(t, err)
		c.MimeType, c.ClockRate, c.SDPFmtpLine, c.RTCPFeedback = "video/"+strings.TrimSuffix(c.MimeType, "/90000"), 90000, parameters, feedback
		must(t, m.RegisterCodec(c, webrtc.RTPCodecTypeVideo))
	}
	return m
}

// newFirefox makes an end that describes sections of its own as Firefox does: with the lines that were recorded, which
// always have the same numbers, and with packets to match.
func newFirefox(t *testing.T, network *mediatest.Network, h264 bool) (e *end, publish func(codec webrtc.RTPCodecCapability, number uint8)) {
	e = newEnd(t, network, engineWith(t, []string{
		"120 VP8/90000", "124 rtx/90000;apt=120", "121 VP9/90000;profile-id=0", "125 rtx/90000;apt=121",
		"126 H264/90000;packetization-mode=1;profile-level-id=42e01f", "127 rtx/90000;apt=126", "99 AV1/90000", "100 rtx/90000;apt=99",
	}), engine.Bounds{})
	lines := formatsOfFirefox(t, h264)
	mine := make(map[string]bool)
	before := make(map[string][]string) // by mid: what pion said of the formats
	e.out = func(_ *testing.T, text string) string {
		return mapSections(text, func(mid, kind string, m []string) []string {
			if !strings.Contains(strings.Join(m, "\n"), "a=sendonly") {
				return m
			}
			mine[mid] = true
			rest, of := split(m)
			before[mid] = of
			return append(rest, lines[kind]...)
		})
	}
	e.in = func(t *testing.T, text string) string {
		return mapSections(text, func(mid, kind string, m []string) []string {
			if !mine[mid] {
				return m
			}
			rest, of := split(m)
			answered(t, of, lines[kind])
			return append(rest, before[mid]...)
		})
	}
	return e, func(codec webrtc.RTPCodecCapability, number uint8) {
		send(t, e, &numbered{codec: codec, number: number})
	}
}

// send adds a section for a track.
func send(t *testing.T, e *end, track *numbered) {
	t.Helper()
	transceiver, err := e.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
	must(t, err)
	go drain(transceiver.Sender())
}

func drain(s *webrtc.RTPSender) {
	buf := make([]byte, packet.ReceiveMTU)
	for {
		if _, _, err := s.Read(buf); err != nil {
			return
		}
	}
}

// formatsOfFirefox returns what Firefox says of the formats in a section of its own, by kind, m= first.
func formatsOfFirefox(t *testing.T, h264 bool) map[string][]string {
	text, err := os.ReadFile("testdata/go-first-offer.sdp")
	must(t, err)
	all := make(map[string][]string)
	mapSections(strings.ReplaceAll(string(text), "\n", "\r\n"), func(_, kind string, m []string) []string {
		_, all[kind] = split(m) // the last of each kind is Firefox's own
		return m
	})
	if h264 { // as Firefox adds it with OpenH264
		all["video"][0] += " 126 127 97 98 105 106 103 104"
		for i, number := range []int{126, 97, 105, 103} {
			profile := []string{"42e01f", "42e01f", "42001f", "42001f"}[i]
			all["video"] = append(all["video"],
				fmt.Sprintf("a=rtpmap:%d H264/90000", number), fmt.Sprintf("a=rtcp-fb:%d nack pli", number),
				fmt.Sprintf("a=fmtp:%d profile-level-id=%s;level-asymmetry-allowed=1;packetization-mode=%d", number, profile, 1-i%2),
				fmt.Sprintf("a=rtpmap:%d rtx/90000", number+1), fmt.Sprintf("a=fmtp:%d apt=%d", number+1, number))
		}
	}
	return all
}

// mapSections changes the media sections of a description.
func mapSections(text string, f func(mid, kind string, m []string) []string) string {
	parts := strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\nm=")
	for i, part := range parts[1:] {
		lines := strings.Split("m="+part, "\r\n")
		kind, _, _ := strings.Cut(part, " ")
		if kind == "application" {
			continue
		}
		mid := ""
		for _, line := range lines {
			if rest, ok := strings.CutPrefix(line, "a=mid:"); ok {
				mid = rest
			}
		}
		changed := f(mid, kind, lines)
		for at, line := range changed { // m= comes first
			if strings.HasPrefix(line, "m=") {
				changed[0], changed[at] = changed[at], changed[0]
			}
		}
		parts[i+1] = strings.TrimPrefix(strings.Join(changed, "\r\n"), "m=")
	}
	return strings.Join(parts, "\r\nm=") + "\r\n"
}

// split takes what a section says of formats out of it.
func split(m []string) (rest, formats []string) {
	for _, line := range m {
		if strings.HasPrefix(line, "m=") || strings.HasPrefix(line, "a=rtpmap:") || strings.HasPrefix(line, "a=fmtp:") || strings.HasPrefix(line, "a=rtcp-fb:") {
			formats = append(formats, line)
		} else {
			rest = append(rest, line)
		}
	}
	return rest, formats
}

// answered checks that an answer has nothing but formats that Firefox offered, under Firefox's numbers.
func answered(t *testing.T, answer, offered []string) {
	t.Helper()
	have := make(map[string]bool)
	for _, line := range offered {
		have[strings.TrimSuffix(strings.ToLower(line), "/1")] = true
	}
	found := 0
	for _, line := range answer {
		if strings.HasPrefix(line, "a=rtpmap:") || strings.Contains(line, " apt=") {
			found++
			if !have[strings.TrimSuffix(strings.ToLower(line), "/1")] {
				t.Errorf("Firefox never offered %q", line)
			}
		}
	}
	if found == 0 {
		t.Errorf("nothing is accepted of %v: %v", offered[0], answer)
	}
}

// numbered is a track whose packets have a number that pion does not know of; 0: the one that it does.
type numbered struct {
	codec  webrtc.RTPCodecCapability
	number uint8
	stop   chan struct{}
}

func (n *numbered) ID() string       { return fmt.Sprintf("%p", n) }
func (n *numbered) RID() string      { return "" }
func (n *numbered) StreamID() string { return "firefox" }
func (n *numbered) Kind() webrtc.RTPCodecType {
	if strings.HasPrefix(n.codec.MimeType, "audio/") {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

func (n *numbered) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	at := slices.IndexFunc(ctx.CodecParameters(), func(c webrtc.RTPCodecParameters) bool {
		return strings.EqualFold(c.MimeType, n.codec.MimeType)
	})
	if at < 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	format := ctx.CodecParameters()[at]
	if n.number == 0 {
		n.number = uint8(format.PayloadType)
	}
	n.stop = make(chan struct{})
	go func() {
		for sequence := uint16(1); ; sequence++ {
			select {
			case <-n.stop:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = ctx.WriteStream().WriteRTP(&rtp.Header{ // the connection may be closed
					Version: 2, PayloadType: n.number, SequenceNumber: sequence, SSRC: uint32(ctx.SSRC()),
				}, []byte{0x10, 0, 0})
			}
		}
	}()
	return format, nil
}

func (n *numbered) Unbind(webrtc.TrackLocalContext) error {
	close(n.stop)
	return nil
}

// negotiate lets one end offer and the other answer.
func negotiate(t *testing.T, from, to *end) {
	t.Helper()
	offer, err := from.pc.CreateOffer(nil)
	must(t, err)
	gathered := webrtc.GatheringCompletePromise(from.pc)
	must(t, from.pc.SetLocalDescription(offer))
	<-gathered
	offer.SDP = to.in(t, from.out(t, from.pc.LocalDescription().SDP))
	must(t, to.pc.SetRemoteDescription(offer))
	answer, err := to.pc.CreateAnswer(nil)
	must(t, err)
	gathered = webrtc.GatheringCompletePromise(to.pc)
	must(t, to.pc.SetLocalDescription(answer))
	<-gathered
	answer.SDP = from.in(t, to.out(t, to.pc.LocalDescription().SDP))
	must(t, from.pc.SetRemoteDescription(answer))
	time.Sleep(time.Second)
}

// arrives waits until a track of this codec has come.
func arrives(t *testing.T, e *end, codec string) {
	t.Helper()
	select {
	case got := <-e.came:
		if !strings.Contains(got, codec) {
			t.Errorf("%s has come, want %s", got, codec)
		}
	case <-time.After(5 * time.Second):
		t.Errorf("no %s has come", codec)
	}
}

// arrivesBoth waits for sound and video.
func arrivesBoth(t *testing.T, e *end) {
	t.Helper()
	got := ""
	for range 2 {
		select {
		case one := <-e.came:
			got += one + "; "
		case <-time.After(5 * time.Second):
		}
	}
	if !strings.Contains(got, webrtc.MimeTypeOpus) || !strings.Contains(got, webrtc.MimeTypeVP8) {
		t.Errorf("%q has come, want sound and video", got)
	}
}

// TestCallsWithFirefox: media flows both ways, whoever offers first, with sections that come later and with numbers that
// mean something else in our sections.
func TestCallsWithFirefox(t *testing.T) {
	h264 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeH264, ClockRate: 90000, SDPFmtpLine: "packetization-mode=1;profile-level-id=42e01f"}
	av1 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeAV1, ClockRate: 90000}
	for _, colliding := range []bool{true, false} {
		for _, openH264 := range []bool{false, true} {
			for _, firefoxFirst := range []bool{false, true} {
				t.Run(fmt.Sprintf("colliding %t, OpenH264 %t, Firefox first %t", colliding, openH264, firefoxFirst), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						network := mediatest.NewNetwork(t)
						member := newMember(t, network, colliding)
						firefox, publish := newFirefox(t, network, openH264)
						add := func(codec webrtc.RTPCodecCapability) {
							send(t, member, &numbered{codec: codec})
						}
						ours := func() {
							add(mediatest.Opus)
							add(mediatest.VP8)
							negotiate(t, member, firefox)
							arrivesBoth(t, firefox)
						}
						theirs := func() {
							publish(mediatest.Opus, 109)
							publish(mediatest.VP8, 120)
							negotiate(t, firefox, member)
							arrivesBoth(t, member)
						}
						first, second := ours, theirs
						if firefoxFirst {
							first, second = theirs, ours
						}
						first()
						second()
						publish(av1, 99) // what 99 is in our sections
						negotiate(t, firefox, member)
						arrives(t, member, webrtc.MimeTypeAV1)
						if openH264 {
							publish(h264, 126)
							negotiate(t, firefox, member)
							arrives(t, member, webrtc.MimeTypeH264)
						}
						first()
						second()
					})
				})
			}
		}
	}
}

// TestAnsweredWithOtherNumbers: a peer may answer with numbers of its own. What we send has them, repetitions included.
func TestAnsweredWithOtherNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mediatest.NewNetwork(t)
		member := newMember(t, network, false)
		peer := newEnd(t, network, nil, engine.Bounds{})
		vp8 := packet.CodecsFor(webrtc.RTPCodecTypeVideo)[0].PayloadType
		other := strings.NewReplacer(fmt.Sprintf("RTP/SAVPF %d %d ", vp8, vp8+1), "RTP/SAVPF 107 108 ",
			fmt.Sprintf("map:%d VP8", vp8), "map:107 VP8", fmt.Sprintf("map:%d rtx", vp8+1), "map:108 rtx",
			fmt.Sprintf("fmtp:%d apt=%d", vp8+1, vp8), "fmtp:108 apt=107", fmt.Sprintf("-fb:%d ", vp8), "-fb:107 ")
		peer.in = func(_ *testing.T, text string) string { return other.Replace(text) }
		peer.out = func(_ *testing.T, text string) string { return text }
		send(t, member, &numbered{codec: mediatest.VP8})
		negotiate(t, member, peer)
		arrives(t, peer, webrtc.MimeTypeVP8+" 107")
		must(t, peer.pc.WriteRTCP([]rtcp.Packet{&rtcp.TransportLayerNack{
			MediaSSRC: uint32(member.pc.GetSenders()[0].GetParameters().Encodings[0].SSRC),
			Nacks:     []rtcp.NackPair{{PacketID: 10}},
		}}))
		arrives(t, peer, "again as 108")
	})
}
